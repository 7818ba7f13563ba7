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
//! One answer without a majority breaks the first promise. When a side counts as one that does not
//! answer, and when it was asked too little to tell, is said in the modules `refusal` and `sides`.
//! Without one cut all of whose sides were asked enough the verdict is `Unknown`.
//!
//! Source: Gilbert and Lynch, "Brewer's Conjecture", SIGACT News 2002 (availability: every request to
//! a node that lives is answered); Bailis et al., "Highly Available Transactions", VLDB 2013 (total
//! availability, and that of a majority).

use crate::cut::Cut;
use crate::finding::{Checker, Finding, Verdict};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::operation::{Operation, Outcome};
use crate::prose::{count, grouped};
use crate::refusal;
use crate::replica::Replicas;
use crate::sides::{Duty, Sides};

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

    /// Whether every side of `cut` was asked enough; where a side may have to refuse, one of them, for
    /// a majority that answers shows nothing while nobody was refused.
    fn is_judged(&self, cut: &Cut, sides: &Sides<'_>) -> bool {
        let enough = |place: usize, duty: Duty| sides.were_asked_enough((cut.fault, place, duty));
        let places = 0..cut.sides.len();
        let refused = places.clone().any(|place| enough(place, Duty::Refuse));
        let any = |place: usize| enough(place, Duty::Answer) || enough(place, Duty::Refuse);
        places.into_iter().all(any) && (refused || self.promise == Promise::Total)
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
        let keys = self.keyspace.by_key(history);
        let mut sides = Sides::of(Cut::all(history));
        for operations in keys.values() {
            let replicas = Replicas::of(operations);
            sides.assign(operations, |side| self.duty(side, &replicas));
        }
        let mut anomalies = Vec::new();
        anomalies.extend(refusal::answered_without_majority(&sides));
        anomalies.extend(keys.values().find_map(|key| refusal::refused_and_seen(key, &sides)));
        anomalies.extend(refusal::unanswered(&sides));
        let judged = sides.cuts().iter().filter(|cut| self.is_judged(cut, &sides)).count();
        let verdict = match (anomalies.is_empty(), judged) {
            (false, _) => Verdict::Invalid,
            (true, 0) => Verdict::Unknown,
            (true, _) => Verdict::Valid,
        };
        Finding {
            checker: self.name().to_owned(),
            keyspace: self.keyspace.name().map(str::to_owned),
            verdict,
            summary: summary(&sides, judged),
            anomalies,
        }
    }
}

/// `2 of 3 clean cuts …; where an answer was owed 412 of 412 operations answered, elsewhere 0 of 97
/// (96 refused for certain)`.
fn summary(sides: &Sides<'_>, judged: usize) -> String {
    let asked = |duty| sides.count(duty, |_| true);
    let answered = |duty| grouped(sides.count(duty, Operation::is_ok));
    let told = format!(
        "{judged} of {} with enough asked on every side; where an answer was owed {} of {} answered",
        count(sides.cuts().len(), "clean cut"),
        answered(Duty::Answer),
        count(asked(Duty::Answer), "operation"),
    );
    if asked(Duty::Refuse) == 0 {
        return told;
    }
    let certain = sides.count(Duty::Refuse, |operation| operation.outcome == Outcome::Fail);
    format!(
        "{told}, elsewhere {} of {} ({} refused for certain)",
        answered(Duty::Refuse),
        grouped(asked(Duty::Refuse)),
        grouped(certain)
    )
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

        /// A write of the process's own number to `key` at `node` from `at` for `takes` milliseconds.
        fn write(&mut self, at: u64, takes: u64, node: &str, key: &str, end: &str) {
            let process = self.processes.to_string();
            let more = format!(
                "\"key\":\"{key}\",\"value\":{process},\"node\":\"{node}\",\"error\":\"x\""
            );
            self.line(at, &process, "invoke", "write", &more);
            self.line(at + takes, &process, end, "write", &more);
            self.processes += 1;
        }

        /// A read of `key` at `node`, which shows nothing.
        fn look(&mut self, at: u64, node: &str, key: &str, end: &str) {
            let process = self.processes.to_string();
            let more = format!("\"key\":\"{key}\",\"node\":\"{node}\"");
            self.line(at, &process, "invoke", "read", &more);
            self.line(at + 5, &process, end, "read", &more);
            self.processes += 1;
        }

        /// Twenty writes and ten reads of `k:1` while the cut holds; writes end as `end`.
        fn ask(&mut self, node: &str, end: &str) {
            let looks = if end == "ok" { "ok" } else { "fail" };
            for step in 0..20 {
                self.write(1700 + 50 * step, 5, node, "k:1", end);
            }
            for step in 0..10 {
                self.look(2800 + 50 * step, node, "k:1", looks);
            }
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
        script.ask("n1", "fail");
        script.ask("n2", "ok");
        script.replicas("k:1", &ALL);
        script
    }

    /// n1 is cut off, and answers as n2 does.
    fn available() -> Script {
        let mut script = Script::cut(ONE_OFF);
        script.ask("n1", "ok");
        script.ask("n2", "ok");
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
            script.ask(node, "fail");
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
        script.ask("n1", "ok");
        script.ask("n1", "ok");
        (0..5).for_each(|step| script.write(2000 + step, 5, "n1", "k:2", "fail"));
        assert_eq!(script.total().2, ["no answer where one is owed"]);
    }

    #[test]
    fn what_was_refused_for_certain_and_is_seen_was_not_refused() {
        let mut script = consistent();
        script.read("k:1", 19);
        let (verdict, _, names) = script.majority();
        assert_eq!((verdict, names), (Verdict::Invalid, vec!["aborted read".to_owned()]));
    }

    #[test]
    fn what_may_have_happened_and_is_seen_breaks_nothing() {
        let mut script = Script::cut(ONE_OFF);
        script.ask("n1", "info");
        script.ask("n2", "ok");
        script.replicas("k:1", &ALL);
        script.read("k:1", 19);
        let (verdict, summary, _) = script.majority();
        assert_eq!(verdict, Verdict::Valid);
        assert!(summary.ends_with("elsewhere 0 of 30 (10 refused for certain)"), "{summary}");
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
        script.ask("n2", "ok");
        script.replicas("k:1", &ALL);
        assert_eq!(script.majority().0, Verdict::Unknown);
        assert_eq!(script.total().0, Verdict::Unknown);
        (0..20).for_each(|step| script.write(2000 + step, 5, "n1", "k:1", "fail"));
        (0..4).for_each(|step| script.look(2100 + step, "n1", "k:1", "fail"));
        assert_eq!(script.majority().0, Verdict::Unknown, "four reads are too few");
        script.look(2500, "n1", "k:1", "fail");
        assert_eq!(script.majority().0, Verdict::Valid);
    }

    #[test]
    fn without_a_clean_cut_or_without_knowing_the_replicas_nothing_is_judged() {
        let mut script = Script::cut(r#"[["n1"],["n3"]]"#);
        script.ask("n1", "ok");
        script.ask("n2", "ok");
        script.replicas("k:1", &ALL);
        assert_eq!(script.majority().0, Verdict::Unknown, "n2 stands between the sides");
        let mut script = Script::cut(ONE_OFF);
        script.ask("n1", "ok");
        script.ask("n2", "ok");
        script.replicas("k:1", &["n1", "n3"]);
        assert_eq!(script.majority().0, Verdict::Unknown, "one of three replicas is unknown");
    }

    #[test]
    fn the_majority_that_counts_is_that_of_the_keys_own_replicas() {
        let mut script = Script::cut(r#"[["n1","n2"],["n3","n4","n5"]]"#);
        script.ask("n1", "ok");
        script.ask("n4", "fail");
        script.replicas("k:1", &ALL);
        assert_eq!(script.majority().0, Verdict::Valid, "n1 and n2 are two of three");
    }
}
