//! The writer of the log in the hands of one thread: who holds it leads.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use super::commit::Writer;
use super::queue::Queue;

/// The writer, held by who leads. Letting go of it wakes whoever can lead next.
pub(super) struct Led<'a> {
    /// `None` only while it is dropped.
    writer: Option<MutexGuard<'a, Writer>>,
    queue: &'a Queue,
}

impl<'a> Led<'a> {
    pub(super) fn new(writer: MutexGuard<'a, Writer>, queue: &'a Queue) -> Led<'a> {
        Led { writer: Some(writer), queue }
    }
}

impl Deref for Led<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        self.writer.as_deref().expect("held until it is dropped")
    }
}

impl DerefMut for Led<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        self.writer.as_deref_mut().expect("held until it is dropped")
    }
}

impl Drop for Led<'_> {
    /// A thread that found the writer held sleeps on a batch that this holder may not have seen.
    fn drop(&mut self) {
        drop(self.writer.take());
        self.queue.hand_over();
    }
}
