//! What one load took of one system, and the middle of several rounds of it.

use hdrhistogram::Histogram;

/// What one load took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figures {
    /// Operations a second.
    pub(crate) rate: f64,
    /// Microseconds that half of the operations stayed below.
    pub(crate) p50: f64,
    /// The same of 99 in 100.
    pub(crate) p99: f64,
    /// The same of 999 in 1000, where it was measured.
    pub(crate) p999: Option<f64>,
    /// Microseconds of processor time the servers took for each operation, where it was measured.
    pub(crate) server_micros: Option<f64>,
    /// The same of who asked them.
    pub(crate) client_micros: Option<f64>,
}

impl Figures {
    /// Of latencies in nanoseconds, of operations answered within so many seconds.
    pub(crate) fn of(latencies: &Histogram<u64>, seconds: f64) -> Figures {
        let micros = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        Figures {
            rate: latencies.len() as f64 / seconds,
            p50: micros(0.5),
            p99: micros(0.99),
            p999: Some(micros(0.999)),
            server_micros: None,
            client_micros: None,
        }
    }

    /// Each figure's median, for itself; none where there are none.
    pub(crate) fn median(rounds: &[Figures]) -> Option<Figures> {
        let of = |figure: fn(&Figures) -> Option<f64>| {
            median(rounds.iter().filter_map(figure).collect())
        };
        Some(Figures {
            rate: of(|figures| Some(figures.rate))?,
            p50: of(|figures| Some(figures.p50))?,
            p99: of(|figures| Some(figures.p99))?,
            p999: of(|figures| figures.p999),
            server_micros: of(|figures| figures.server_micros),
            client_micros: of(|figures| figures.client_micros),
        })
    }
}

/// The middle one; of an even number, between the two.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = numbers.get(numbers.len() / 2)?;
    let lower = numbers[(numbers.len() - 1) / 2];
    Some(f64::midpoint(lower, *upper))
}

#[cfg(test)]
impl Figures {
    /// A rate, and latencies that rhyme with it.
    pub(crate) fn example(rate: f64) -> Figures {
        let p50 = 1e6 / rate;
        Figures {
            rate,
            p50,
            p99: p50 * 2.0,
            p999: Some(p50 * 10.0),
            server_micros: Some(p50 / 2.0),
            client_micros: Some(p50 / 4.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 9.0, 2.0]), Some(3.0));
    }

    #[test]
    fn each_figure_has_a_median_of_its_own() {
        let quick = Figures { rate: 9.0, p50: 2.0, p999: None, ..Figures::example(10.0) };
        let slow = Figures { rate: 1.0, p50: 1.0, p999: None, ..Figures::example(10.0) };
        let usual = Figures { rate: 5.0, p50: 7.0, p999: None, ..Figures::example(10.0) };
        let median = Figures::median(&[quick, slow, usual]).unwrap();
        assert_eq!((median.rate, median.p50, median.p999), (5.0, 2.0, None));
        assert_eq!(Figures::median(&[]), None);
    }

    #[test]
    fn a_histogram_is_told_in_microseconds() {
        let mut latencies = Histogram::new(3).unwrap();
        (1..=1000).for_each(|micros| latencies.record(micros * 1000).unwrap());
        let figures = Figures::of(&latencies, 2.0);
        assert!((figures.rate - 500.0).abs() < 1e-9);
        let near = |told: f64, micros: f64| (told / micros - 1.0).abs() < 0.002;
        assert!(near(figures.p50, 500.0) && near(figures.p99, 990.0), "{figures:?}");
        assert!(figures.p999.is_some_and(|told| near(told, 999.0)), "{figures:?}");
    }
}
