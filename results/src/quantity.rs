//! How numbers are put into words: counts in groups of three, times in the unit one would say.

/// A space that never breaks a line, so that a number stays one word.
const NARROW: char = '\u{202f}';

/// `30 512`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut words = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            words.push(NARROW);
        }
        words.push(digit);
    }
    words
}

/// `1 operation`, `3 operations`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// Microseconds as `412 µs`, `1.24 ms`, `2.50 s`.
pub(crate) fn microseconds(number: u64) -> String {
    let (amount, unit) = match number {
        0..1_000 => return format!("{number}{NARROW}µs"),
        1_000..1_000_000 => (number as f64 / 1e3, "ms"),
        _ => (number as f64 / 1e6, "s"),
    };
    let decimals = if amount < 10.0 { 2 } else { usize::from(amount < 100.0) };
    format!("{amount:.decimals$}{NARROW}{unit}")
}

/// Nanoseconds since the run began as seconds: `12.345`.
pub(crate) fn seconds(nanoseconds: u64) -> String {
    format!("{:.3}", nanoseconds as f64 / 1e9)
}

/// Nanoseconds as milliseconds: `0.412`.
pub(crate) fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.3}", nanoseconds as f64 / 1e6)
}

/// Milliseconds of a whole run: `38.4 s`, `10 min 2 s`.
pub(crate) fn duration(milliseconds: u64) -> String {
    if milliseconds < 60_000 {
        return format!("{:.1}{NARROW}s", milliseconds as f64 / 1e3);
    }
    let seconds = milliseconds / 1000;
    format!("{}{NARROW}min {}{NARROW}s", seconds / 60, seconds % 60)
}

/// A rate: `812`, and `0.4` where whole numbers would say nothing.
pub(crate) fn rate(number: f64) -> String {
    if number < 10.0 { format!("{number:.1}") } else { count(number.round() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_three() {
        let plain = |number| count(number).replace(NARROW, " ");
        assert_eq!(plain(0), "0");
        assert_eq!(plain(999), "999");
        assert_eq!(plain(1_000), "1 000");
        assert_eq!(plain(30_512_007), "30 512 007");
        assert_eq!(counted(1, "fault"), "1 fault");
        assert_eq!(counted(0, "fault"), "0 faults");
    }

    #[test]
    fn times_are_told_in_the_unit_one_would_say() {
        let plain = |number| microseconds(number).replace(NARROW, " ");
        assert_eq!(plain(412), "412 µs");
        assert_eq!(plain(1_240), "1.24 ms");
        assert_eq!(plain(12_400), "12.4 ms");
        assert_eq!(plain(124_000), "124 ms");
        assert_eq!(plain(2_500_000), "2.50 s");
        assert_eq!(duration(38_400).replace(NARROW, " "), "38.4 s");
        assert_eq!(duration(602_000).replace(NARROW, " "), "10 min 2 s");
        assert_eq!(rate(0.42), "0.4");
    }
}
