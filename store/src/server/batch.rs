//! Which requests of one connection are carried out together.
//!
//! A client that pipelines has sent its next requests before it hears of the first; carried out one by
//! one each would wait for the disk or the network alone. Requests that touch different keys, or only
//! read, cannot be told apart by who began first, so they go together, and their replies leave in the
//! order in which they were asked. Whatever meets a key that an earlier one writes, or writes one that
//! an earlier one reads, waits for it: on one connection a GET sees the SET before it.

use xxhash_rust::xxh3::xxh3_64;

use crate::command::{Command, Touched};

/// The most that is carried out together for one connection; a bound on what its replies take.
const COMMANDS_MAX: usize = 64;
/// Keys that are looked through one by one; a batch that names more takes no more commands.
const KEYS_MAX: usize = 128;

/// Requests of one connection to be carried out together, in the order of their replies.
#[derive(Debug, Default)]
pub(super) struct Batch {
    commands: Vec<Command>,
    /// How many of them are known below: one alone is never looked up.
    known: usize,
    /// The hash of each key named, and whether it is written. Two keys of one hash pass for the same,
    /// which costs them a wait.
    keys: Vec<(u64, bool)>,
    is_closed: bool,
}

impl Batch {
    /// Whether `command` may go with those that are here.
    pub(super) fn admits(&mut self, command: &Command) -> bool {
        if self.commands.is_empty() {
            return true;
        }
        self.learn();
        if self.is_closed || self.commands.len() >= COMMANDS_MAX || self.keys.len() > KEYS_MAX {
            return false;
        }
        let (keys, writes) = match command.touched() {
            Touched::Read(keys) => (keys, false),
            Touched::Written(keys) => (keys, true),
            Touched::All => return false,
        };
        let meets = |key: &[u8]| {
            let hash = xxh3_64(key);
            self.keys.iter().any(|&(known, is_written)| known == hash && (writes || is_written))
        };
        keys.len() <= KEYS_MAX && !keys.into_iter().any(meets)
    }

    /// *Requires* that it is admitted.
    pub(super) fn push(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// What is here, in order; it is empty then.
    pub(super) fn take(&mut self) -> Vec<Command> {
        let commands = std::mem::take(&mut self.commands);
        (self.known, self.is_closed) = (0, false);
        self.keys.clear();
        commands
    }

    fn learn(&mut self) {
        for command in &self.commands[self.known..] {
            let (keys, writes) = match command.touched() {
                Touched::Read(keys) => (keys, false),
                Touched::Written(keys) => (keys, true),
                Touched::All => {
                    self.is_closed = true;
                    continue;
                }
            };
            self.is_closed |= keys.len() > KEYS_MAX;
            self.keys.extend(keys.iter().take(KEYS_MAX).map(|key| (xxh3_64(key), writes)));
        }
        self.known = self.commands.len();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn get(keys: &[&'static str]) -> Command {
        Command::Get { keys: keys.iter().map(|key| Bytes::from(*key)).collect(), many: true }
    }

    fn set(key: &'static str) -> Command {
        Command::Set { pairs: vec![(key.into(), "v".into())] }
    }

    /// How many of `commands` are carried out together, run by run.
    fn runs(commands: impl IntoIterator<Item = Command>) -> Vec<usize> {
        let (mut batch, mut runs) = (Batch::default(), Vec::new());
        for command in commands {
            if !batch.admits(&command) {
                runs.push(batch.take().len());
            }
            batch.push(command);
        }
        runs.push(batch.take().len());
        runs
    }

    #[test]
    fn different_keys_and_reads_of_the_same_go_together() {
        assert_eq!(runs([set("a"), set("b"), get(&["c"]), get(&["c", "d"])]), [4]);
    }

    #[test]
    fn who_meets_a_write_waits_for_it() {
        assert_eq!(runs([set("a"), get(&["b", "a"])]), [1, 1]);
        assert_eq!(runs([set("a"), set("a")]), [1, 1]);
        assert_eq!(
            runs([get(&["a"]), set("a")]),
            [1, 1],
            "a read must not see what is asked later"
        );
        assert_eq!(runs([set("a"), set("b"), set("a"), set("b")]), [2, 2]);
    }

    #[test]
    fn what_looks_at_the_whole_node_goes_alone() {
        assert_eq!(runs([set("a"), Command::DbSize, set("b"), set("c")]), [1, 1, 2]);
    }

    #[test]
    fn who_names_very_many_keys_goes_alone() {
        let many = || Command::Get { keys: vec![Bytes::from("k"); KEYS_MAX + 1], many: true };
        assert_eq!(runs([get(&["a"]), many(), get(&["a"]), get(&["b"])]), [1, 1, 2]);
    }

    #[test]
    fn no_more_than_a_window_goes_together() {
        let reads = (0..COMMANDS_MAX + 3).map(|_| get(&["a"]));
        assert_eq!(runs(reads), [COMMANDS_MAX, 3]);
    }
}
