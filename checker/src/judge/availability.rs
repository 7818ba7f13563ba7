//! Who answered on which side of a cut?
//!
//! A partition forces a choice, and a store may promise either. A *consistent* one refuses wherever a
//! majority of a key's replicas cannot be reached, and answers where it can. An *available* one
//! answers on every side, and mends the difference later. Each promise is judged from the history
//! alone: the nemesis says who was cut from whom and when, final reads say which nodes hold a key, and
//! each operation says whom it asked and how it ended.
//!
//! | | side with a majority of the key's replicas | any other side |
//! |---|---|---|
//! | `majority-availability` | answers | refuses; what it refused for certain is never seen |
//! | `total-availability` | answers | answers |
//!
//! One answer without a majority breaks the first promise. That a side *answers* is held to be broken
//! when it acknowledged fewer than nine of ten operations, or fewer than half of the reads or of the
//! updates of one key: on a busy machine a timeout now and then is no sign of a choice, but refusing
//! is a choice made every time. Sides that were asked too little prove nothing, and without one cut all
//! of whose sides were asked enough the verdict is `Unknown`.
//!
//! Source: Gilbert and Lynch, "Brewer's Conjecture", SIGACT News 2002 (availability: every request to
//! a node that lives is answered); Bailis et al., "Highly Available Transactions", VLDB 2013 (total
//! availability, and that of a majority).

use std::collections::{BTreeMap, BTreeSet};

use crate::cut::Cut;
use crate::event::Value;
use crate::finding::{Anomaly, Checker, Finding, Verdict};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::operation::{Operation, Outcome};
use crate::prose::{Cast, count, enumerate, grouped};
use crate::replica::Replicas;
use crate::source::Sources;

/// A side that was asked less than this proves nothing.
const ASKED_MIN: usize = 10;
/// Less reads, or updates, of one key do so of that key.
const ASKED_OF_KEY_MIN: usize = 5;
/// Of ten operations on a side that answers, at least so many are acknowledged.
const ANSWERED_OF_TEN: usize = 9;

/// Judges which sides of a cut answer their clients.
pub struct Availability {
    keyspace: Keyspace,
    promise: Promise,
    replicas: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// The side with a majority of the replicas answers, and no other.
    Majority,
    /// Every side answers.
    Total,
}

/// What a side owes the clients of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    Answer,
    Refuse,
}

/// One side of a cut in one of its duties: the fault, the side's place, the duty.
type Side = (u64, usize, Duty);

/// What was asked of each side, by invocation within a key.
type Asked<'h> = BTreeMap<Side, Vec<&'h Operation>>;

impl Availability {
    /// Judges that in `keyspace` the side with a majority answers, and no other.
    pub fn majority(keyspace: impl Into<Keyspace>) -> Availability {
        Availability { keyspace: keyspace.into(), promise: Promise::Majority, replicas: None }
    }

    /// Judges that in `keyspace` every side answers.
    pub fn total(keyspace: impl Into<Keyspace>) -> Availability {
        Availability { keyspace: keyspace.into(), promise: Promise::Total, replicas: None }
    }

    /// And that each key has at least this many replicas: where fewer were seen, nobody knows who has
    /// a majority.
    #[must_use]
    pub fn with_replicas(self, replicas: usize) -> Availability {
        Availability { replicas: Some(replicas), ..self }
    }

    /// What a side owes the clients of a key with these replicas; `None` where that is not known.
    fn duty(&self, side: &[String], replicas: &Replicas<'_>) -> Option<Duty> {
        if self.promise == Promise::Total {
            return Some(Duty::Answer);
        }
        if replicas.lack(self.replicas).is_some() {
            return None;
        }
        let holders = replicas.copies.iter().filter_map(|copy| copy.node.as_ref());
        let here = holders.filter(|node| side.contains(node)).count();
        Some(if here * 2 > replicas.copies.len() { Duty::Answer } else { Duty::Refuse })
    }

    /// Adds the operations of one key that count.
    fn assign<'h>(&self, cuts: &[Cut], operations: &[&'h Operation], asked: &mut Asked<'h>) {
        let replicas = Replicas::of(operations);
        for operation in operations.iter().filter(|operation| operation.is_coordinated()) {
            for cut in cuts {
                let Some(place) = cut.side_of(operation) else { continue };
                let Some(duty) = self.duty(&cut.sides[place], &replicas) else { continue };
                asked.entry((cut.fault, place, duty)).or_default().push(operation);
            }
        }
    }
}

impl Checker for Availability {
    fn name(&self) -> &'static str {
        match self.promise {
            Promise::Majority => "majority-availability",
            Promise::Total => "total-availability",
        }
    }

    fn check(&self, history: &History) -> Finding {
        let cuts = Cut::all(history);
        let keys = self.keyspace.by_key(history);
        let mut asked = Asked::new();
        for operations in keys.values() {
            self.assign(&cuts, operations, &mut asked);
        }
        let judged: Vec<&Cut> = cuts.iter().filter(|cut| self.is_judged(cut, &asked)).collect();
        let mut anomalies: Vec<Anomaly> = Vec::new();
        anomalies.extend(answered_without_majority(&cuts, &asked));
        anomalies.extend(keys.values().find_map(|operations| refused_and_seen(operations, &asked)));
        anomalies.extend(unanswered(&cuts, &asked));
        let verdict = match (anomalies.is_empty(), judged.is_empty()) {
            (false, _) => Verdict::Invalid,
            (true, true) => Verdict::Unknown,
            (true, false) => Verdict::Valid,
        };
        Finding {
            checker: self.name().to_owned(),
            keyspace: self.keyspace.name().map(str::to_owned),
            verdict,
            summary: summary(&cuts, judged.len(), &asked),
            anomalies,
        }
    }
}

impl Availability {
    /// Whether every side of `cut` was asked enough, and of those that owe different things one of
    /// each kind: a majority that answers shows nothing while nobody was refused.
    fn is_judged(&self, cut: &Cut, asked: &Asked<'_>) -> bool {
        let enough = |place: usize, duty: Duty| {
            asked.get(&(cut.fault, place, duty)).is_some_and(|asked| asked.len() >= ASKED_MIN)
        };
        let any = |place: usize| enough(place, Duty::Answer) || enough(place, Duty::Refuse);
        let refused = (0..cut.sides.len()).any(|place| enough(place, Duty::Refuse));
        (0..cut.sides.len()).all(any) && (self.promise == Promise::Total || refused)
    }
}

/// `2 of 3 clean cuts …; where an answer was owed 412 of 412 operations answered, elsewhere 0 of 97
/// (96 refused for certain)`.
fn summary(cuts: &[Cut], judged: usize, asked: &Asked<'_>) -> String {
    let of = |duty: Duty| -> Vec<&Operation> {
        let sides = asked.iter().filter(|((_, _, owed), _)| *owed == duty);
        sides.flat_map(|(_, asked)| asked).copied().collect()
    };
    let ok = |operations: &[&Operation]| grouped(operations.iter().filter(|it| it.is_ok()).count());
    let (owed, other) = (of(Duty::Answer), of(Duty::Refuse));
    let told = format!(
        "{judged} of {} with enough asked on every side; where an answer was owed {} of {} answered",
        count(cuts.len(), "clean cut"),
        ok(&owed),
        count(owed.len(), "operation"),
    );
    if other.is_empty() {
        return told;
    }
    let certain = other.iter().filter(|operation| operation.outcome == Outcome::Fail).count();
    let (answered, all, certain) = (ok(&other), grouped(other.len()), grouped(certain));
    format!("{told}, elsewhere {answered} of {all} ({certain} refused for certain)")
}

/// The first answer on a side that could not reach a majority.
fn answered_without_majority(cuts: &[Cut], asked: &Asked<'_>) -> Option<Anomaly> {
    let refusing = asked.iter().filter(|((_, _, duty), _)| *duty == Duty::Refuse);
    let answers = refusing.flat_map(|(side, asked)| asked.iter().map(move |it| (side, *it)));
    let answers = answers.filter(|(_, operation)| operation.is_ok());
    let (side, first) = answers.min_by_key(|(_, operation)| operation.completed)?;
    let of_side = &asked[side];
    let answered = of_side.iter().filter(|operation| operation.is_ok()).count();
    let cast = Cast::new([first]);
    let because = format!(
        "{} Then {} was answered at {}, while {}: there are fewer than half of the replicas of its \
         key, or just half. However where no majority can be reached nothing may be answered; of {} \
         asked there {answered} were: a contradiction.",
        cast.introduction(),
        cast.label(first),
        first.node.as_deref().unwrap_or("a node"),
        told(cuts, side),
        count(of_side.len(), "operation"),
    );
    let name = "answer without a majority".to_owned();
    Some(Anomaly { name, key: first.key.clone(), witness: cast.witness(), because })
}

/// The first side that owed answers and did not give them: to what was asked of one key, or at all.
fn unanswered(cuts: &[Cut], asked: &Asked<'_>) -> Option<Anomaly> {
    let owing = asked.iter().filter(|((_, _, duty), _)| *duty == Duty::Answer);
    let (side, refused) = owing.into_iter().find_map(|(side, asked)| {
        let mut groups = BTreeMap::<(Option<&str>, bool), Vec<&Operation>>::new();
        for operation in asked {
            let group = (operation.key.as_deref(), operation.is_update());
            groups.entry(group).or_default().push(operation);
        }
        let refused = groups.into_values().find(|group| is_refused(group));
        refused.or_else(|| is_silent(asked).then(|| asked.clone())).map(|asked| (side, asked))
    })?;
    let open: Vec<&Operation> = refused.iter().filter(|it| !it.is_ok()).copied().collect();
    let first = *open.iter().min_by_key(|operation| operation.completed)?;
    let cast = Cast::new([first]);
    let because = format!(
        "{} Then {} was asked of {} while {}, and got no answer ({}). However on that side an answer \
         is owed: of {} like it asked there {} had none.",
        cast.introduction(),
        cast.label(first),
        first.node.as_deref().unwrap_or("a node"),
        told(cuts, side),
        first.error.as_deref().unwrap_or("no reason was given"),
        count(refused.len(), "operation"),
        open.len(),
    );
    let name = "no answer where one is owed".to_owned();
    Some(Anomaly { name, key: first.key.clone(), witness: cast.witness(), because })
}

/// Whether a side answered less than nine of ten.
fn is_silent(asked: &[&Operation]) -> bool {
    let answered = asked.iter().filter(|operation| operation.is_ok()).count();
    asked.len() >= ASKED_MIN && answered * 10 < asked.len() * ANSWERED_OF_TEN
}

/// Whether what was asked of one key, all reads or all updates, was mostly refused.
fn is_refused(asked: &[&Operation]) -> bool {
    let answered = asked.iter().filter(|operation| operation.is_ok()).count();
    asked.len() >= ASKED_OF_KEY_MIN && answered * 2 < asked.len()
}

/// The first read of a key that shows what a side without a majority had refused for certain.
fn refused_and_seen(operations: &[&Operation], asked: &Asked<'_>) -> Option<Anomaly> {
    let key = operations.first()?.key.as_ref();
    let refusing = asked.iter().filter(|((_, _, duty), _)| *duty == Duty::Refuse);
    let refused = refusing.flat_map(|(_, asked)| asked).filter(|operation| {
        operation.key.as_ref() == key && operation.is_update() && operation.outcome == Outcome::Fail
    });
    let refused: BTreeSet<i64> = refused.filter_map(|update| update.argument.number()).collect();
    let shows = |read: &&&Operation| match read.reply() {
        Some(Value::Int(value)) => refused.contains(value),
        Some(Value::Set(elements)) => elements.iter().any(|element| refused.contains(element)),
        _ => false,
    };
    let reads = operations.iter().filter(|operation| !operation.is_update()).filter(shows);
    Sources::of(operations).first_fault(reads)
}

/// `fault 2 cuts n1 n2 off from n3 n4 n5`.
fn told(cuts: &[Cut], (fault, place, _): &Side) -> String {
    let sides = cuts.iter().find(|cut| cut.fault == *fault).map(|cut| cut.sides.as_slice());
    let sides = sides.unwrap_or_default();
    let own = sides.get(*place).map(|side| side.join(" ")).unwrap_or_default();
    let others = sides.iter().enumerate().filter(|(at, _)| at != place);
    let others: Vec<String> = others.map(|(_, side)| side.join(" ")).collect();
    format!("fault {fault} cut {own} off from {}", enumerate(&others))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a history by time, in milliseconds since the run began.
    #[derive(Clone, Default)]
    struct Script {
        lines: Vec<(u64, String)>,
        processes: u32,
    }

    impl Script {
        /// A cut of `sides` that is asked for at 1 s, in force at 1.1 s, recalled at 4 s, gone at 4.1 s.
        fn cut(sides: &str) -> Script {
            let mut script = Script::default();
            script.fault(1, "partition", [1000, 1100, 4000, 4100], &format!(",\"sides\":{sides}"));
            script
        }

        fn fault(&mut self, number: u64, kind: &str, moments: [u64; 4], more: &str) {
            let acts = [("invoke", "begin"), ("info", "begin"), ("invoke", "end"), ("info", "end")];
            for (at, (act, f)) in moments.into_iter().zip(acts) {
                let value = format!("{{\"fault\":{number},\"kind\":\"{kind}\"{more}}}");
                self.line(at, "\"nemesis\"", act, f, &format!("\"value\":{value}"));
            }
        }

        fn line(&mut self, at: u64, process: &str, kind: &str, f: &str, more: &str) {
            let time = at * 1_000_000;
            let line = format!(
                "{{\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",{more}}}\n"
            );
            self.lines.push((at, line));
        }

        /// A write of the invocation's number to `key` at `node` from `at` for `takes` milliseconds.
        fn write(&mut self, at: u64, takes: u64, node: &str, key: &str, end: &str) {
            let process = self.processes.to_string();
            let more = format!(
                "\"key\":\"{key}\",\"value\":{process},\"node\":\"{node}\",\"error\":\"x\""
            );
            self.line(at, &process, "invoke", "write", &more);
            self.line(at + takes, &process, end, "write", &more);
            self.processes += 1;
        }

        /// Thirty writes to `k:1` while the cut holds.
        fn writes(&mut self, node: &str, end: &str) {
            (0..30).for_each(|step| self.write(1700 + 50 * step, 5, node, "k:1", end));
        }

        /// Somebody reads `value` when all is over.
        fn read(&mut self, key: &str, value: i64) {
            let more = format!("\"key\":\"{key}\",\"node\":\"n2\"");
            self.line(8000, "500", "invoke", "read", &more);
            self.line(8001, "500", "ok", "read", &format!("{more},\"value\":{value}"));
        }

        /// These `nodes` hold copies of `key`; of what, matters to nobody here.
        fn replicas(&mut self, key: &str, nodes: &[&str]) {
            for node in nodes {
                let process = self.processes.to_string();
                let more = format!("\"key\":\"{key}\",\"node\":\"{node}\"");
                self.line(9000, &process, "invoke", "read-replica", &more);
                self.line(9001, &process, "ok", "read-replica", &more);
                self.processes += 1;
            }
        }

        fn judge(&self, judge: &Availability) -> (Verdict, String, Vec<String>) {
            let mut lines = self.lines.clone();
            lines.sort_by_key(|(at, _)| *at);
            let text: String = lines.into_iter().map(|(_, line)| line).collect();
            let finding = judge.check(&History::parse(text.as_bytes()).unwrap());
            let names = finding.anomalies.into_iter().map(|anomaly| anomaly.name).collect();
            (finding.verdict, finding.summary, names)
        }

        fn majority(&self) -> (Verdict, String, Vec<String>) {
            self.judge(&Availability::majority("k").with_replicas(3))
        }

        fn total(&self) -> (Verdict, String, Vec<String>) {
            self.judge(&Availability::total("k").with_replicas(3))
        }
    }

    const ONE_OFF: &str = r#"[["n1"],["n2","n3"]]"#;
    const ALL: [&str; 3] = ["n1", "n2", "n3"];

    /// n1 is cut off and refuses, n2 answers.
    fn consistent() -> Script {
        let mut script = Script::cut(ONE_OFF);
        script.writes("n1", "fail");
        script.writes("n2", "ok");
        script.replicas("k:1", &ALL);
        script
    }

    /// n1 is cut off, and answers as n2 does.
    fn available() -> Script {
        let mut script = Script::cut(ONE_OFF);
        script.writes("n1", "ok");
        script.writes("n2", "ok");
        script.replicas("k:1", &ALL);
        script
    }

    #[test]
    fn who_answers_only_where_a_majority_is_keeps_the_one_promise_and_not_the_other() {
        let (verdict, summary, names) = consistent().majority();
        assert_eq!((verdict, names), (Verdict::Valid, vec![]), "{summary}");
        assert_eq!(
            summary,
            "1 of 1 clean cut with enough asked on every side; where an answer was owed 30 of 30 \
             operations answered, elsewhere 0 of 30 (30 refused for certain)"
        );
        let (verdict, _, names) = consistent().total();
        assert_eq!(verdict, Verdict::Invalid);
        assert_eq!(names, ["no answer where one is owed"]);
    }

    #[test]
    fn who_answers_on_every_side_keeps_the_other() {
        assert_eq!(available().total().0, Verdict::Valid);
        let (verdict, _, names) = available().majority();
        assert_eq!(verdict, Verdict::Invalid);
        assert_eq!(names, ["answer without a majority"]);
    }

    #[test]
    fn a_single_answer_without_a_majority_is_one_too_many() {
        let mut script = consistent();
        script.write(3000, 5, "n1", "k:1", "ok");
        assert_eq!(script.majority().2, ["answer without a majority"]);
    }

    #[test]
    fn a_majority_that_refuses_too_owes_its_clients_an_answer() {
        let mut script = Script::cut(ONE_OFF);
        for node in ALL {
            script.writes(node, "fail");
        }
        script.replicas("k:1", &ALL);
        let (verdict, _, names) = script.majority();
        assert_eq!(
            (verdict, names),
            (Verdict::Invalid, vec!["no answer where one is owed".into()])
        );
    }

    #[test]
    fn a_timeout_now_and_then_is_no_refusal_but_a_key_that_is_always_refused_is() {
        let mut script = available();
        (0..3).for_each(|step| script.write(2000 + step, 100, "n1", "k:1", "info"));
        assert_eq!(script.total().0, Verdict::Valid);
        let mut script = available();
        script.writes("n1", "ok");
        script.writes("n1", "ok");
        (0..5).for_each(|step| script.write(2000 + step, 5, "n1", "k:2", "fail"));
        assert_eq!(script.total().2, ["no answer where one is owed"]);
    }

    #[test]
    fn what_was_refused_for_certain_and_is_seen_was_not_refused() {
        let mut script = consistent();
        script.read("k:1", 29);
        let (verdict, _, names) = script.majority();
        assert_eq!((verdict, names), (Verdict::Invalid, vec!["aborted read".to_owned()]));
    }

    #[test]
    fn what_may_have_happened_and_is_seen_breaks_nothing() {
        let mut script = Script::cut(ONE_OFF);
        script.writes("n1", "info");
        script.writes("n2", "ok");
        script.replicas("k:1", &ALL);
        script.read("k:1", 29);
        let (verdict, summary, _) = script.majority();
        assert_eq!(verdict, Verdict::Valid);
        assert!(summary.ends_with("elsewhere 0 of 30 (0 refused for certain)"), "{summary}");
    }

    #[test]
    fn operations_under_way_when_a_cut_begins_or_ends_do_not_count() {
        let mut script = consistent();
        script.write(900, 5, "n1", "k:1", "ok");
        script.write(1050, 900, "n1", "k:1", "ok");
        script.write(1300, 5, "n1", "k:1", "ok");
        script.write(3900, 150, "n1", "k:1", "ok");
        script.write(4050, 5, "n1", "k:1", "ok");
        let (verdict, summary, _) = script.majority();
        assert_eq!(verdict, Verdict::Valid, "{summary}");
        assert!(summary.contains("elsewhere 0 of 30"), "{summary}");
    }

    #[test]
    fn what_another_fault_may_have_touched_does_not_count() {
        let mut script = available();
        script.fault(2, "kill", [1500, 1600, 4500, 4600], "");
        let (verdict, summary, _) = script.majority();
        assert_eq!(verdict, Verdict::Unknown);
        assert!(summary.starts_with("0 of 1 clean cut"), "{summary}");
    }

    #[test]
    fn sides_that_nobody_asked_prove_nothing() {
        let mut script = Script::cut(ONE_OFF);
        script.writes("n2", "ok");
        script.replicas("k:1", &ALL);
        assert_eq!(script.majority().0, Verdict::Unknown);
        assert_eq!(script.total().0, Verdict::Unknown);
        (0..9).for_each(|step| script.write(2000 + step, 5, "n1", "k:1", "fail"));
        assert_eq!(script.majority().0, Verdict::Unknown);
        script.write(2500, 5, "n1", "k:1", "fail");
        assert_eq!(script.majority().0, Verdict::Valid);
    }

    #[test]
    fn without_a_clean_cut_or_without_knowing_the_replicas_nothing_is_judged() {
        let mut script = Script::cut(r#"[["n1"],["n3"]]"#);
        script.writes("n1", "ok");
        script.writes("n2", "ok");
        script.replicas("k:1", &ALL);
        assert_eq!(script.majority().0, Verdict::Unknown, "n2 stands between the sides");
        let mut script = Script::cut(ONE_OFF);
        script.writes("n1", "ok");
        script.writes("n2", "ok");
        script.replicas("k:1", &["n1", "n3"]);
        assert_eq!(script.majority().0, Verdict::Unknown, "one of three replicas is unknown");
    }

    #[test]
    fn the_majority_that_counts_is_that_of_the_keys_own_replicas() {
        let mut script = Script::cut(r#"[["n1","n2"],["n3","n4","n5"]]"#);
        script.writes("n1", "ok");
        script.writes("n4", "fail");
        script.replicas("k:1", &ALL);
        assert_eq!(script.majority().0, Verdict::Valid, "n1 and n2 are two of three");
    }
}
