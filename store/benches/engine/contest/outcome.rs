//! What one trial measured, as the line that a child process hands to its parent.

use std::fmt::Display;
use std::str::FromStr;

use anyhow::{Context, Result};

use super::peer::Checksum;

/// What one trial measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Operations done by all threads.
    pub(crate) operations: u64,
    /// How long they took, waiting included.
    pub(crate) seconds: f64,
    /// How long the work in the background went on after them.
    pub(crate) settle_seconds: f64,
    /// What a scan saw, if there was one.
    pub(crate) scanned: Checksum,
    /// Most memory resident at any time.
    pub(crate) peak_bytes: u64,
    /// What the system was made to write, settling included.
    pub(crate) written_bytes: u64,
    /// What the directory takes after the engine was closed.
    pub(crate) disk_bytes: u64,
}

/// Tells the line from what an engine may print.
const WORD: &str = "outcome";

impl Outcome {
    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        self.operations as f64 / self.seconds
    }

    /// For [`Outcome::find`].
    pub(crate) fn line(&self) -> String {
        let fields: [&dyn Display; 8] = [
            &self.operations,
            &self.seconds,
            &self.settle_seconds,
            &self.scanned.entries,
            &self.scanned.sum,
            &self.peak_bytes,
            &self.written_bytes,
            &self.disk_bytes,
        ];
        fields.iter().fold(WORD.to_owned(), |line, field| format!("{line} {field}"))
    }

    /// The outcome among what a child printed.
    pub(crate) fn find(text: &str) -> Result<Outcome> {
        let line = text.lines().find_map(|line| line.strip_prefix(WORD));
        let fields = &mut line.context("failed to find an outcome")?.split_whitespace();
        Ok(Outcome {
            operations: next(fields)?,
            seconds: next(fields)?,
            settle_seconds: next(fields)?,
            scanned: Checksum { entries: next(fields)?, sum: next(fields)? },
            peak_bytes: next(fields)?,
            written_bytes: next(fields)?,
            disk_bytes: next(fields)?,
        })
    }
}

fn next<'a, T: FromStr>(fields: &mut impl Iterator<Item = &'a str>) -> Result<T> {
    let field = fields.next().context("an outcome ends early")?;
    field.parse().ok().with_context(|| format!("failed to read `{field}` in an outcome"))
}

#[cfg(test)]
impl Outcome {
    /// Operations, seconds, and a number for each of the rest.
    pub(crate) fn example(operations: u64, seconds: f64) -> Outcome {
        Outcome {
            operations,
            seconds,
            settle_seconds: 0.25,
            scanned: Checksum { entries: 7, sum: u64::MAX },
            peak_bytes: 64 << 20,
            written_bytes: 3_000_000,
            disk_bytes: 1_500_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn an_outcome_is_found_again_among_other_lines() {
        let outcome = Outcome::example(1000, 0.1);
        let printed = format!("an engine speaks\n{}\nand again\n", outcome.line());
        assert_eq!(Outcome::find(&printed).unwrap(), outcome);
    }

    #[test]
    fn what_is_no_outcome_is_refused() {
        assert!(Outcome::find("").is_err());
        assert!(Outcome::find("outcome 1 2.0").is_err());
        assert!(Outcome::find("outcome 1 2 3 4 5 6 7 x").is_err());
    }
}
