//! What sets this life of a node apart from all its others.
//!
//! The *epoch* is drawn once, when a data directory is made, and kept there: who lost its data is a new
//! actor, and gives no dot a second time. The *boot* rises with every start: heartbeats and nonces of
//! this start are unlike those of any before. It is the wall clock where that is ahead of the boot
//! kept, so that it rises even if the directory was wiped: else the others, remembering a higher
//! heartbeat, would take the node for dead until it had counted as far again.

use rand::Rng;
use rand::rngs::ChaCha8Rng;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::engine::{Batch, Engine, EngineError};
use crate::layout;

/// What sets this life of a node apart from all its others.
pub(super) struct Incarnation {
    /// Of the data directory.
    pub(super) epoch: u64,
    /// Of this start.
    pub(super) boot: u64,
}

/// Begins another life on `engine`; returns when that is durable.
pub(super) async fn begin(
    engine: &dyn Engine,
    clock: &dyn Clock,
    random: &mut ChaCha8Rng,
) -> Result<Incarnation, EngineError> {
    let epoch = load(engine, layout::EPOCH)?.unwrap_or_else(|| random.next_u64());
    let last = load(engine, layout::BOOT)?.unwrap_or(0);
    let boot = clock.micros().max(last + 1);
    let entry = |name, value: u64| {
        (layout::meta(name), Some(bytes::Bytes::copy_from_slice(&value.to_be_bytes())))
    };
    let batch = Batch { entries: vec![entry(layout::EPOCH, epoch), entry(layout::BOOT, boot)] };
    let (told, durable) = oneshot::channel();
    engine.write(batch, Box::new(move |result| drop(told.send(result))));
    durable.await.map_err(|_| EngineError::Closed("it ended at once".to_owned()))??;
    Ok(Incarnation { epoch, boot })
}

fn load(engine: &dyn Engine, name: &str) -> Result<Option<u64>, EngineError> {
    let kept = engine.get(&layout::meta(name))?;
    Ok(kept.and_then(|bytes| Some(u64::from_be_bytes(bytes[..].try_into().ok()?))))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::engine::{Durable, Options};

    struct Stopped(u64);

    impl Clock for Stopped {
        fn micros(&self) -> u64 {
            self.0
        }
    }

    #[tokio::test]
    async fn the_epoch_stays_with_the_directory_and_the_boot_always_rises() {
        let directory = tempfile::tempdir().unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut lives = Vec::new();
        for micros in [100, 100, 50] {
            let engine = Durable::open(directory.path(), Options::default()).unwrap();
            lives.push(begin(&engine, &Stopped(micros), &mut random).await.unwrap());
            engine.close().unwrap();
        }
        assert_eq!(lives.iter().map(|life| life.boot).collect::<Vec<_>>(), [100, 101, 102]);
        assert!(lives.iter().all(|life| life.epoch == lives[0].epoch));
        let wiped = tempfile::tempdir().unwrap();
        let engine = Durable::open(wiped.path(), Options::default()).unwrap();
        let life = begin(&engine, &Stopped(200), &mut random).await.unwrap();
        assert_ne!(life.epoch, lives[0].epoch);
        assert_eq!(life.boot, 200);
    }
}
