//! What sets this life of a node apart from all its others.
//!
//! The *epoch* is drawn once, when a data directory is made, and kept there: who lost its data is a new
//! actor, and gives no dot a second time. Where writes are synced by the interval, a power loss takes
//! the last dots back after others have seen them, and who went on counting would give them again, to
//! other values; so there every start draws an epoch of its own and keeps none. The price is an entry
//! in the siblings' histories for every start that wrote to them.
//!
//! The *boot* rises with every start: heartbeats and nonces of this start are unlike those of any
//! before. It is the wall clock where that is ahead of the boot kept, so that it rises even if the
//! directory was wiped; should the clock have gone back too, the others tell the node how far it had
//! counted, see [`Membership::hear`](crate::membership::Membership::hear).

use rand::Rng;
use rand::rngs::ChaCha8Rng;

use super::claim::{load, remember};
use crate::clock::Clock;
use crate::config::Sync;
use crate::engine::{Engine, EngineError};
use crate::layout;

/// What sets this life of a node apart from all its others.
pub(super) struct Incarnation {
    /// Of the data directory, or of this start where dots may be lost with the power.
    pub(super) epoch: u64,
    /// Of this start.
    pub(super) boot: u64,
    /// Whether nothing is missing in the data directory: it has caught up once, see
    /// [`CatchUp`](crate::catch_up::CatchUp).
    pub(super) is_whole: bool,
}

/// Begins another life on `engine`; returns when that is durable.
pub(super) async fn begin(
    engine: &dyn Engine,
    clock: &dyn Clock,
    sync: Sync,
    random: &mut ChaCha8Rng,
) -> Result<Incarnation, EngineError> {
    let keeps_dots = sync == Sync::Always;
    let kept = if keeps_dots { load(engine, layout::EPOCH)? } else { None };
    let epoch = kept.unwrap_or_else(|| random.next_u64());
    let is_whole = engine.get(&layout::meta(layout::WHOLE))?.is_some();
    let last = load(engine, layout::BOOT)?.unwrap_or(0);
    let boot = clock.micros().max(last + 1);
    let mut life = vec![(layout::BOOT, boot)];
    life.extend(keeps_dots.then_some((layout::EPOCH, epoch)));
    remember(engine, &life).await?;
    Ok(Incarnation { epoch, boot, is_whole })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand::SeedableRng;

    use super::*;
    use crate::lsm::{Lsm, Options};

    struct Stopped(u64);

    impl Clock for Stopped {
        fn micros(&self) -> u64 {
            self.0
        }
    }

    /// A life on `directory`, which then ends in good order.
    async fn live(
        directory: &Path,
        micros: u64,
        sync: Sync,
        random: &mut ChaCha8Rng,
    ) -> Incarnation {
        let engine = Lsm::open(directory, Options { sync, ..Options::default() }).unwrap();
        let life = begin(&engine, &Stopped(micros), sync, random).await.unwrap();
        engine.close().unwrap();
        life
    }

    #[tokio::test]
    async fn the_epoch_stays_with_the_directory_and_the_boot_always_rises() {
        let directory = tempfile::tempdir().unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut lives = Vec::new();
        for micros in [100, 100, 50] {
            lives.push(live(directory.path(), micros, Sync::Always, &mut random).await);
        }
        assert_eq!(lives.iter().map(|life| life.boot).collect::<Vec<_>>(), [100, 101, 102]);
        assert!(lives.iter().all(|life| life.epoch == lives[0].epoch));
        let wiped = tempfile::tempdir().unwrap();
        let life = live(wiped.path(), 200, Sync::Always, &mut random).await;
        assert_ne!(life.epoch, lives[0].epoch);
        assert_eq!(life.boot, 200);
    }

    #[tokio::test]
    async fn where_dots_may_be_lost_with_the_power_every_start_is_another_actor() {
        let directory = tempfile::tempdir().unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut epochs = Vec::new();
        let every = Sync::Every(100);
        for sync in [Sync::Always, every, every, Sync::Always] {
            epochs.push(live(directory.path(), 100, sync, &mut random).await.epoch);
        }
        assert_eq!(epochs[0], epochs[3], "its dots were all synced");
        assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2] && epochs[0] != epochs[2]);
    }
}
