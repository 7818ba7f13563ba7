//! What holds of every request, whatever becomes of its calls and in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PRIMARIES: [&str; 3] = ["n1", "n2", "n3"];
const STAND_INS: [&str; 2] = ["n4", "n5"];

/// A request played to its end, and what was seen of it.
struct Play {
    target: Target,
    is_read: bool,
    open: Vec<(CallId, Call)>,
    /// What the client was told, and how many calls that write were open or perhaps done by then.
    told: Vec<(Result<Outcome, Failure>, usize)>,
    /// Calls that write and were, or may have been, done.
    perhaps_done: usize,
    /// In whose stead (or its own) who has acknowledged.
    seats: BTreeMap<NodeId, NodeId>,
    /// What who has said to hold.
    copies: Vec<(NodeId, Record)>,
    /// How many were known to hold what a read returned, when it did.
    holders: usize,
    hints: Vec<NodeId>,
    /// Whether it had a record to store.
    has_stored: bool,
    /// Whether a primary answered that it had coordinated the write.
    is_forwarded: bool,
    /// Calls begun after the client was told, but for repairs.
    begun_after: Vec<CallId>,
    wakes: Vec<Patience>,
    calls: usize,
}

fn writes(purpose: &Purpose) -> bool {
    !matches!(purpose, Purpose::Read | Purpose::ReadFor(_))
}

impl Play {
    fn of(target: Target, goal: Goal, chances: &[u8]) -> Play {
        let is_read = matches!(goal, Goal::Read);
        let mut play = Play {
            target: target.clone(),
            is_read,
            open: Vec::new(),
            told: Vec::new(),
            perhaps_done: 0,
            seats: BTreeMap::new(),
            copies: Vec::new(),
            holders: 0,
            hints: Vec::new(),
            has_stored: false,
            is_forwarded: false,
            begun_after: Vec::new(),
            wakes: Vec::new(),
            calls: 0,
        };
        let (mut request, actions) = Request::begin(target, goal);
        play.note(actions);
        let mut chances = chances.iter().copied().chain(std::iter::repeat(250));
        while !play.open.is_empty() {
            let chance = chances.next().expect("they go on for ever");
            if chance % 7 == 0
                && let Some(patience) = play.wakes.pop()
            {
                let actions = request.wake(patience);
                play.note(actions);
                continue;
            }
            let (id, call) = play.open.swap_remove(chance as usize % play.open.len());
            let heard = play.becomes(&id, call, chances.next().expect("they go on for ever"));
            let actions = request.hear(&id, heard);
            play.note(actions);
        }
        assert!(request.is_over(), "nothing is open, and it is not over");
        play
    }

    fn note(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Call(id, call) => {
                    self.calls += 1;
                    self.has_stored |= id.purpose == Purpose::Store;
                    if !self.told.is_empty() && id.purpose != Purpose::Repair {
                        self.begun_after.push(id.clone());
                    }
                    self.open.push((id, call));
                }
                Action::Answer(result) => {
                    let open = self.open.iter().filter(|(id, _)| writes(&id.purpose)).count();
                    if let Ok(Outcome::Read(Some(read))) = &result {
                        let holders = self.copies.iter().filter(|(_, held)| held == read);
                        let holders: BTreeSet<&NodeId> = holders.map(|(node, _)| node).collect();
                        self.holders = holders.len();
                    }
                    self.told.push((result, open + self.perhaps_done));
                }
                Action::Hint { owner, .. } => self.hints.push(owner),
                Action::Wake(patience) => self.wakes.push(patience),
                Action::Count(_) => {}
            }
        }
    }

    /// What becomes of a call, as chance will have it.
    fn becomes(&mut self, id: &CallId, call: Call, chance: u8) -> Result<Reply, CallError> {
        let is_own = id.to == self.target.me;
        let error = match chance {
            0..=30 if !is_own => CallError::NotConnected,
            31..=40 if !is_own => CallError::Overloaded,
            41..=60 if !is_own => CallError::Lost,
            61..=90 => CallError::Late,
            91..=100 => CallError::Refused("UNCERTAIN the engine failed".into()),
            _ => {
                self.perhaps_done += usize::from(writes(&id.purpose));
                return Ok(self.reply(id, call, chance));
            }
        };
        self.perhaps_done += usize::from(writes(&id.purpose) && !error.is_unsent());
        Err(error)
    }

    fn reply(&mut self, id: &CallId, call: Call, chance: u8) -> Reply {
        let held = match (self.target.policy, chance % 3) {
            (_, 0) => None,
            (Policy::Register, counter) => record(&format!("{counter}@n1")),
            (Policy::Siblings, 1) => record("milk@n1"),
            (Policy::Siblings, _) => record("tea@n2"),
            (Policy::Lww, micros) => record(&format!("{micros}us@n1")),
        };
        match call {
            Call::Read { .. } => {
                self.copies.extend(held.clone().map(|held| (id.to.clone(), held)));
                Reply::Copy(held.map(Encoded::of))
            }
            Call::ReadHeld { .. } => Reply::Copy(held.map(Encoded::of)),
            Call::Store(record) => {
                self.copies.push((id.to.clone(), record));
                self.seats.insert(id.to.clone(), id.to.clone());
                Reply::Done
            }
            Call::Hold { owner, .. } => {
                self.seats.entry(owner).or_insert_with(|| id.to.clone());
                Reply::Done
            }
            Call::Update { .. } => {
                self.seats.insert(id.to.clone(), id.to.clone());
                let updated = record("milk@n1").unwrap();
                let context = updated.context();
                Reply::Updated(updated, context)
            }
            Call::Forward { .. } => {
                self.is_forwarded = true;
                Reply::Forwarded(Context::default())
            }
        }
    }
}

fn requests() -> impl Strategy<Value = (Target, Goal)> {
    let policies = prop::sample::select(vec![Policy::Register, Policy::Siblings, Policy::Lww]);
    let down = prop::collection::btree_set(prop::sample::select(vec!["n2", "n3", "n4"]), 0..3);
    (policies, 1..=3usize, 1..=3usize, 1..=5usize, any::<bool>(), any::<bool>(), down).prop_map(
        |(policy, r, w, me, is_sloppy, is_read, down)| {
            let me = node(&format!("n{me}"));
            let stand_ins = STAND_INS.iter().filter(|_| is_sloppy).map(|name| node(name)).collect();
            let down = down.into_iter().map(node).filter(|down| *down != me).collect();
            let primaries = PRIMARIES.map(node).into();
            let causality = Causality::Dotted;
            let target = Target { me, policy, causality, primaries, stand_ins, down, r, w };
            (target, if is_read { Goal::Read } else { goal_of("v") })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Whatever becomes of its calls, a request keeps the promises of its module.
    #[test]
    fn every_request_keeps_its_promises(
        (target, goal) in requests(),
        chances in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let play = Play::of(target, goal, &chances);
        prop_assert_eq!(play.told.len(), 1, "a client is told exactly once");
        prop_assert!(play.calls <= 40, "{} calls", play.calls);
        prop_assert_eq!(&play.begun_after, &[], "nothing is sent once the client was told");
        let (result, perhaps_done) = &play.told[0];
        match result {
            Err(failure) if failure.is_definite() && !play.is_read => {
                prop_assert_eq!(*perhaps_done, 0, "{} is said to be definite", failure);
            }
            Ok(Outcome::Written(_)) if !play.is_forwarded => {
                let w = play.target.w;
                let holders: BTreeSet<&NodeId> = play.seats.values().collect();
                prop_assert!(play.seats.len() >= w && holders.len() >= w, "{:?}", play.seats);
            }
            Ok(Outcome::Read(Some(_)))
                if play.target.policy == Policy::Register && play.target.stand_ins.is_empty() =>
            {
                prop_assert!(play.holders >= play.target.w, "{} hold what was read", play.holders);
            }
            _ => {}
        }
    }

    /// Who has acknowledged a write has no hint, and whoever else is a primary has one; unless nothing was
    /// written anywhere, or the coordinator has nothing that others could be given.
    #[test]
    fn whoever_missed_a_write_has_a_hint(
        (target, goal) in requests(),
        chances in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let play = Play::of(target, goal, &chances);
        let has_record = !play.is_read && play.has_stored;
        let absent: Vec<NodeId> = play.target.primaries.iter()
            .filter(|owner| **owner != play.target.me && !play.seats.contains_key(*owner))
            .filter(|_| has_record && play.perhaps_done > 0)
            .cloned()
            .collect();
        prop_assert_eq!(&play.hints, &absent, "acknowledged: {:?}", play.seats);
    }
}
