//! Where chance comes from: a fast stream, and ranks that follow Zipf's law.
//!
//! Draws must cost nothing beside a read from memory, and must be the same for every engine.
//!
//! Source: Steele et al., "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014
//! (SplitMix64); Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD
//! 1994, §3.2 (the ranks); Cooper et al., SoCC 2010, §5.2 (scattering them over the keys).

/// A stream of uniform draws.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Equal seeds give equal streams.
    pub(crate) fn new(seed: u64) -> Random {
        Random(mix(seed))
    }

    /// 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number less than `bound`: by the high half of a product, without a division.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// At least 0, less than 1.
    fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Numbers less than `n`, of which few are drawn often: the `i`-th most frequent with a probability
/// proportional to `1 / i^SKEW`. The frequent ones are scattered over the range.
#[derive(Clone, Debug)]
pub(crate) struct Zipfian {
    n: u64,
    /// The sum of `1 / i^SKEW` for `i` from 1 to `n`: makes probabilities of proportions.
    zeta: f64,
    /// Fits the curve so that rank 2 begins where the exact ranks 0 and 1 end.
    eta: f64,
}

/// YCSB's constant.
const SKEW: f64 = 0.99;

impl Zipfian {
    /// Costs `n` powers: to be made before the clock runs. *Requires* `n > 2`.
    pub(crate) fn new(n: u64) -> Zipfian {
        assert!(n > 2, "Zipf's law over {n} keys");
        let zeta = zeta(n);
        let eta = (1.0 - (2.0 / n as f64).powf(1.0 - SKEW)) / (1.0 - zeta_of_two() / zeta);
        Zipfian { n, zeta, eta }
    }

    /// The next number.
    pub(crate) fn draw(&self, random: &mut Random) -> u64 {
        mix(self.rank(random)) % self.n
    }

    /// 0 for the most frequent.
    fn rank(&self, random: &mut Random) -> u64 {
        let u = random.fraction();
        let share = u * self.zeta;
        if share < 1.0 {
            return 0;
        }
        if share < zeta_of_two() {
            return 1;
        }
        let curve = (self.eta * u - self.eta + 1.0).powf(1.0 / (1.0 - SKEW));
        ((self.n as f64 * curve) as u64).min(self.n - 1)
    }
}

fn zeta(n: u64) -> f64 {
    (1..=n).map(|i| (i as f64).powf(-SKEW)).sum()
}

fn zeta_of_two() -> f64 {
    1.0 + 0.5f64.powf(SKEW)
}

/// SplitMix64's finalizer: a bijection without pattern.
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Random, Zipfian, zeta};

    #[test]
    fn equal_seeds_give_equal_streams_within_their_bound() {
        let (mut one, mut other) = (Random::new(7), Random::new(7));
        let draws: Vec<u64> = (0..1000).map(|_| one.below(10)).collect();
        assert_eq!(draws, (0..1000).map(|_| other.below(10)).collect::<Vec<_>>());
        assert!((0..10).all(|number| draws.contains(&number)));
        assert!(draws.iter().all(|&draw| draw < 10));
    }

    #[test]
    fn the_most_frequent_ranks_have_the_share_that_zipf_gives_them() {
        let (n, draws) = (1000, 200_000);
        let (zipfian, mut random) = (Zipfian::new(n), Random::new(1));
        let mut counts = vec![0u32; n as usize];
        (0..draws).for_each(|_| counts[zipfian.rank(&mut random) as usize] += 1);
        // The first two are exact; the rest is Gray's approximation.
        for (rank, tolerance) in [(0, 0.05), (1, 0.05), (9, 0.25), (99, 0.25)] {
            let expected = f64::from(draws) * ((rank + 1) as f64).powf(-0.99) / zeta(n);
            let off = (f64::from(counts[rank]) - expected).abs() / expected;
            assert!(off < tolerance, "rank {rank}: {} for {expected}", counts[rank]);
        }
    }
}
