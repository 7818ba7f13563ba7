//! Plain text for a terminal: paragraphs wrapped, columns aligned, colours where they are wanted.

use std::fmt::Write as _;

use checker::Verdict;

/// Width of what is printed.
pub(crate) const COLUMNS: usize = 100;

/// Whether a text may carry colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Letters only: for files, pipes and `NO_COLOR`.
    Plain,
    /// With ANSI escapes: for a terminal.
    Ansi,
}

impl Paint {
    /// `text` in bold.
    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// `text`, stepping back.
    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// `text` in bold and in the colour of `verdict`.
    pub(crate) fn verdict(self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Valid => "1;32",
            Verdict::Unknown => "1;33",
            Verdict::Invalid => "1;31",
        };
        self.with(code, text)
    }

    fn with(self, code: &str, text: &str) -> String {
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Ansi => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// `text` in lines of at most [`COLUMNS`], the first behind `first`, the others behind as many
/// spaces. A word longer than a line has a line of its own; a number in groups stays one word.
pub(crate) fn wrap(first: &str, text: &str) -> String {
    let indent = first.chars().count();
    let mut lines = first.to_owned();
    let mut column = indent;
    for word in text.split_ascii_whitespace() {
        let width = word.chars().count();
        if column > indent && column + 1 + width > COLUMNS {
            write!(lines, "\n{:indent$}", "").expect("in memory");
            column = indent;
        }
        if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width;
    }
    lines.push('\n');
    lines
}

/// `rows` with their columns aligned, each line behind `indent`. A column of nothing is left out.
pub(crate) fn table<const N: usize>(indent: &str, rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut lines = String::new();
    for row in rows {
        let mut line = indent.to_owned();
        for (cell, width) in row.iter().zip(widths) {
            if width > 0 {
                write!(line, "{cell:width$}  ").expect("in memory");
            }
        }
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

/// `text` without what a terminal would obey: what a store replies must not move the cursor.
pub(crate) fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_before_the_last_column_and_keep_their_indent() {
        let text = "word ".repeat(60) + &"x".repeat(120);
        let wrapped = wrap("  because ", &text);
        let lines: Vec<_> = wrapped.lines().collect();
        assert!(lines[0].starts_with("  because word"), "{wrapped}");
        assert!(lines[1].starts_with("          word"), "{wrapped}");
        let long: Vec<_> = lines.iter().filter(|line| line.len() > COLUMNS).collect();
        assert_eq!(long.len(), 1, "only the word that is longer itself: {wrapped}");
        assert_eq!(wrapped.split_whitespace().count(), 62);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| ["", a, b].map(str::to_owned);
        let table = table(" ", &[row("a", "b"), row("wider →", "")]);
        assert_eq!(table, " a        b\n wider →\n");
    }

    #[test]
    fn colours_are_only_where_they_are_wanted() {
        assert_eq!(Paint::Plain.verdict(Verdict::Invalid, "no"), "no");
        assert_eq!(Paint::Ansi.verdict(Verdict::Invalid, "no"), "\u{1b}[1;31mno\u{1b}[0m");
        assert_eq!(tame("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }
}
