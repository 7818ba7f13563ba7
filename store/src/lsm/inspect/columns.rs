//! Rows of words under one another.

/// On which side a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A row of cells, or a line that goes through them all.
#[derive(Debug)]
pub(super) enum Row {
    Cells(Vec<String>),
    /// Set in as far as this, in columns.
    Line(usize, String),
}

/// The rows as lines, each set in by two; columns are two apart.
pub(super) fn align(sides: &[Side], rows: &[Row]) -> String {
    let widths = widths(sides.len(), rows);
    let mut out = String::new();
    for row in rows {
        let line = match row {
            Row::Cells(cells) => cells_line(sides, &widths, cells),
            Row::Line(column, text) => {
                let before: usize = widths[..*column].iter().map(|width| width + 2).sum();
                format!("{:before$}{text}", "")
            }
        };
        out.push_str(format!("  {line}").trim_end());
        out.push('\n');
    }
    out
}

fn widths(columns: usize, rows: &[Row]) -> Vec<usize> {
    let mut widths = vec![0; columns];
    for row in rows {
        let Row::Cells(cells) = row else { continue };
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}

fn cells_line(sides: &[Side], widths: &[usize], cells: &[String]) -> String {
    let padded = cells.iter().zip(sides).zip(widths).map(|((cell, side), &width)| match side {
        Side::Left => format!("{cell:<width$}"),
        Side::Right => format!("{cell:>width$}"),
    });
    padded.collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell() {
        let row = |cells: [&str; 2]| Row::Cells(cells.map(str::to_owned).to_vec());
        let rows = [row(["key", "size"]), row(["a", "10 B"]), Row::Line(1, "!".to_owned())];
        assert_eq!(
            align(&[Side::Left, Side::Right], &rows),
            "  key  size\n  a    10 B\n       !\n"
        );
    }
}
