//! What is stored: pairs that are functions of their ordinal, so that nothing need be remembered.
//!
//! A key is 16 decimal digits, of an even number; the odd ones between them are absent, and a table
//! can tell so by its filter only. A value is half random and then the same again: a compressor
//! makes half of it.

use super::random::Random;

/// Pairs with values of one size.
pub(crate) struct Dataset {
    /// How many.
    pub(crate) keys: u64,
    /// Length of a value.
    pub(crate) value_bytes: usize,
    /// Values, one after the other.
    pool: Vec<u8>,
}

/// Length of a key.
pub(crate) const KEY_BYTES: usize = 16;

/// Enough that no compressor sees a value twice in a block.
const POOL_BYTES: usize = 4 << 20;

impl Dataset {
    /// *Requires* one key and values of 2 bytes at least.
    pub(crate) fn new(keys: u64, value_bytes: usize) -> Dataset {
        assert!(keys > 0 && value_bytes > 1, "{keys} keys, values of {value_bytes} bytes");
        let mut random = Random::new(0);
        let mut pool = Vec::with_capacity(POOL_BYTES);
        while pool.is_empty() || pool.len() + value_bytes <= POOL_BYTES {
            let start = pool.len();
            pool.extend((0..value_bytes.div_ceil(2)).map(|_| random.bits() as u8));
            pool.extend_from_within(start..start + value_bytes / 2);
        }
        Dataset { keys, value_bytes, pool }
    }

    /// The key of an ordinal; greater for a greater one.
    pub(crate) fn key(ordinal: u64) -> [u8; KEY_BYTES] {
        digits(2 * ordinal)
    }

    /// A key that is nobody's, just after that of `ordinal`.
    pub(crate) fn absent_key(ordinal: u64) -> [u8; KEY_BYTES] {
        digits(2 * ordinal + 1)
    }

    /// The value of an ordinal.
    pub(crate) fn value(&self, ordinal: u64) -> &[u8] {
        let slots = (self.pool.len() / self.value_bytes) as u64;
        let start = (ordinal % slots) as usize * self.value_bytes;
        &self.pool[start..start + self.value_bytes]
    }

    /// The `i`-th ordinal in an order without pattern, in which each comes once: steps of a
    /// bijection of the next power of two, until one is in range. A shuffled list would say the
    /// same, at four bytes a key.
    pub(crate) fn shuffled(&self, i: u64) -> u64 {
        let bits = (u64::BITS - (self.keys - 1).leading_zeros()).max(1);
        let mut ordinal = scramble(i, bits);
        while ordinal >= self.keys {
            ordinal = scramble(ordinal, bits);
        }
        ordinal
    }
}

/// A bijection of the numbers of so many bits: sums, odd factors and shifted sums can be undone.
fn scramble(number: u64, bits: u32) -> u64 {
    let mask = u64::MAX >> (u64::BITS - bits);
    [0x9e37_79b9_7f4a_7c15u64, 0xd1b5_4a32_d192_ed03, 0x8cb9_2ba7_2f3d_8dd7].iter().fold(
        number,
        |x, &odd| {
            let x = x.wrapping_add(odd >> 7).wrapping_mul(odd) & mask;
            x ^ (x >> (bits / 2).max(1))
        },
    )
}

fn digits(mut number: u64) -> [u8; KEY_BYTES] {
    let mut key = [b'0'; KEY_BYTES];
    for digit in key.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::{Dataset, POOL_BYTES};

    #[test]
    fn keys_ascend_with_their_ordinals_and_absent_ones_lie_between() {
        assert_eq!(&Dataset::key(21), b"0000000000000042");
        assert!(Dataset::key(9) < Dataset::absent_key(9));
        assert!(Dataset::absent_key(9) < Dataset::key(10));
    }

    #[test]
    fn shuffling_takes_every_ordinal_once_and_out_of_order() {
        for keys in [1, 2, 3, 5, 64, 1000, 4097] {
            let dataset = Dataset::new(keys, 100);
            let mut shuffled: Vec<u64> = (0..keys).map(|i| dataset.shuffled(i)).collect();
            let in_order = shuffled.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
            assert!(keys < 64 || in_order < keys as usize / 8, "{in_order} of {keys} in order");
            shuffled.sort_unstable();
            assert_eq!(shuffled, (0..keys).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_value_is_of_its_size_and_half_of_it_is_said_again() {
        for value_bytes in [2, 3, 100, 1024, POOL_BYTES + 1] {
            let dataset = Dataset::new(1_000_000, value_bytes);
            let value = dataset.value(999_999);
            assert_eq!(value.len(), value_bytes);
            let (first, again) = value.split_at(value_bytes.div_ceil(2));
            assert_eq!(&first[..again.len()], again);
        }
        let dataset = Dataset::new(10, 100);
        assert_ne!(dataset.value(0), dataset.value(1));
    }
}
