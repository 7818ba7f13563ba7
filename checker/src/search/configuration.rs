//! A point of the search: which calls are in order so far, and the state they lead to.

use crate::model::Model;
use crate::search::timeline::Timeline;

/// All calls before `frontier` are ordered, `frontier` is not, and of those after it exactly
/// `ahead`, which ascend. Equal configurations have equal futures.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Configuration<S> {
    frontier: u32,
    ahead: Vec<u32>,
    state: S,
}

impl<S: Clone> Configuration<S> {
    /// Nothing is ordered yet.
    pub(super) fn start(state: S) -> Configuration<S> {
        Configuration { frontier: 0, ahead: Vec::new(), state }
    }

    pub(super) fn frontier(&self) -> u32 {
        self.frontier
    }

    pub(super) fn state(&self) -> &S {
        &self.state
    }

    /// Every configuration one update later, with the reads it allows taken at once. The update that
    /// must return first leads to the first.
    pub(super) fn successors<M>(&self, model: &M, timeline: &Timeline<'_>) -> Vec<Configuration<S>>
    where
        M: Model<State = S>,
    {
        let mut tried = Vec::new();
        let mut successors = Vec::new();
        for number in self.candidates(timeline) {
            let call = timeline.call(number);
            // Equal updates are interchangeable, and the first to return is the most constrained.
            if call.is_read() || tried.contains(&call) {
                continue;
            }
            tried.push(call);
            let Some(state) = model.step(&self.state, call) else { continue };
            let mut next = Configuration { state, ..self.clone() };
            next.order(number);
            next.take_reads(model, timeline);
            successors.push(next);
        }
        successors
    }

    /// Orders every read that may come now and that the state satisfies.
    pub(super) fn take_reads<M>(&mut self, model: &M, timeline: &Timeline<'_>)
    where
        M: Model<State = S>,
    {
        while !timeline.is_past(self.frontier) {
            let satisfied: Vec<u32> = self
                .candidates(timeline)
                .filter(|number| timeline.call(*number).is_read())
                .filter(|number| model.step(&self.state, timeline.call(*number)).is_some())
                .collect();
            if satisfied.is_empty() {
                return;
            }
            for number in satisfied {
                self.order(number);
            }
        }
    }

    /// About how many bytes the cache and the stack spend on this.
    pub(super) fn bytes<M: Model<State = S>>(&self, model: &M) -> usize {
        2 * (size_of::<Self>() + 4 * self.ahead.len() + model.weight(&self.state))
    }

    fn candidates<'t>(&'t self, timeline: &'t Timeline<'_>) -> impl Iterator<Item = u32> + 't {
        timeline.enabled(self.frontier).filter(|number| self.ahead.binary_search(number).is_err())
    }

    /// Puts the call of this number next, and moves the frontier past what is now ordered.
    fn order(&mut self, number: u32) {
        if let Err(at) = self.ahead.binary_search(&number) {
            self.ahead.insert(at, number);
        }
        let passed = self.ahead.iter().zip(self.frontier..).take_while(|(a, b)| *a == b).count();
        self.ahead.drain(..passed);
        self.frontier += passed as u32;
    }
}
