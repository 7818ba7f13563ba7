//! Did every fault take effect, leave evidence, and end?
//!
//! A harness that injects nothing and says *valid* is worse than none. So a fault that never began,
//! never ended, or left no evidence makes a run `Unknown`; the store is never blamed for it.

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
        let mut open: Vec<String> = faults.iter().filter_map(lack).collect();
        if faults.len() < self.least {
            let (found, least) = (faults.len(), self.least);
            open.push(format!("{found} applied where at least {least} were asked for"));
        }
        let sums = count(faults.len(), "fault");
        let (verdict, summary) = match open.as_slice() {
            [] if faults.is_empty() => {
                (Verdict::Valid, "no fault, and none was asked for".to_owned())
            }
            [] => (Verdict::Valid, format!("{sums}: all took effect, left evidence and ended")),
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
        (None, _, _) => "never took effect",
        (Some(_), None, _) => "never ended",
        (Some(_), Some(_), false) => "left no evidence that it took effect",
        (Some(_), Some(_), true) => return None,
    };
    let about = match (fault.kind.as_str(), fault.description.as_str()) {
        (kind, "") => kind.to_owned(),
        (kind, description) => format!("{kind} {description}"),
    };
    Some(format!("fault {} ({about}) {lack}", fault.fault))
}
