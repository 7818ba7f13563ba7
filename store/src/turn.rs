//! The end of a turn: what else was ready to run, runs first.
//!
//! A task that has begun something others could share, a commit or a packet, lets those go first who are
//! about to add to it. The runtime keeps its ready tasks in line, so whoever steps back once runs after all
//! that were ready or that it had woken: other connections begin their requests, links send what it asked,
//! and then the first of the connections has the writes of all committed. (With more than one thread the
//! line is only nearly one.) Unlike
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn who_steps_back_comes_after_all_that_are_ready_and_those_it_woke() {
        let order = Arc::new(Mutex::new(Vec::new()));
        let (wake, woken) = tokio::sync::oneshot::channel();
        let say = |name: &'static str| {
            let order = order.clone();
            move || order.lock().unwrap().push(name)
        };
        let link = say("the link it wakes");
        let link = tokio::spawn(async move { woken.await.map(|()| link()) });
        tokio::task::yield_now().await;
        let (begins, leads) = (say("begins"), say("leads"));
        let first = tokio::spawn(async move {
            begins();
            wake.send(()).unwrap();
            end_of_turn().await;
            leads();
        });
        let second = tokio::spawn({
            let begins = say("another begins");
            async move { begins() }
        });
        let _ = tokio::join!(first, second, link);
        let order = order.lock().unwrap();
        assert_eq!(*order, ["begins", "another begins", "the link it wakes", "leads"]);
    }
}
