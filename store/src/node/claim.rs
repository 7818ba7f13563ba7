//! Whether a data directory lies as this release lays it, said before anything in it is read.
//!
//! An empty directory is claimed for the layout of today. One that holds anything remembers the
//! layout it was begun with, or is older than that memory, which means the first.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::engine::{Batch, Engine, EngineError};
use crate::layout;
use crate::replica::ReplicaError;

/// Goes on only with a directory of this release's layout.
pub(super) async fn claim(engine: &dyn Engine) -> Result<(), ReplicaError> {
    let kept = match load(engine, layout::LAYOUT)? {
        Some(kept) => kept,
        None if engine.scan(&[], 1)?.is_empty() => {
            return Ok(remember(engine, &[(layout::LAYOUT, layout::VERSION)]).await?);
        }
        None => 1,
    };
    let asked = layout::VERSION;
    if kept == asked { Ok(()) } else { Err(ReplicaError::Layout { kept, asked }) }
}

/// What the node remembers under `name`.
pub(super) fn load(engine: &dyn Engine, name: &str) -> Result<Option<u64>, EngineError> {
    let kept = engine.get(&layout::meta(name))?;
    Ok(kept.and_then(|bytes| Some(u64::from_be_bytes(bytes[..].try_into().ok()?))))
}

/// Remembers all of these; returns when that is durable.
pub(super) async fn remember(engine: &dyn Engine, what: &[(&str, u64)]) -> Result<(), EngineError> {
    let entry = |(name, value): &(&str, u64)| {
        (layout::meta(name), Some(Bytes::copy_from_slice(&value.to_be_bytes())))
    };
    let batch = Batch { entries: what.iter().map(entry).collect() };
    let (told, durable) = oneshot::channel();
    engine.write(batch, Box::new(move |result| drop(told.send(result))));
    durable.await.map_err(|_| EngineError::Closed("it ended at once".to_owned()))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsm::{Lsm, Options};

    #[tokio::test]
    async fn an_empty_directory_is_claimed_and_known_again() {
        let directory = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let engine = Lsm::open(directory.path(), Options::default()).unwrap();
            claim(&engine).await.unwrap();
            engine.close().unwrap();
        }
    }

    #[tokio::test]
    async fn a_directory_of_another_layout_is_refused_in_words() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Lsm::open(directory.path(), Options::default()).unwrap();
        let refused = async || claim(&engine).await.unwrap_err().to_string();
        remember(&engine, &[(layout::BOOT, 1)]).await.unwrap();
        let told = "ERR the data lies in layout 1, and this release finds it in layout 2 only";
        assert!(refused().await.starts_with(told), "{}", refused().await);
        remember(&engine, &[(layout::LAYOUT, 3)]).await.unwrap();
        assert!(refused().await.contains("lies in layout 3"), "{}", refused().await);
        engine.close().unwrap();
    }
}
