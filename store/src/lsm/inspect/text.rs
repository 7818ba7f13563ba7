//! What was found, for people: from the manifest over the levels to the log, and what follows from it.

use std::fmt::{self, Display, Formatter};
use std::ops::Bound;

use bytes::Bytes;

use super::columns::{Row, Side, align};
use super::{
    Facts, Inspection, Keys, Owner, Problem, SegmentSummary, Start, TableSummary, Verification,
};
use crate::engine::EngineError;

/// A key is shown up to so many characters.
const KEY_CHARS_MAX: usize = 32;

impl Display for Inspection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        writeln!(f, "{}", counted(self.files as u64, "file", "files"))?;
        match self.owner {
            Owner::Nobody => {}
            Owner::Another => {
                writeln!(f, "in use: another process has it, and may change it while it is read")?;
            }
            Owner::Unknown => writeln!(f, "the lock cannot be tried: it may be in use")?,
        }
        self.manifest_text(f)?;
        self.tables_text(f)?;
        self.log_text(f)?;
        self.rest_text(f)?;
        write!(f, "\n{}", self.verdict())
    }
}

impl Inspection {
    fn manifest_text(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.manifest {
            Ok(Some(manifest)) => {
                let tables = counted(self.tables.len() as u64, "table", "tables");
                let (bytes, log, next) =
                    (size(manifest.bytes), manifest.oldest_log, manifest.next_table);
                writeln!(f, "\nMANIFEST  {bytes}: {tables}, the log from segment {log} on")?;
                writeln!(f, "  the next table will be {next}")
            }
            Ok(None) => writeln!(f, "\nMANIFEST  none yet"),
            Err(error) => {
                writeln!(f, "\nMANIFEST")?;
                writeln!(f, "  ! {}", reason(error))?;
                writeln!(f, "  what follows is what lies there: nobody knows which of it counts")
            }
        }
    }

    fn tables_text(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.tables.is_empty() {
            return writeln!(f, "\nTABLES  none");
        }
        let order = if matches!(self.manifest, Ok(Some(_))) {
            "in the order in which a read asks them"
        } else {
            "those with the highest number first"
        };
        writeln!(f, "\nTABLES  {order}")?;
        let heads = ["level", "table", "entries", "removed", "size", "first key", "last key"];
        let mut rows = vec![Row::Cells(heads.map(str::to_owned).to_vec())];
        let mut before = None;
        for table in &self.tables {
            let is_first = before != Some(table.level);
            before = Some(table.level);
            rows.extend(table_rows(table, is_first));
        }
        rows.push(sum_of(&self.tables));
        let right = Side::Right;
        write!(f, "{}", align(&[right, right, right, right, right, Side::Left, Side::Left], &rows))
    }

    fn log_text(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return writeln!(f, "\nLOG  none");
        }
        let known = matches!(self.manifest, Ok(Some(_)));
        let about =
            if known { "newer than all tables: a start replays it" } else { "oldest first" };
        writeln!(f, "\nLOG  {about}")?;
        let heads = ["segment", "sequences", "records", "entries", "size", ""];
        let mut rows = vec![Row::Cells(heads.map(str::to_owned).to_vec())];
        for segment in &self.segments {
            rows.extend(self.segment_rows(segment));
        }
        let right = Side::Right;
        write!(f, "{}", align(&[right, right, right, right, right, Side::Left], &rows))
    }

    fn segment_rows(&self, segment: &SegmentSummary) -> Vec<Row> {
        let mut cells = vec![segment.number.to_string()];
        match &segment.facts {
            Some(facts) => {
                let sequences = match facts.records() {
                    0 => "-".to_owned(),
                    _ => format!("{}..{}", facts.first_sequence, facts.next_sequence - 1),
                };
                cells.push(sequences);
                cells.push(grouped(facts.records()));
                cells.push(grouped(facts.entries));
                cells.push(size(facts.bytes));
            }
            None => cells.extend(std::iter::repeat_n("-".to_owned(), 4)),
        }
        cells.push(self.segment_state(segment));
        let row = Row::Cells(cells);
        let wrong = segment.damage.as_ref().map(|error| Row::Line(1, told(error)));
        std::iter::once(row).chain(wrong).collect()
    }

    fn segment_state(&self, segment: &SegmentSummary) -> String {
        let is_last = self.segments.last().is_some_and(|last| last.number == segment.number);
        match &segment.facts {
            _ if segment.is_missing => "missing".to_owned(),
            _ if segment.damage.is_some() => "damaged".to_owned(),
            _ if segment.is_dropped => {
                "after the tear, and never promised: a start removes it".to_owned()
            }
            None => "cut off while it was made: a start makes it anew".to_owned(),
            Some(facts) if facts.torn_bytes > 0 => {
                let (torn, at) = (size(facts.torn_bytes), facts.bytes);
                if self.owner == Owner::Another && is_last {
                    format!("being written: {torn} from byte {at} on are no whole record yet")
                } else {
                    format!("torn: {torn} from byte {at} on are no whole record, never promised")
                }
            }
            Some(facts) if self.is_torn_after(segment) => {
                format!("torn: what followed byte {} is lost, never promised", facts.bytes)
            }
            Some(_) => "whole".to_owned(),
        }
    }

    /// Whether it is the last that a start keeps, and others follow.
    fn is_torn_after(&self, segment: &SegmentSummary) -> bool {
        let next = self.segments.iter().find(|next| next.number > segment.number);
        next.is_some_and(|next| next.is_dropped)
    }

    fn rest_text(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.leftovers.is_empty() {
            writeln!(f, "\nLEFTOVERS  the next start removes them")?;
            let row = |name: &str, bytes: Option<u64>| {
                Row::Cells(vec![name.to_owned(), bytes.map_or("-".to_owned(), size)])
            };
            let rows: Vec<Row> = self.leftovers.iter().map(|it| row(&it.name, it.bytes)).collect();
            write!(f, "{}", align(&[Side::Left, Side::Right], &rows))?;
        }
        if !self.strangers.is_empty() {
            writeln!(f, "\nSTRANGERS  no files of an engine: they are left alone")?;
            for name in &self.strangers {
                writeln!(f, "  {}", name.escape_debug())?;
            }
        }
        Ok(())
    }

    /// What would come of a start, in a line.
    fn verdict(&self) -> String {
        match &self.start {
            Start::Fresh => "A start would begin an empty engine.".to_owned(),
            Start::InUse => {
                "In use: no other start succeeds until the process that has it ends.".to_owned()
            }
            Start::Succeeds => format!("A start would succeed{}.", self.housekeeping()),
            Start::Fails(error) => {
                let others = self.damage().count().saturating_sub(1);
                let more = match others {
                    0 => String::new(),
                    _ => format!(" (and {} more)", counted(others as u64, "problem", "problems")),
                };
                format!("A start would fail: {error}{more}")
            }
        }
    }

    /// What a start does first.
    fn housekeeping(&self) -> String {
        let anew = self.segments.iter().any(SegmentSummary::is_begun_only);
        let anew = anew.then(|| "make the last segment anew".to_owned());
        let left = self.leftovers.len() as u64;
        let left = (left > 0).then(|| format!("remove {}", counted(left, "leftover", "leftovers")));
        let held = self.damage().count() as u64;
        let held = (held > 0).then(|| {
            format!("hold {} for repair", counted(held, "damaged table", "damaged tables"))
        });
        let log = self.torn_off();
        let done: Vec<String> = [left, log, anew, held].into_iter().flatten().collect();
        if done.is_empty() { String::new() } else { format!("; it would {}", done.join(" and ")) }
    }

    /// What a start takes off the log, if that is torn.
    fn torn_off(&self) -> Option<String> {
        let kept = self.segments.iter().filter(|it| !it.is_dropped);
        let torn: u64 = kept.filter_map(|it| it.facts).map(|it| it.torn_bytes).sum();
        let dropped = self.segments.iter().filter(|it| it.is_dropped).count() as u64;
        let dropped = (dropped > 0)
            .then(|| format!("drop {} after the tear", counted(dropped, "segment", "segments")));
        let cut = (torn > 0).then(|| format!("cut {torn} torn bytes off the log"));
        let off: Vec<String> = [dropped, cut].into_iter().flatten().collect();
        (!off.is_empty()).then(|| off.join(" and "))
    }
}

fn table_rows(table: &TableSummary, is_first: bool) -> Vec<Row> {
    let level = table.level.map_or("?".to_owned(), |level| level.to_string());
    let mut cells = vec![if is_first { level } else { String::new() }, table.number.to_string()];
    match &table.facts {
        Some(Facts { bytes, entries, tombstones, smallest, largest }) => {
            cells.extend([grouped(*entries), grouped(*tombstones), size(*bytes)]);
            cells.extend([printable(smallest), printable(largest)]);
        }
        None => cells.extend(std::iter::repeat_n("-".to_owned(), 5)),
    }
    let row = Row::Cells(cells);
    let wrong = table.damage.as_ref().map(|error| Row::Line(1, told(error)));
    std::iter::once(row).chain(wrong).collect()
}

fn sum_of(tables: &[TableSummary]) -> Row {
    let facts = || tables.iter().filter_map(|table| table.facts.as_ref());
    Row::Cells(vec![
        "all".to_owned(),
        tables.len().to_string(),
        grouped(facts().map(|it| it.entries).sum()),
        grouped(facts().map(|it| it.tombstones).sum()),
        size(facts().map(|it| it.bytes).sum()),
        String::new(),
        String::new(),
    ])
}

impl Display for Verification {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        let tally = &self.tally;
        let tables = self.inspection.tables.len() as u64;
        writeln!(
            f,
            "read {} ({} sound): {}, {}; {} of the log",
            counted(tables, "table", "tables"),
            tally.tables,
            counted(tally.blocks, "sound block", "sound blocks"),
            counted(tally.entries, "entry", "entries"),
            counted(tally.records, "record", "records"),
        )?;
        let is_still = self.inspection.owner != Owner::Another;
        match (self.problems.len() as u64, self.inspection.torn_off().filter(|_| is_still)) {
            (0, Some(off)) => {
                write!(f, "Sound up to a tear: a start would {off}, which nothing calls synced.")
            }
            (0, None) => write!(f, "Sound: every byte read is as it was written."),
            _ if !self.is_damaged() => {
                write!(f, "Undecided: what could be read is sound, but not all could be.")
            }
            (found, _) => write!(f, "Damaged: {}.", counted(found, "problem", "problems")),
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        match &self.keys {
            Some(keys) => write!(f, "\n  keys {keys}"),
            None => Ok(()),
        }
    }
}

impl Display for Keys {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.from {
            Bound::Included(from) => write!(f, "from {}", printable(from))?,
            Bound::Excluded(after) => write!(f, "after {}", printable(after))?,
            Bound::Unbounded => write!(f, "from the first")?,
        }
        write!(f, " up to {}", printable(&self.to))
    }
}

/// A problem under the row of its file.
fn told(error: &EngineError) -> String {
    format!("! {}", reason(error))
}

/// An error without the file it speaks of.
fn reason(error: &EngineError) -> String {
    match error {
        EngineError::Damaged { offset, message, .. } => format!("byte {offset}: {message}"),
        EngineError::Io { action, message, .. } => format!("failed to {action} it: {message}"),
        other => other.to_string(),
    }
}

/// A key in quotes, its bytes escaped, cut where it is long.
fn printable(key: &Bytes) -> String {
    let escaped = key.escape_ascii().to_string();
    if escaped.len() <= KEY_CHARS_MAX {
        return format!("\"{escaped}\"");
    }
    // Escaped text is ASCII: it may be cut anywhere, but for the middle of an escape.
    let cut = &escaped[..KEY_CHARS_MAX];
    let whole = cut.rfind('\\').filter(|at| at + 4 > cut.len()).map_or(cut, |at| &cut[..at]);
    format!("\"{whole}\"… {} B", key.len())
}

/// A length as people say it: three digits are enough.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut value = bytes as f64;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match value {
        _ if unit == 0 => format!("{bytes} B"),
        ..9.995 => format!("{value:.2} {}", UNITS[unit]),
        ..99.95 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let said = [0, 999, 1000, 9994, 9996, 99_960, 999_499, 999_500, 68_719_476_736].map(size);
        let expected = [
            "0 B", "999 B", "1.00 KB", "9.99 KB", "10.0 KB", "100 KB", "999 KB", "1.00 MB",
            "68.7 GB",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([1, 999, 1000, 1_234_567].map(grouped), ["1", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn a_key_cannot_reach_the_terminal_and_is_never_cut_inside_an_escape() {
        let key = |bytes: &'static [u8]| printable(&Bytes::from_static(bytes));
        assert_eq!(key(b"a\x00\x1b[2J\"\n\xff"), r#""a\x00\x1b[2J\"\n\xff""#);
        let long = key(b"123456789012345678901234567890\x01\x02");
        assert_eq!(long, "\"123456789012345678901234567890\"… 32 B");
    }
}
