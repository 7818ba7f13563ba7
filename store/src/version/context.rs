//! The past a client has read, in its hands as opaque text until it writes.
//!
//! The text is lower-case hexadecimal of the bytes drawn in [`super::format`]: a version, the
//! vector (of server vectors with the time of each pair), and a CRC-32 of the key and both. The checksum guards against text cut short, mangled by a
//! shell or read from another key, which would silently remove siblings the client never saw: dots are
//! counted key by key, so another key's context seems to know many of this one's. It is no signature: a client that forges a context harms only keys it may write anyway.

use super::dot::Actor;
use super::format::{self, DecodeError};
use super::vector::VersionVector;
use super::vector_clock::VectorClock;

/// The past a client has read: every dot it knows of, or every pair of its server vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(VectorClock);

impl Context {
    /// The dots it knows of.
    pub fn vector(&self) -> &VersionVector {
        self.0.vector()
    }

    /// The same with the times of its pairs, where they are kept.
    pub(super) fn clock(&self) -> &VectorClock {
        &self.0
    }

    /// The context as printable text, for a client to hand back with a write to the same `key`.
    pub fn to_text(&self, key: &[u8]) -> String {
        use std::fmt::Write as _;
        format::encode_context(self, key).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes all that is written to it");
            text
        })
    }

    /// The context of `key` that `text` was made from.
    pub fn from_text(text: &[u8], key: &[u8]) -> Result<Context, ContextError> {
        let bytes = unhex(text).ok_or(ContextError::NotHex)?;
        format::decode_context(&bytes, key).map_err(ContextError::Damaged)
    }
}

impl FromIterator<(Actor, u64)> for Context {
    fn from_iter<I: IntoIterator<Item = (Actor, u64)>>(entries: I) -> Context {
        Context(VectorClock::from(entries.into_iter().collect::<VersionVector>()))
    }
}

impl From<VectorClock> for Context {
    fn from(clock: VectorClock) -> Context {
        Context(clock)
    }
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

/// Why a text is no context that a node has given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Not an even number of lower-case hexadecimal digits.
    #[error("the context is not hexadecimal text as a read returned it")]
    NotHex,
    /// The bytes behind the text are not what was given out.
    #[error("the context is damaged, or of another key: {0}")]
    Damaged(#[source] DecodeError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        [("n1", 3, 7), ("n2", 1, 1)]
            .map(|(node, epoch, counter)| (Actor::new(node.parse().unwrap(), epoch), counter))
            .into_iter()
            .collect()
    }

    #[test]
    fn a_context_survives_the_clients_hands() {
        let pairs = [("n1", 7, 70), ("n2", 1, 10)];
        let actor = |name: &str| Actor::new(name.parse().unwrap(), 3);
        let mut clock = VectorClock::default();
        for (name, counter, micros) in pairs {
            clock.learn(&actor(name), counter, micros);
        }
        for context in [context(), Context::default(), Context::from(clock)] {
            assert_eq!(Context::from_text(context.to_text(b"k").as_bytes(), b"k"), Ok(context));
        }
    }

    #[test]
    fn a_context_with_any_digit_changed_or_missing_is_refused() {
        let text = context().to_text(b"k").into_bytes();
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert!(Context::from_text(&changed, b"k").is_err(), "taken with digit {at} changed");
            assert!(Context::from_text(&text[..at], b"k").is_err(), "taken when cut at {at}");
        }
    }

    #[test]
    fn a_context_of_another_key_is_refused() {
        let text = context().to_text(b"k");
        for other in ["l", "", "kk"] {
            assert!(
                Context::from_text(text.as_bytes(), other.as_bytes()).is_err(),
                "for {other:?}"
            );
        }
    }

    #[test]
    fn a_refused_context_says_why() {
        let why = |text: &str| Context::from_text(text.as_bytes(), b"k").unwrap_err().to_string();
        assert_eq!(why("hello"), "the context is not hexadecimal text as a read returned it");
        assert_eq!(why(""), "the context is damaged, or of another key: it ends too early");
        let mut text = context().to_text(b"k");
        text.replace_range(4..6, "ff");
        let damaged = "the context is damaged, or of another key: its checksum does not match";
        assert_eq!(why(&text), damaged);
    }
}
