//! A position on the circle of 2^64.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// A position on the circle of 2^64: `xxh3_64` with seed 0 of a key, or of a virtual node's name.
///
/// Nodes of different releases and machines must agree on it, so it is never `std::hash`, whose
/// function may change between releases. Xxh3 is no cryptographic hash: a client who chooses keys
/// with care can crowd one arc. We accept that, for 3 ns a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

impl Token {
    /// Where `key` stands.
    pub fn of(key: &[u8]) -> Token {
        Token(xxh3_64(key))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_same_in_every_release() {
        assert_eq!(Token::of(b"").to_string(), "2d06800538d394c2");
        assert_eq!(Token::of(b"accounts:1").to_string(), "f2f9b66e661082c0");
    }
}
