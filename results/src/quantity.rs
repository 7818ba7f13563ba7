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

/// `text` with its spaces made such that no line ends at them.
pub(crate) fn together(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// `text` with the groups of each number kept on one line: `1 501 operations` as [`count`] has it.
pub(crate) fn regrouped(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut within = false;
    for word in text.split_inclusive(' ') {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        if within && digits == 3 {
            words.pop();
            words.push(NARROW);
        }
        let alone = digits > 0 && word.len() == digits + 1 && word.ends_with(' ');
        within = alone && if within { digits == 3 } else { digits <= 3 };
        words.push_str(word);
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

/// Nanoseconds as milliseconds: `0.412`. Cut, not rounded, as the checkers' explanations are, so
/// that prose, table and picture say the same of one moment.
pub(crate) fn milliseconds(nanoseconds: u64) -> String {
    let microseconds = nanoseconds / 1_000;
    format!("{}.{:03}", microseconds / 1_000, microseconds % 1_000)
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
    fn a_number_in_groups_stays_one_word() {
        let marked = |text| regrouped(text).replace(NARROW, "_");
        assert_eq!(marked("16 keys, 1 501 operations: 7"), "16 keys, 1_501 operations: 7");
        assert_eq!(marked("2 627 elements: 1 000 007"), "2_627 elements: 1_000_007");
        assert_eq!(marked("1 1501 12, 345 then 12 34"), "1 1501 12, 345 then 12 34");
        assert_eq!(marked(""), "");
    }

    #[test]
    fn times_are_told_in_the_unit_one_would_say() {
        let plain = |number| microseconds(number).replace(NARROW, " ");
        assert_eq!(plain(412), "412 µs");
        assert_eq!(plain(1_240), "1.24 ms");
        assert_eq!(plain(12_400), "12.4 ms");
        assert_eq!(plain(124_000), "124 ms");
        assert_eq!(plain(2_500_000), "2.50 s");
        assert_eq!(milliseconds(1_238_109_999), "1238.109");
        assert_eq!(milliseconds(41_999), "0.041");
        assert_eq!(duration(38_400).replace(NARROW, " "), "38.4 s");
        assert_eq!(duration(602_000).replace(NARROW, " "), "10 min 2 s");
        assert_eq!(rate(0.42), "0.4");
    }
}
