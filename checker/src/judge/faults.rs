//! Did every fault take effect, leave evidence, and end?
//!
//! A harness that injects nothing and says *valid* is worse than none. So a fault that never began,
//! never ended, or left no evidence makes a run `Unknown`; the store is never blamed for it.
//!
//! A fault that was called off, with its reason, is no such failure, as long as others of its kind
//! have bitten: the run shows what the suite is about, a little less often.

use std::collections::BTreeSet;

use crate::fault::FaultWindow;
use crate::finding::{Checker, Finding, Verdict};
use crate::history::History;
use crate::prose::count;

/// Judges whether the nemesis did what it says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    least: usize,
}

impl Faults {
    /// Every fault that was begun must show that it took effect, and end.
    pub fn new() -> Faults {
        Faults { least: 0 }
    }

    /// And there must be at least this many.
    #[must_use]
    pub fn at_least(self, least: usize) -> Faults {
        Faults { least }
    }
}

impl Checker for Faults {
    fn name(&self) -> &'static str {
        "faults"
    }

    fn check(&self, history: &History) -> Finding {
        let faults = history.faults();
        let bitten: BTreeSet<&str> =
            faults.iter().filter(|fault| fault.bit).map(|fault| fault.kind.as_str()).collect();
        let excused = |fault: &&FaultWindow| {
            fault.called_off().is_some() && bitten.contains(fault.kind.as_str())
        };
        let (off, due): (Vec<&FaultWindow>, Vec<&FaultWindow>) = faults.iter().partition(excused);
        let mut open: Vec<String> = due.iter().copied().filter_map(lack).collect();
        if faults.len() < self.least {
            let (found, least) = (faults.len(), self.least);
            open.push(format!("{found} applied where at least {least} were asked for"));
        }
        let sums = count(faults.len(), "fault");
        let (verdict, summary) = match open.as_slice() {
            [] if faults.is_empty() => {
                (Verdict::Valid, "no fault, and none was asked for".to_owned())
            }
            [] if off.is_empty() => {
                (Verdict::Valid, format!("{sums}: all took effect, left evidence and ended"))
            }
            [] => (
                Verdict::Valid,
                format!(
                    "{sums}: {} took effect, left evidence and ended, {} called off",
                    due.len(),
                    off.len()
                ),
            ),
            _ => (Verdict::Unknown, format!("{sums}: {}", open.join("; "))),
        };
        Finding {
            checker: self.name().to_owned(),
            keyspace: None,
            verdict,
            summary,
            anomalies: Vec::new(),
        }
    }
}

/// What a fault lacks to be believed.
fn lack(fault: &FaultWindow) -> Option<String> {
    let lack = match (fault.begin, fault.end, fault.bit) {
        (None, _, _) => match fault.called_off() {
            Some(why) => format!("was called off, and none of its kind took effect: {why}"),
            None => "never took effect".to_owned(),
        },
        (Some(_), None, _) => "never ended".to_owned(),
        (Some(_), Some(_), false) => "left no evidence that it took effect".to_owned(),
        (Some(_), Some(_), true) => return None,
    };
    let about = match (fault.kind.as_str(), fault.description.as_str()) {
        (kind, "") => kind.to_owned(),
        (kind, description) => format!("{kind} {description}"),
    };
    Some(format!("fault {} ({about}) {lack}", fault.fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(fault: u64, kind: &str, f: &str, more: &str) -> String {
        let value = format!("{{\"fault\":{fault},\"kind\":\"wipe\"{more}}}");
        format!(
            "{{\"time\":{fault},\"process\":\"nemesis\",\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}\n"
        )
    }

    fn struck(fault: u64, bit: bool) -> String {
        let more = format!(",\"bit\":{bit}");
        [("begin", ""), ("end", more.as_str())]
            .map(|(f, more)| event(fault, "info", f, more))
            .concat()
    }

    fn called_off(fault: u64) -> String {
        let why = ",\"evidence\":{\"called off\":\"n1 lags\"},\"bit\":false";
        event(fault, "invoke", "begin", "") + &event(fault, "info", "end", why)
    }

    fn judged(lines: &str) -> (Verdict, String) {
        let history = History::parse(lines.as_bytes()).unwrap();
        let finding = Faults::new().at_least(2).check(&history);
        (finding.verdict, finding.summary)
    }

    #[test]
    fn a_fault_called_off_is_excused_where_another_of_its_kind_has_bitten() {
        let (verdict, summary) = judged(&(struck(1, true) + &called_off(2)));
        assert_eq!(verdict, Verdict::Valid, "{summary}");
        assert_eq!(summary, "2 faults: 1 took effect, left evidence and ended, 1 called off");
    }

    #[test]
    fn a_kind_of_which_all_were_called_off_shows_nothing() {
        let (verdict, summary) = judged(&(called_off(1) + &called_off(2)));
        assert_eq!(verdict, Verdict::Unknown);
        assert!(summary.contains("none of its kind took effect: n1 lags"), "{summary}");
        assert_eq!(judged(&(struck(1, false) + &called_off(2))).0, Verdict::Unknown);
    }

    #[test]
    fn a_fault_that_never_began_and_does_not_say_why_is_not_excused() {
        let silent = event(2, "invoke", "begin", "") + &event(2, "info", "end", "");
        assert_eq!(judged(&(struck(1, true) + &silent)).0, Verdict::Unknown);
    }
}
