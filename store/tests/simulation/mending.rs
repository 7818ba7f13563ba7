//! What brings replicas together behind the requests: hints handed over, and copies compared.

use std::collections::BTreeSet;

use rand::RngExt;

use store::hint::{Hint, HintId};
use store::peer::CallError;
use store::request::{Call, Reply};
use store::ring::NodeId;
use store::version::{Encoded, Record};

use crate::agenda::Micros;
use crate::disk::{Change, Then};
use crate::flaw::Flaw;
use crate::letter::{Ask, Key};
use crate::node::{Errand, Node};
use crate::plan::DEADLINE;
use crate::world::World;

/// Hints on their way to one owner at once.
const WINDOW: usize = 8;

impl World {
    /// Brings the first hints of each owner that is connected.
    pub(crate) fn replay_hints(&mut self, me: usize) {
        let node = &self.nodes[me];
        let owners = node.hints.owners().filter(|owner| node.links[Node::place(owner)].is_some());
        let due: Vec<(HintId, Hint)> = owners
            .flat_map(|owner| node.hints.of(owner).take(WINDOW))
            .filter(|(id, _)| !node.sent.contains(id))
            .map(|(id, hint)| (id, hint.clone()))
            .collect();
        let deadline = self.agenda.now() + DEADLINE;
        for (id, Hint { owner, key, record }) in due {
            let key = self.keys.iter().position(|name| *name == key).expect("one of the keys");
            self.nodes[me].sent.insert(id);
            if self.has(Flaw::HintDroppedWhenSent) {
                self.drop_hint(me, &owner, id);
            }
            let errand = Errand::Hint(owner.clone(), id);
            let ask = Ask::Call(Call::Store(record));
            self.call((me, errand), Node::place(&owner), (key, ask), deadline);
        }
    }

    /// What became of a hint that was sent to its owner.
    pub(crate) fn hint_was_answered(
        &mut self,
        me: usize,
        owner: &NodeId,
        id: HintId,
        heard: &Result<Reply, CallError>,
    ) {
        self.nodes[me].sent.remove(&id);
        match heard {
            Ok(Reply::Done) => self.drop_hint(me, owner, id),
            Err(CallError::Refused(_)) => {
                let node = &mut self.nodes[me];
                if let Some(later) = node.hints.postpone(owner, id) {
                    let stored = node.stored.remove(&id).expect("it lies on disk");
                    node.stored.insert(later, stored);
                }
            }
            _ => {}
        }
    }

    fn drop_hint(&mut self, me: usize, owner: &NodeId, id: HintId) {
        if self.nodes[me].hints.acknowledge(owner, id) {
            let stored = self.nodes[me].stored.remove(&id).expect("it lies on disk");
            self.note(|| format!("n{} drops its hint {stored} for {owner}", me + 1));
            self.write(me, Change::NoHint(stored), Then::Nothing);
        }
    }

    /// Now and then, compares the own copies with those of another; who has to catch up, with all, and
    /// often.
    pub(crate) fn compare(&mut self, me: usize) {
        if !self.plan.has_crashes {
            return;
        }
        if !self.nodes[me].catch_up.is_done() {
            (0..self.plan.nodes).for_each(|other| self.compare_with(me, other));
        } else if self.random.random_range(0..8) == 0 {
            let other = self.random.random_range(0..self.plan.nodes);
            self.compare_with(me, other);
        }
    }

    /// Record by record, each fetched, joined, and brought back if the other lacks anything.
    fn compare_with(&mut self, me: usize, other: usize) {
        if other == me || self.nodes[me].links[other].is_none() {
            return;
        }
        let is_catching_up = !self.nodes[me].catch_up.is_done();
        let began = self.agenda.now();
        let deadline = began + DEADLINE;
        let differing: Vec<Key> = self
            .plan
            .shared(me, other)
            .filter(|key| is_catching_up || self.differ(me, other, *key))
            .collect();
        for key in differing {
            let errand = Errand::Fetch(key, began);
            self.call((me, errand), other, (key, Ask::Fetch), deadline);
        }
    }

    /// Whether two replicas hold different records, as their trees would say.
    fn differ(&self, one: usize, other: usize, key: Key) -> bool {
        self.nodes[one].disk.copies.get(&key) != self.nodes[other].disk.copies.get(&key)
    }

    /// The copy of another is here.
    pub(crate) fn fetched(
        &mut self,
        me: usize,
        other: usize,
        key: Key,
        began: Micros,
        heard: Result<Reply, CallError>,
    ) {
        let Ok(Reply::Copy(theirs)) = heard else { return };
        let theirs = theirs.map(Encoded::into_record);
        match theirs.clone() {
            Some(record) => {
                self.join(me, key, record, Then::Fetched { other, key, theirs, began });
            }
            None => self.has_joined(me, other, key, None, began),
        }
    }

    /// The copy of another is joined with the own, and durable.
    pub(crate) fn has_joined(
        &mut self,
        me: usize,
        other: usize,
        key: Key,
        theirs: Option<&Record>,
        began: Micros,
    ) {
        self.nodes[me].catch_up.fetched(other, key, began);
        // As two replicas tell each other whenever they compare.
        self.nodes[me].floor = self.nodes[me].floor.max(self.nodes[other].floor);
        let ours = self.nodes[me].disk.copies.get(&key).cloned();
        if let Some(record) = ours.filter(|ours| Some(ours) != theirs) {
            let deadline = self.agenda.now() + DEADLINE;
            let ask = Ask::Call(Call::Store(record));
            self.call((me, Errand::Push), other, (key, ask), deadline);
        }
    }

    /// The keys of which not all replicas hold the same.
    pub(crate) fn divergent(&self) -> BTreeSet<Key> {
        let differs = |key: &Key| {
            let held: Vec<_> = self
                .plan
                .primaries(*key)
                .map(|node| self.nodes[node].disk.copies.get(key))
                .collect();
            held.windows(2).any(|two| two[0] != two[1])
        };
        (0..self.keys.len()).filter(differs).collect()
    }
}
