//! The end of a turn: what else was ready to run, runs first.
//!
//! A task that has begun something others could share, a commit or a packet, lets those go first who are
//! about to add to it. The runtime keeps its ready tasks in line, so whoever steps back once runs after all
//! of them, and after the tasks *they* woke: connections begin their requests, then links send what was
//! asked, then the first of the connections has the writes of all committed. Unlike
//! [`yield_now`](tokio::task::yield_now) it does not ask the kernel for more events first, which would
//! be a system call for each turn.

use std::future::poll_fn;
use std::task::Poll;

/// Steps back behind all that is ready to run.
pub(crate) async fn end_of_turn() {
    let mut has_stepped_back = false;
    poll_fn(|context| {
        if has_stepped_back {
            return Poll::Ready(());
        }
        has_stepped_back = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
