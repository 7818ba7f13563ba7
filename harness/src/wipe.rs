//! When a disk may be lost: one at a time.
//!
//! A store that acknowledges a write after W = 2 replicas have it keeps that write when one disk is
//! lost, whichever it is. It cannot keep it when the second is lost before the first has got back
//! what it held: no store could, so a run that does this proves nothing. Therefore a wipe waits while
//! another one is unfinished, or while any node says that it has yet to catch up (it may do so for
//! reasons of its own). It waits no longer than until it should have ended, and is then called off,
//! which the history says with the reason.
//!
//! A node that does not answer, but whose disk nobody took (it is killed, paused or cut off) holds up
//! nothing: what it acknowledged is still on its disk.
//!
//! ```text
//! asked for ── free ──► killed, erased ── planned end ──► started ── caught up ──► ended
//!     └─ held back ── free in time ──┘
//!             └─ planned end ──► called off
//! ```

use crate::catch_up::{Standings, behind};

/// What forbids to take a disk now, in words; `None` when nothing does. `unfinished` are the nodes
/// whose disk was taken, and who were not seen to have caught up since.
pub(crate) fn hindrance<'n>(
    unfinished: impl IntoIterator<Item = &'n str>,
    standings: &Standings,
) -> Option<String> {
    let lost = unfinished.into_iter().next();
    let lost = lost.map(|node| format!("{node} has not caught up since its own disk was lost"));
    lost.or_else(|| {
        standings.iter().find_map(|(node, standing)| match standing {
            Ok(0) | Err(_) => None,
            Ok(replicas) => Some(behind(node, *replicas)),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standings(n2: Result<u64, String>) -> Standings {
        Standings::from([("n1".to_owned(), Ok(0)), ("n2".to_owned(), n2)])
    }

    #[test]
    fn a_disk_may_be_lost_where_all_others_are_whole() {
        assert_eq!(hindrance([], &standings(Ok(0))), None);
    }

    #[test]
    fn no_second_disk_is_lost_before_the_first_is_made_good() {
        let why = hindrance(["n2"], &standings(Ok(0))).expect("n2 is not seen to have caught up");
        assert_eq!(why, "n2 has not caught up since its own disk was lost");
        let why = hindrance([], &standings(Ok(1))).expect("n2 lags for reasons of its own");
        assert_eq!(why, "n2 has yet to compare its copies with 1 replicas");
    }

    #[test]
    fn a_silent_node_that_kept_its_disk_holds_up_nothing() {
        assert_eq!(hindrance([], &standings(Err("killed".to_owned()))), None);
        let lost = hindrance(["n2"], &standings(Err("killed".to_owned())));
        assert!(lost.is_some(), "and one that lost it does");
    }
}
