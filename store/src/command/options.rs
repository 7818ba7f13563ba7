//! The options of `KV.*` commands: name and value, in any order, each at most once.

use bytes::Bytes;

use super::refused::shown;
use super::{Level, Refused};

/// What followed the key and value of a `KV.*` command.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Options {
    pub(super) context: Option<Bytes>,
    pub(super) r: Option<Level>,
    pub(super) w: Option<Level>,
}

/// Which options a command takes; all of them take `R`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Allowed {
    /// `R` only.
    Read,
    /// `CONTEXT`, `R` and `W`.
    Write,
}

impl Options {
    pub(super) fn parse(arguments: &[Bytes], allowed: Allowed) -> Result<Options, Refused> {
        let mut options = Options::default();
        let pairs = arguments.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(Refused::Syntax);
        }
        for pair in pairs {
            options.add(&pair[0], &pair[1], allowed)?;
        }
        Ok(options)
    }

    fn add(&mut self, name: &Bytes, value: &Bytes, allowed: Allowed) -> Result<(), Refused> {
        let name = name.to_ascii_uppercase();
        let repeated = match (name.as_slice(), allowed) {
            (b"R", _) => self.r.replace(level("R", value)?).is_some(),
            (b"W", Allowed::Write) => self.w.replace(level("W", value)?).is_some(),
            (b"CONTEXT", Allowed::Write) => self.context.replace(value.clone()).is_some(),
            _ => return Err(Refused::Syntax),
        };
        if repeated { Err(Refused::Syntax) } else { Ok(()) }
    }
}

fn level(option: &'static str, value: &Bytes) -> Result<Level, Refused> {
    let text = String::from_utf8_lossy(value).to_ascii_uppercase();
    match text.as_str() {
        "ONE" => Ok(Level::One),
        "QUORUM" => Ok(Level::Quorum),
        "ALL" => Ok(Level::All),
        digits => match digits.parse() {
            Ok(count) if count > 0 => Ok(Level::Count(count)),
            _ => Err(Refused::Level { option, value: shown(value, 32) }),
        },
    }
}
