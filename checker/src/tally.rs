//! The sum of the judgements of single keys: one verdict, one sentence, the anomalies in order.

use crate::finding::{Anomaly, Finding, Verdict};
use crate::keyspace::Keyspace;
use crate::prose::count;

/// How many keys a summary names before it only counts.
const KEYS_NAMED: usize = 3;

/// The judgement of one key.
#[derive(Clone, Debug)]
pub(crate) enum Judgement {
    /// Every promise judged was kept.
    Kept,
    /// Not everything could be judged; why.
    Open(String),
    /// Broken, and how: at least one anomaly.
    Broken(Vec<Anomaly>),
}

/// The sum of the judgements of single keys.
pub(crate) struct Tally {
    operations: usize,
    kept: usize,
    open: Vec<(String, String)>,
    broken: Vec<(String, String)>,
    anomalies: Vec<Anomaly>,
}

impl Tally {
    /// Sums up `keys`, in their order: key, operations judged, judgement.
    pub(crate) fn of(keys: impl IntoIterator<Item = (String, usize, Judgement)>) -> Tally {
        let (open, broken, anomalies) = (Vec::new(), Vec::new(), Vec::new());
        let mut tally = Tally { operations: 0, kept: 0, open, broken, anomalies };
        for (key, operations, judgement) in keys {
            tally.operations += operations;
            match judgement {
                Judgement::Kept => tally.kept += 1,
                Judgement::Open(why) => tally.open.push((key, why)),
                Judgement::Broken(anomalies) => {
                    let name = anomalies.first().map(|anomaly| anomaly.name.clone());
                    tally.broken.push((key, name.unwrap_or_default()));
                    tally.anomalies.extend(anomalies);
                }
            }
        }
        // Earliest first: by the last line of the witness, which is where it became certain.
        tally.anomalies.sort_by_key(|anomaly| {
            let lines = anomaly.witness.iter().map(|operation| operation.completed);
            (lines.max().flatten(), anomaly.key.clone())
        });
        tally
    }

    fn verdict(&self) -> Verdict {
        match (self.broken.is_empty(), self.open.is_empty(), self.kept) {
            (false, _, _) => Verdict::Invalid,
            (true, true, 1..) => Verdict::Valid,
            _ => Verdict::Unknown,
        }
    }

    /// The finding of `checker`, whose promise reads `good` of a key that kept it (`linearizable`).
    pub(crate) fn finding(self, checker: &str, keyspace: &Keyspace, good: &str) -> Finding {
        let keys = self.kept + self.open.len() + self.broken.len();
        let sums = format!("{}, {}", count(keys, "key"), count(self.operations, "operation"));
        let summary = match (keys, self.kept) {
            (0, _) => "nothing was judged: no operation to judge".to_owned(),
            (_, kept) if kept == keys => format!("{sums}: all {good}"),
            (_, kept) => {
                let mut parts = vec![format!("{kept} {good}")];
                parts.extend(named(&self.open, "unknown"));
                parts.extend(named(&self.broken, "broken"));
                format!("{sums}: {}", parts.join(", "))
            }
        };
        Finding {
            checker: checker.to_owned(),
            keyspace: keyspace.name().map(str::to_owned),
            verdict: self.verdict(),
            summary,
            anomalies: self.anomalies,
        }
    }
}

/// `2 unknown (register:1: why; register:2: why)`.
fn named(keys: &[(String, String)], word: &str) -> Option<String> {
    if keys.is_empty() {
        return None;
    }
    let first: Vec<String> =
        keys.iter().take(KEYS_NAMED).map(|(key, why)| format!("{key}: {why}")).collect();
    let more = if keys.len() > KEYS_NAMED { "; …" } else { "" };
    Some(format!("{} {word} ({}{more})", keys.len(), first.join("; ")))
}
