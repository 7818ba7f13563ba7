//! The name of a node, as cheap to pass around as a number.
//!
//! Names are cut from a small alphabet, so that they can stand unescaped in versions, file names and
//! lists (`n1,n2,n3`), and so that no two lists of names print alike.

use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

/// The name of a node, unique in its cluster; ordered as text. Names of up to 23 bytes lie in it, and a
/// clone copies them; it shares longer ones.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(SmolStr);

impl NodeId {
    /// Longest name, in bytes. A length fits one byte on the wire.
    pub const LEN_MAX: usize = 64;

    /// A node's name: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub fn new(name: &str) -> Result<NodeId, NameError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match name.len() {
            1..=Self::LEN_MAX if name.bytes().all(plain) => Ok(NodeId(name.into())),
            _ => Err(NameError { name: name.chars().take(2 * Self::LEN_MAX).collect() }),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeId {
    type Err = NameError;

    fn from_str(name: &str) -> Result<NodeId, NameError> {
        NodeId::new(name)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot be a node's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node's name is 1 to 64 of `a-z A-Z 0-9 . _ -`, not {name:?}")]
pub struct NameError {
    /// The text, cut short if it is very long.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_need_escaping_is_refused() {
        for name in ["", "n1,n2", "n/1", "n 1", "n\n", "ñ", &"n".repeat(65)] {
            assert!(NodeId::new(name).is_err(), "{name:?} was taken");
        }
        for name in ["n1", "db-7.eu_west", &"n".repeat(64)] {
            assert_eq!(NodeId::new(name).map(|id| id.to_string()), Ok(name.to_owned()));
        }
    }
}
