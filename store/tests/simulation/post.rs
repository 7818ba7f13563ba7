//! How an ask gets from one node to another, and its answer back.

use store::peer::CallError;
use store::request::{Call, Reply};

use crate::agenda::{Event, Micros};
use crate::letter::{Ask, Key, Letter, Return};
use crate::node::{Errand, Waiting};
use crate::world::World;

impl World {
    /// Where the answer to `call` of `node` goes.
    pub(crate) fn back(&self, node: usize, call: u64) -> Return {
        Return { node, life: self.nodes[node].life, call }
    }

    /// Begins a call, for which nothing is sent.
    pub(crate) fn expect(&mut self, from: usize, errand: Errand, to: usize) -> Return {
        let call = self.number();
        self.nodes[from].waiting.insert(call, Waiting { to, errand });
        self.back(from, call)
    }

    /// Calls `to`, or this node itself; what becomes of it will be heard by the deadline, once.
    pub(crate) fn call(
        &mut self,
        (from, errand): (usize, Errand),
        to: usize,
        (key, ask): (Key, Ask),
        deadline: Micros,
    ) {
        let back = self.expect(from, errand, to);
        let left = deadline.saturating_sub(self.agenda.now());
        if to == from {
            let to_life = back.life;
            self.serve(Letter { from: back, to, to_life, key, ask, left });
        } else if let Some(to_life) = self.nodes[from].links[to] {
            if self.network.is_overloaded() {
                return self.agenda.enter(0, Event::Heard(back, Err(CallError::Overloaded)));
            }
            self.send(Letter { from: back, to, to_life, key, ask, left });
        } else {
            return self.agenda.enter(0, Event::Heard(back, Err(CallError::NotConnected)));
        }
        self.agenda.enter(left, Event::Heard(back, Err(CallError::Late)));
    }

    fn send(&mut self, letter: Letter) {
        if let Ask::Call(Call::Store(_) | Call::Hold { .. }) = letter.ask
            && self.network.doubles()
            && let Some(delay) = self.network.delay()
        {
            self.agenda.enter(delay, Event::Ask(letter.clone()));
        }
        if let Some(delay) = self.network.delay() {
            self.agenda.enter(delay, Event::Ask(letter));
        } else {
            self.note(|| format!("lost on its way: {letter:?}"));
        }
    }

    /// A letter is at its addressee, unless something came between.
    pub(crate) fn deliver(&mut self, letter: Letter) {
        let to = &self.nodes[letter.to];
        if !to.is_up || to.life != letter.to_life {
            return;
        }
        if self.network.passes(letter.from.node, letter.to) {
            self.note(|| format!("n{} gets {letter:?}", letter.to + 1));
            self.serve(letter);
        } else if let Some(later) = self.network.again() {
            self.agenda.enter(later, Event::Ask(letter));
        }
    }

    /// Sends an answer back, over the network if it was not this node that asked.
    pub(crate) fn answer(&mut self, from: usize, back: Return, heard: Result<Reply, CallError>) {
        if back.node == from {
            self.agenda.enter(0, Event::Heard(back, heard));
        } else if let Some(delay) = self.network.delay() {
            self.agenda.enter(delay, Event::Answer(from, back, heard));
        }
    }

    /// An answer is back at who asked, unless something came between.
    pub(crate) fn carry_back(
        &mut self,
        from: usize,
        back: Return,
        heard: Result<Reply, CallError>,
    ) {
        if self.network.passes(from, back.node) {
            self.hear(back, heard);
        } else if let Some(later) = self.network.again() {
            self.agenda.enter(later, Event::Answer(from, back, heard));
        }
    }

    /// What became of a call; the first that is heard of it counts.
    pub(crate) fn hear(&mut self, back: Return, heard: Result<Reply, CallError>) {
        let node = &mut self.nodes[back.node];
        if !node.is_up || node.life != back.life {
            return;
        }
        let Some(Waiting { to, errand }) = node.waiting.remove(&back.call) else { return };
        match errand {
            Errand::Request(request, id) => self.request_hears(back.node, request, &id, heard),
            Errand::Hint(owner, id) => self.hint_was_answered(back.node, &owner, id, &heard),
            Errand::Fetch(key, began) => self.fetched(back.node, to, key, began, heard),
            Errand::Compare(key, began) => self.compared((back.node, began), to, key, &heard),
            Errand::Push => {}
        }
    }
}
