//! Where what becomes of a request's calls is delivered, by whoever hears of it first: the task of a
//! link, the thread that commits, or the client's own.
//!
//! While the client waits, its task reads the letters. Once it has its reply, the errand lies on the
//! desk, and who brings the next letter carries it on: a request needs no task of its own, neither
//! before its reply nor after.
//!
//! ```text
//! attended (by the client's task) -> on the desk -> attended (by who brings a letter) -> on the desk … -> over
//! ```
//!
//! Shape: whoever attends looks for letters once more when it lays the errand down, under the lock under
//! which letters come; so none is left unread.

use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use smallvec::SmallVec;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Coordinator;
use super::errand::Errand;
use crate::peer::CallError;
use crate::request::Reply;

/// What became of the call of this number.
pub(super) type Letter = (usize, Result<Reply, CallError>);

/// Where the letters of one request are delivered.
pub(super) struct Post {
    pub(super) coordinator: Arc<Coordinator>,
    /// A plain lock: held to lay something down or to take it up.
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    letters: SmallVec<[Letter; 1]>,
    /// The client's task, while it sleeps.
    reader: Option<Waker>,
    /// The request, while nobody attends to it: its client was told. Counted among those that go on late.
    errand: Option<(Box<Errand>, TaskTrackerToken)>,
}

impl Post {
    pub(super) fn new(coordinator: Arc<Coordinator>) -> Arc<Post> {
        Arc::new(Post { coordinator, desk: Mutex::default() })
    }

    /// Brings a letter. May carry the request on, so the caller must hold no lock that this could want:
    /// of the stripes, of hints, of a link.
    pub(super) fn deliver(self: &Arc<Self>, letter: Letter) {
        let mut desk = self.desk();
        desk.letters.push(letter);
        let (reader, errand) = (desk.reader.take(), desk.errand.take());
        drop(desk);
        if let Some(reader) = reader {
            reader.wake();
        }
        if let Some((errand, late)) = errand {
            self.attend(errand, late);
        }
    }

    /// Takes all letters that are here.
    pub(super) fn letters(&self) -> SmallVec<[Letter; 1]> {
        mem::take(&mut self.desk().letters)
    }

    /// Returns when there is a letter.
    pub(super) async fn arrival(&self) {
        poll_fn(|context| {
            let mut desk = self.desk();
            if !desk.letters.is_empty() {
                return Poll::Ready(());
            }
            desk.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Leaves a request, whose client was told or went away, to whoever brings the next letter.
    pub(super) fn lay_down(self: &Arc<Self>, mut errand: Box<Errand>) {
        self.see_to_writes(&mut errand);
        self.attend(errand, self.coordinator.late.token());
    }

    /// Carries the request on while there are letters. Whom it tells what is heard no more.
    fn attend(self: &Arc<Self>, mut errand: Box<Errand>, late: TaskTrackerToken) {
        loop {
            let mut desk = self.desk();
            if desk.letters.is_empty() {
                if !errand.is_over() {
                    errand.set_post(None);
                    desk.errand = Some((errand, late));
                }
                return;
            }
            let letters = mem::take(&mut desk.letters);
            drop(desk);
            errand.set_post(Some(self.clone()));
            let _told = errand.read(letters);
            self.see_to_writes(&mut errand);
        }
    }

    /// Has the writes of a request committed that nobody else will. Not led: the thread that commits may
    /// be the one that brought the letter.
    fn see_to_writes(&self, errand: &mut Errand) {
        if errand.has_left_writes() {
            errand.forget_left_writes();
            self.coordinator.replica.wake();
        }
    }

    /// State is valid after every statement: a panic elsewhere leaves it usable.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
