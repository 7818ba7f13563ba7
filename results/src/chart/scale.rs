//! From a number of the data to a place on the page, and the numbers worth writing on an axis.

/// A straight scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Linear {
    /// What the numbers span. Never empty.
    domain: (f64, f64),
    /// Where its ends are drawn.
    range: (f64, f64),
}

/// A scale on which equal factors are equally far apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Log {
    exponents: Linear,
}

impl Linear {
    /// Draws `domain` onto `range`; an empty domain is widened by one.
    pub(super) fn new(domain: (f64, f64), range: (f64, f64)) -> Linear {
        let domain = if domain.1 > domain.0 { domain } else { (domain.0, domain.0 + 1.0) };
        Linear { domain, range }
    }

    /// Where `value` is drawn.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value - self.domain.0) / (self.domain.1 - self.domain.0);
        self.range.0 + share * (self.range.1 - self.range.0)
    }

    /// About `wanted` numbers within the domain, a 1, 2 or 5 of some power of ten apart.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<f64> {
        let step = nice((self.domain.1 - self.domain.0) / wanted as f64);
        let first = (self.domain.0 / step).ceil() as i64;
        let last = (self.domain.1 / step + 1e-9).floor() as i64;
        (first..=last).map(|multiple| multiple as f64 * step).collect()
    }
}

impl Log {
    /// Draws whole powers of ten around `domain` onto `range`. *Requires* a positive domain.
    pub(super) fn new(domain: (f64, f64), range: (f64, f64)) -> Log {
        let low = domain.0.log10().floor();
        let high = domain.1.log10().ceil().max(low + 1.0);
        Log { exponents: Linear::new((low, high), range) }
    }

    /// Where `value` is drawn.
    pub(super) fn at(&self, value: f64) -> f64 {
        self.exponents.at(value.log10())
    }

    /// The powers of ten within.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let (low, high) = self.exponents.domain;
        (low as i32..=high as i32).map(|exponent| 10_f64.powi(exponent)).collect()
    }
}

/// The least 1, 2 or 5 of a power of ten that is not below `rough`.
pub(super) fn nice(rough: f64) -> f64 {
    let magnitude = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let least = steps.into_iter().find(|step| step * magnitude >= rough * (1.0 - 1e-9));
    least.unwrap_or(10.0) * magnitude
}

/// A tick without needless decimals: `0.5`, `12`.
pub(super) fn label(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    format!("{rounded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_go_to_ends() {
        let scale = Linear::new((10.0, 20.0), (100.0, 0.0));
        assert!((scale.at(10.0) - 100.0).abs() < 1e-9);
        assert!((scale.at(20.0)).abs() < 1e-9);
        assert!((scale.at(15.0) - 50.0).abs() < 1e-9);
        assert!(Linear::new((3.0, 3.0), (0.0, 1.0)).at(3.0).is_finite());
    }

    #[test]
    fn ticks_are_numbers_one_can_say() {
        let ticks = |high, wanted| {
            let ticks = Linear::new((0.0, high), (0.0, 1.0)).ticks(wanted);
            ticks.into_iter().map(label).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ticks(38.2, 8), "0 5 10 15 20 25 30 35");
        assert_eq!(ticks(1.0, 5), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(ticks(0.03, 3), "0 0.01 0.02 0.03");
        assert_eq!(ticks(700.0, 4), "0 200 400 600");
    }

    #[test]
    fn a_log_scale_begins_and_ends_at_powers_of_ten() {
        let scale = Log::new((0.3, 45.0), (300.0, 0.0));
        assert_eq!(
            scale.ticks().into_iter().map(label).collect::<Vec<_>>(),
            ["0.1", "1", "10", "100"]
        );
        assert!((scale.at(0.1) - 300.0).abs() < 1e-9);
        assert!((scale.at(10.0) - 100.0).abs() < 1e-9);
    }
}
