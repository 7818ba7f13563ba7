//! All randomness of a run, from one number.
//!
//! Each part that must choose (a workload, the nemesis, the placement of clients) draws from a stream
//! of its own, found by name. Streams are independent: adding a draw to one shifts no other, so a
//! seed that showed a bug yesterday still shows it after the nemesis learnt a new fault.
//!
//! Shape: the run's seed keys a ChaCha8 generator; the XXH3 hash of the name selects its stream (the
//! 64-bit nonce). Both are frozen by a test, since a recorded seed must replay in later versions.
//! Source: Bernstein, "ChaCha, a variant of Salsa20", 2008, for streams of one key.

use std::fmt;
use std::str::FromStr;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The number from which every choice of a run follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream of this name, from its beginning. Names are paths: `workload/register`, `nemesis`.
    pub fn stream(self, name: &str) -> ChaCha8Rng {
        let mut stream = ChaCha8Rng::seed_from_u64(self.0);
        stream.set_stream(xxh3_64(name.as_bytes()));
        stream
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Seed, Self::Err> {
        text.parse().map(Seed)
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    fn draws(seed: u64, name: &str) -> [u64; 3] {
        let mut stream = Seed(seed).stream(name);
        [stream.next_u64(), stream.next_u64(), stream.next_u64()]
    }

    #[test]
    fn a_stream_begins_in_every_version_with_the_same_draws() {
        let first =
            [13_834_062_673_150_406_086, 8_380_960_815_113_384_648, 16_774_836_176_124_759_888];
        assert_eq!(draws(7, "workload/register"), first);
    }

    #[test]
    fn streams_of_other_names_and_of_other_seeds_differ() {
        let register = draws(7, "workload/register");
        assert_eq!(register, draws(7, "workload/register"));
        assert_ne!(register, draws(7, "workload/set"));
        assert_ne!(register, draws(8, "workload/register"));
    }

    #[test]
    fn a_seed_reads_back_as_it_prints() {
        let seed = Seed(u64::MAX);
        assert_eq!(seed.to_string().parse(), Ok(seed));
        assert!("-1".parse::<Seed>().is_err());
    }
}
