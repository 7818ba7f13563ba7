//! What is asked of keys that are read, overwritten and deleted.
//!
//! Values written to a key are unique and ascend from one, so that a read names the write it saw. Only
//! nil has many writers: every delete writes it.

use checker::{Event, Function, Kind, Value};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::generator::{Generator, Invocation};
use crate::keys::ActiveKeys;

/// Reads, overwrites and deletes a few keys at a time.
pub(crate) struct Overwriting {
    pub(crate) rng: ChaCha8Rng,
    pub(crate) keys: ActiveKeys,
    /// Updates of unknown end on a key before it is retired; without it, none is for that.
    pub(crate) infos_per_key: Option<u64>,
    /// Which share of the operations reads.
    pub(crate) read_ratio: f64,
    /// Which share of the others deletes.
    pub(crate) delete_ratio: f64,
}

impl Generator for Overwriting {
    fn next(&mut self, _worker: u32) -> Option<Invocation> {
        let key = self.keys.pick(&mut self.rng);
        // Where nothing is deleted nothing is drawn for it: what is asked stays as it was.
        let (f, value) = if key.ends_life {
            (Function::Delete, Value::Nil)
        } else if self.rng.random_bool(self.read_ratio) {
            (Function::Read, Value::Nil)
        } else if self.delete_ratio > 0.0 && self.rng.random_bool(self.delete_ratio) {
            (Function::Delete, Value::Nil)
        } else {
            (Function::Write, Value::Int(key.next_value()))
        };
        Some(Invocation { f, key: key.name.clone(), value })
    }

    fn observe(&mut self, event: &Event) {
        let Some(most) = self.infos_per_key.filter(|_| event.kind == Kind::Info) else { return };
        let Some(key) = event.key.as_deref().and_then(|name| self.keys.find(name)) else { return };
        key.infos += 1;
        if key.infos >= most {
            key.retire();
        }
    }
}
