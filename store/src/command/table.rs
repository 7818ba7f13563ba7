//! Every command's name and how many arguments it takes.
//!
//! Source: the `COMMAND` tables of Redis 7; arity counts the name itself.

use std::ops::RangeInclusive;

/// The largest count of arguments, for commands that take any number.
const MANY: usize = usize::MAX;

/// One row: the name in lower case, and how many arguments follow it.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) arguments: RangeInclusive<usize>,
}

const fn row(name: &'static str, least: usize, most: usize) -> Row {
    Row { name, arguments: least..=most }
}

/// In alphabetical order.
static ROWS: [Row; 24] = [
    row("auth", 1, 2),
    row("client", 1, MANY),
    row("command", 0, MANY),
    row("config", 1, MANY),
    row("dbsize", 0, 0),
    row("del", 1, MANY),
    row("echo", 1, 1),
    row("exists", 1, MANY),
    row("get", 1, 1),
    row("hello", 0, MANY),
    row("info", 0, MANY),
    row("kv.del", 1, MANY),
    row("kv.get", 1, MANY),
    row("kv.put", 2, MANY),
    row("kv.repair", 0, 1),
    row("kv.replica", 1, 1),
    row("kv.roots", 0, 0),
    row("mget", 1, MANY),
    row("mset", 2, MANY),
    row("ping", 0, 1),
    row("quit", 0, MANY),
    row("reset", 0, 0),
    row("select", 1, 1),
    row("set", 2, MANY),
];

/// The row of `name`, however it is cased.
pub(super) fn find(name: &[u8]) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
}

/// The names of all commands, in alphabetical order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ascend_in_lower_case() {
        assert!(names().is_sorted());
        assert!(names().all(|name| name == name.to_ascii_lowercase()));
    }
}
