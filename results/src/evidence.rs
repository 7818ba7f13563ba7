//! What was measured of a fault, as people say it: the sums first, then what they are made of.
//!
//! ```text
//! {"by link":{"n1 → n3":17,"n1 → n4":13},"packets dropped":30}
//!
//! packets dropped 30
//! by link: n1 → n3 17, n1 → n4 13
//! ```
//!
//! The nemesis may note whatever it likes; nothing here knows a name. Numbers come before words, and
//! what is nested is a part.

use checker::Note;
use serde_json::Value;

use crate::quantity;

/// Parts of one sum that are spelled out; the rest is counted. Four nodes have twelve links.
const PARTS_SHOWN: usize = 12;

/// Evidence in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// What matters: `packets dropped 30`. Never empty.
    pub(crate) head: String,
    /// What it is made of: `by link: n1 → n3 17, n1 → n4 13`. Often empty.
    pub(crate) parts: String,
}

impl Evidence {
    /// What `note` says.
    pub(crate) fn of(note: &Note) -> Evidence {
        let (mut numbers, mut texts, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in note {
            match value {
                Value::Number(_) => numbers.push(format!("{name} {}", words(value))),
                Value::Object(_) | Value::Array(_) => {
                    parts.push(format!("{name}: {}", words(value)));
                }
                _ => texts.push(format!("{name}: {}", words(value))),
            }
        }
        numbers.append(&mut texts);
        let (head, parts) = (numbers.join(", "), parts.join("; "));
        match (head.is_empty(), parts.is_empty()) {
            (true, true) => Evidence { head: "no evidence".to_owned(), parts },
            (true, false) => Evidence { head: parts, parts: head },
            (false, _) => Evidence { head, parts },
        }
    }
}

/// A value in words; names and numbers of a part are not torn apart at the end of a line.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => {
            number.as_u64().map_or_else(|| number.to_string(), quantity::count)
        }
        Value::String(text) => text.clone(),
        Value::Array(each) => enumerated(each.iter().map(words)),
        Value::Object(each) => {
            let part = |(name, value): (&String, &Value)| match value {
                Value::Object(_) | Value::Array(_) => format!("{name} ({})", words(value)),
                _ => quantity::together(&format!("{name} {}", words(value))),
            };
            enumerated(each.iter().map(part))
        }
    }
}

fn enumerated(parts: impl ExactSizeIterator<Item = String>) -> String {
    let left_away = parts.len().saturating_sub(PARTS_SHOWN);
    let mut shown: Vec<String> = parts.take(PARTS_SHOWN).collect();
    if left_away > 0 {
        shown.push(format!("… {left_away} more"));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Head and parts, with ordinary spaces.
    fn told(note: Value) -> [String; 2] {
        let evidence = Evidence::of(&serde_json::from_value(note).unwrap());
        [evidence.head, evidence.parts].map(|text| text.replace(['\u{a0}', '\u{202f}'], " "))
    }

    #[test]
    fn the_sum_comes_before_its_parts() {
        let note = json!({"by link": {"n1 → n3": 17, "n1 → n4": 1300}, "packets dropped": 1317});
        assert_eq!(told(note), ["packets dropped 1 317", "by link: n1 → n3 17, n1 → n4 1 300"]);
    }

    #[test]
    fn numbers_come_before_words() {
        let note = json!({"exit": "was killed by signal 9 (SIGKILL)", "pid": 17, "clean": false});
        assert_eq!(told(note), ["pid 17, clean: no, exit: was killed by signal 9 (SIGKILL)", ""]);
    }

    #[test]
    fn a_part_keeps_to_one_line() {
        let note = json!({"by link": {"n1 → n3": 17}});
        let evidence = Evidence::of(&serde_json::from_value(note).unwrap());
        assert_eq!(evidence.head, "by link: n1\u{a0}→\u{a0}n3\u{a0}17");
        assert_eq!(evidence.parts, "", "parts without a sum are what there is to say");
    }

    #[test]
    fn nothing_nested_is_shown_as_json() {
        let note = json!({"a": {"b": {"c": [1, "two", null]}, "d": true}, "e": -1.5});
        assert_eq!(told(note), ["e -1.5", "a: b (c (1, two, nothing)), d yes"]);
        assert_eq!(told(json!({})), ["no evidence", ""]);
    }

    #[test]
    fn parts_beyond_a_dozen_are_counted() {
        let links: serde_json::Map<_, _> =
            (0..20).map(|link| (format!("{link:02}"), json!(1))).collect();
        let [_, parts] = told(json!({"by link": links, "packets dropped": 20}));
        assert!(parts.ends_with("10 1, 11 1, … 8 more"), "{parts}");
    }
}
