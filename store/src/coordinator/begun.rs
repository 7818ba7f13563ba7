//! A request that was begun, and its client's part in it: to wait, and to be told.
//!
//! A connection begins all its requests before it waits for any of them, so that their writes are
//! committed together, and their calls to one node leave in one packet.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep_until;

use super::errand::{Errand, Told};
use super::post::Post;
use crate::request::Failure;
use crate::turn::end_of_turn;

/// A request that was begun.
pub enum Begun {
    /// Its client can be told already.
    Over(Told),
    /// Something must be heard first.
    UnderWay(UnderWay),
}

/// A request whose client waits. Dropped, it goes on without one.
pub struct UnderWay {
    /// `None` once its client was told.
    errand: Option<Box<Errand>>,
    post: Arc<Post>,
}

impl Begun {
    pub(super) fn new(mut errand: Errand, told: Option<Told>) -> Begun {
        match told {
            Some(told) if errand.is_over() => Begun::Over(told),
            told => {
                let post = errand.post().clone();
                match told {
                    Some(told) => {
                        post.lay_down(Box::new(errand));
                        Begun::Over(told)
                    }
                    None => Begun::UnderWay(UnderWay { errand: Some(Box::new(errand)), post }),
                }
            }
        }
    }

    pub(super) fn refused(failure: Failure) -> Begun {
        Begun::Over(Err(failure))
    }

    /// Waits until the client can be told.
    pub async fn end(self) -> Told {
        match self {
            Begun::Over(told) => told,
            Begun::UnderWay(under_way) => under_way.end().await,
        }
    }
}

impl UnderWay {
    /// The own engine was led since it was begun: what its client can be told by now.
    pub fn look_after_lead(&mut self) -> Option<Told> {
        self.errand.as_mut()?.forget_left_writes();
        self.look()
    }

    /// What its client can be told, by what was heard until now.
    fn look(&mut self) -> Option<Told> {
        let errand = self.errand.as_mut()?;
        let letters = self.post.letters();
        let told = if letters.is_empty() { None } else { errand.read_in_time(letters) };
        self.unless_told(told)
    }

    /// Waits until its client can be told.
    pub async fn end(mut self) -> Told {
        let mut sleep = pin!(sleep_until(self.due().into()));
        loop {
            if let Some(told) = self.look() {
                return told;
            }
            if self.errand.as_ref().is_some_and(|errand| errand.has_left_writes()) {
                // Others who are about to leave theirs should share the commit.
                end_of_turn().await;
                self.post.coordinator.replica.lead();
                if let Some(told) = self.look_after_lead() {
                    return told;
                }
                continue;
            }
            let due = self.due().into();
            if sleep.deadline() != due {
                sleep.as_mut().reset(due);
            }
            tokio::select! {
                biased;
                () = self.post.arrival() => {}
                () = sleep.as_mut() => {
                    if let Some(told) = self.hurry() {
                        return told;
                    }
                }
            }
        }
    }

    fn hurry(&mut self) -> Option<Told> {
        let told = self.errand.as_mut()?.hurry(Instant::now());
        self.unless_told(told)
    }

    /// Once the client is told, the rest goes on behind its back.
    fn unless_told(&mut self, told: Option<Told>) -> Option<Told> {
        if told.is_some() {
            self.lay_down();
        }
        told
    }

    fn lay_down(&mut self) {
        if let Some(errand) = self.errand.take().filter(|errand| !errand.is_over()) {
            self.post.lay_down(errand);
        }
    }

    fn due(&self) -> Instant {
        self.errand.as_ref().expect("its client waits").due()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.lay_down();
    }
}
