//! The leaves of every tree: keys that are neighbours on the ring.
//!
//! A key falls into the bucket that the first 16 bits of its token name, and lies on disk among the
//! keys of its bucket ([`layout`](crate::layout)). So the keys of a bucket are one short range of
//! the engine, and so are those of any arc of the ring, but for the buckets at its two ends.
//!
//! Why 65,536: of a million keys a bucket holds fifteen, so that a lone difference costs the names
//! of fifteen keys; of a hundred million it would hold 1,500, which still fit one page or three.

use crate::ring::Token;

/// Keys whose tokens begin with the same 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(pub u16);

impl Bucket {
    /// How many there are.
    pub const COUNT: usize = 1 << u16::BITS;

    /// The bucket of `key`.
    pub fn of(key: &[u8]) -> Bucket {
        Bucket::at(Token::of(key))
    }

    /// The bucket of all keys at `token`.
    pub fn at(token: Token) -> Bucket {
        Bucket((token.0 >> (u64::BITS - u16::BITS)) as u16)
    }
}
