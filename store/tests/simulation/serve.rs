//! How a node answers what it is asked, and what its disk does about it.

use rand::RngExt;

use store::hint::Hint;
use store::peer::CallError;
use store::request::{Call, Reply};
use store::version::{Context, Encoded, Record, Siblings};

use crate::agenda::{Event, MS, Micros};
use crate::disk::{Change, Then};
use crate::flaw::Flaw;
use crate::letter::{Ask, Key, Letter, Return};
use crate::world::World;

impl World {
    /// Answers `letter`, now or when the disk allows.
    pub(crate) fn serve(&mut self, letter: Letter) {
        let Letter { from: back, to: me, key, ask, left, .. } = letter;
        match ask {
            Ask::Forget(digest) => {
                self.forget(me, key, digest);
                self.answer(me, back, Ok(Reply::Done));
            }
            Ask::Fetch => {
                let copy = self.nodes[me].disk.copies.get(&key).cloned();
                self.answer(me, back, Ok(Reply::Copy(copy.map(Encoded::of))));
            }
            Ask::Call(Call::Read { known }) => {
                let reply = self.read(me, key, known);
                self.answer(me, back, reply);
            }
            Ask::Call(Call::ReadHeld { owner }) => {
                let held = self.nodes[me].hints.held(&owner, &self.keys[key]);
                self.answer(me, back, Ok(Reply::Copy(held.map(Encoded::of))));
            }
            Ask::Call(Call::Store(record)) => {
                let mut then = Then::Reply(back, Reply::Done);
                if self.has(Flaw::AckBeforeDurable) {
                    self.answer(me, back, Ok(Reply::Done));
                    then = Then::Nothing;
                }
                self.join(me, key, record, then);
            }
            Ask::Call(Call::Hold { owner, record }) => {
                if self.has(Flaw::StandInForgets) {
                    return self.answer(me, back, Ok(Reply::Done));
                }
                let hint = Hint { owner, key: self.keys[key].clone(), record };
                self.keep(me, hint, Then::Reply(back, Reply::Done));
            }
            Ask::Call(Call::Update { context, value }) => {
                self.update(me, back, key, &context, value);
            }
            Ask::Call(Call::Forward { context, value, w }) => {
                // Nine tenths, so that the primary's own words come back in time.
                let deadline = self.agenda.now() + left * 9 / 10;
                self.begin_forwarded(me, back, key, (context, value, w), deadline);
            }
        }
    }

    fn read(&self, me: usize, key: Key, known: Option<u64>) -> Result<Reply, CallError> {
        let node = &self.nodes[me];
        if !node.catch_up.answers(self.plan.primaries(key)) && !self.has(Flaw::WipedAnswersAtOnce) {
            return Err(CallError::Refused("ERR this node has yet to catch up".into()));
        }
        let copy = node.disk.copies.get(&key);
        if known.is_some() && copy.map(Record::digest) == known {
            return Ok(Reply::Same);
        }
        let nothing = Reply::Nothing { floor: node.floor };
        Ok(copy.map_or(nothing, |copy| Reply::Copy(Some(Encoded::of(copy.clone())))))
    }

    /// Joins `record` with the own copy.
    pub(crate) fn join(&mut self, me: usize, key: Key, record: Record, then: Then) {
        let disk = &self.nodes[me].disk;
        let own = disk.newest(key).cloned();
        let joined = Record::join_held(own.clone(), Some(record)).expect("one is held");
        if own.as_ref() == Some(&joined) && !disk.is_flying(key) {
            return self.then(me, then);
        }
        self.write(me, Change::Copy(key, joined, None), then);
    }

    fn update(
        &mut self,
        me: usize,
        back: Return,
        key: Key,
        context: &Context,
        value: Option<bytes::Bytes>,
    ) {
        let node = &self.nodes[me];
        let mut siblings = match node.disk.newest(key).cloned() {
            Some(Record::Siblings(siblings)) => siblings,
            _ => Siblings::default(),
        };
        siblings.number_above(node.floor, &node.actor);
        let dot = siblings.update(context, node.actor.clone(), value);
        let after = siblings.context_of_writer(&dot);
        let record = Record::Siblings(siblings);
        let then = Then::Reply(back, Reply::Updated(record.clone(), after));
        self.write(me, Change::Copy(key, record, Some(dot)), then);
    }

    /// Keeps `hint`.
    pub(crate) fn keep(&mut self, me: usize, hint: Hint, then: Then) {
        let number = self.nodes[me].take(hint.clone());
        self.write(me, Change::Hint(number, hint), then);
    }

    /// Hands `change` to the disk, behind all that were handed over before.
    pub(crate) fn write(&mut self, me: usize, change: Change, then: Then) {
        let (now, takes) = (self.agenda.now(), self.sync_takes());
        let node = &mut self.nodes[me];
        node.disk.hand_over(change, then);
        node.disk_busy_until = node.disk_busy_until.max(now + takes);
        let life = node.life;
        self.agenda.enter(node.disk_busy_until - now, Event::Durable { node: me, life });
    }

    fn sync_takes(&mut self) -> Micros {
        let is_slow = self.disks.random_range(0..1000) < self.plan.slow;
        // Where nothing but hints brings replicas together, the disk is never slower than a request:
        // an update that its own coordinator has given up has no hint.
        let slowest = if self.plan.has_crashes { 1_500 } else { 300 };
        if is_slow {
            self.disks.random_range(20..slowest) * MS
        } else {
            self.disks.random_range(MS / 2..8 * MS)
        }
    }

    /// The oldest write on its way to a disk is durable.
    pub(crate) fn land(&mut self, me: usize, life: u64) {
        let node = &mut self.nodes[me];
        if !node.is_up || node.life != life {
            return;
        }
        let (change, then) = node.disk.land().expect("each write was entered once");
        self.witness.see(&change);
        self.note(|| format!("n{} has durable {change:?}", me + 1));
        self.then(me, then);
    }

    fn then(&mut self, me: usize, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Reply(back, reply) => self.answer(me, back, Ok(reply)),
            Then::Fetched { other, key, theirs, began } => {
                self.has_joined(me, other, key, theirs.as_ref(), began);
            }
        }
    }
}
