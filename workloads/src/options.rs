//! Rules for what may be chosen of a workload, with the words for what is refused.

use crate::promise::Promise;

/// An option that makes no sense: `read-ratio: expected a number from 0 to 1, found 2`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option}: expected {expected}, found {found}")]
pub struct OptionsError {
    /// The option, as it stands in YAML.
    pub option: &'static str,
    /// What it may be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// A keyspace is the prefix of its keys, and stands before their colon.
pub(crate) fn keyspace(found: &str) -> Result<(), OptionsError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let fits = !found.is_empty() && found.chars().all(is_name);
    refuse_unless(fits, "keyspace", "letters, digits and any of -_.", &format!("`{found}`"))
}

/// A count is at least one.
pub(crate) fn count(option: &'static str, found: u64, most: u64) -> Result<(), OptionsError> {
    let fits = (1..=most).contains(&found);
    refuse_unless(fits, option, &format!("a number from 1 to {most}"), &found.to_string())
}

/// A share of the whole.
pub(crate) fn ratio(option: &'static str, found: f64) -> Result<(), OptionsError> {
    let fits = (0.0..=1.0).contains(&found);
    refuse_unless(fits, option, "a number from 0 to 1", &found.to_string())
}

/// A workload nobody judges would pass whatever the store does; so would one that is held to what it
/// cannot break, and one held to what nobody promised would never.
pub(crate) fn checkers(found: &[Promise], known: &[Promise]) -> Result<(), OptionsError> {
    refuse_unless(!found.is_empty(), "checkers", "one promise at least", "none")?;
    let known = || known.iter().chain(&Promise::OF_ANY);
    let strange = found.iter().find(|promise| !known().any(|it| it == *promise));
    let names: Vec<&str> = known().map(|promise| promise.name()).collect();
    let strange = strange.map_or("", |promise| promise.name());
    refuse_unless(strange.is_empty(), "checkers", &format!("any of {}", names.join(", ")), strange)
}

fn refuse_unless(
    fits: bool,
    option: &'static str,
    expected: &str,
    found: &str,
) -> Result<(), OptionsError> {
    if fits {
        return Ok(());
    }
    Err(OptionsError { option, expected: expected.to_owned(), found: found.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_option_what_it_may_be_and_what_it_is() {
        let said = |refused: Result<(), OptionsError>| refused.unwrap_err().to_string();
        assert_eq!(said(count("keys", 0, 9)), "keys: expected a number from 1 to 9, found 0");
        assert_eq!(
            said(ratio("read-ratio", 2.0)),
            "read-ratio: expected a number from 0 to 1, found 2"
        );
        assert_eq!(
            said(keyspace("a:b")),
            "keyspace: expected letters, digits and any of -_., found `a:b`"
        );
    }

    #[test]
    fn the_edges_fit_and_what_is_no_number_does_not() {
        assert_eq!(count("keys", 1, 9).and(count("keys", 9, 9)), Ok(()));
        assert_eq!(ratio("read-ratio", 0.0).and(ratio("read-ratio", 1.0)), Ok(()));
        assert!(ratio("read-ratio", f64::NAN).is_err());
        assert!(keyspace("").is_err() && count("keys", 10, 9).is_err());
        assert_eq!(keyspace("accounts-2"), Ok(()));
    }
}
