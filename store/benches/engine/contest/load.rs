//! The loads: what each needs before it, how many threads it has, and how much it does.

use clap::ValueEnum;

/// One load, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Load {
    /// Every key once, ascending.
    SequentialFill,
    /// Every key once, in an order without pattern. What it leaves is read by the loads below.
    RandomFill,
    /// Keys in an order without pattern, each put synced before the next.
    SyncedFill,
    /// The same from eight threads, whose puts may share a sync.
    SyncedFill8,
    /// Uniform reads of keys that fit in the block cache, which is warm.
    HotRead,
    /// Uniform reads of all keys with a small block cache, the page cache dropped now and then.
    ColdRead,
    /// Uniform reads of keys that are not there, but lie between those that are.
    MissingRead,
    /// Every pair, in order.
    Scan,
    /// Half reads, half updates, of keys that Zipf's law prefers; two threads.
    YcsbA,
    /// The same with one update in twenty.
    YcsbB,
    /// Open, and one read, after half of the keys were put and the process was killed.
    Reopen,
}

/// What a load finds in its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// Nothing.
    Empty,
    /// What [`Load::RandomFill`] left.
    Filled,
    /// What a process left that was killed.
    Killed,
}

impl Load {
    /// The name of its row.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Load::SequentialFill => "sequential fill",
            Load::RandomFill => "random fill",
            Load::SyncedFill => "synced fill, 1 thread",
            Load::SyncedFill8 => "synced fill, 8 threads",
            Load::HotRead => "random read, hot",
            Load::ColdRead => "random read, cold",
            Load::MissingRead => "missing keys",
            Load::Scan => "full scan",
            Load::YcsbA => "YCSB A (50/50), 2 threads",
            Load::YcsbB => "YCSB B (95/5), 2 threads",
            Load::Reopen => "reopen after a kill",
        }
    }

    pub(crate) fn base(self) -> Base {
        match self {
            Load::SequentialFill | Load::RandomFill | Load::SyncedFill | Load::SyncedFill8 => {
                Base::Empty
            }
            Load::Reopen => Base::Killed,
            _ => Base::Filled,
        }
    }

    pub(crate) fn threads(self) -> u64 {
        match self {
            Load::SyncedFill8 => 8,
            Load::YcsbA | Load::YcsbB => 2,
            _ => 1,
        }
    }

    /// How many operations count, of a data set of so many keys. Synced puts and cold reads wait
    /// for the disk: fewer of them say as much.
    pub(crate) fn operations(self, keys: u64) -> u64 {
        let part = match self {
            Load::SyncedFill => keys / 50,
            Load::SyncedFill8 => keys / 20,
            Load::ColdRead => keys / 100,
            Load::Reopen => 1,
            _ => keys,
        };
        part.max(1)
    }

    pub(crate) fn synced(self) -> bool {
        matches!(self, Load::SyncedFill | Load::SyncedFill8)
    }

    /// One operation in so many is an update, if it updates.
    pub(crate) fn update_every(self) -> Option<u64> {
        match self {
            Load::YcsbA => Some(2),
            Load::YcsbB => Some(20),
            _ => None,
        }
    }

    /// Whether it leaves the engine something to settle.
    pub(crate) fn writes(self) -> bool {
        self.base() == Base::Empty || self.update_every().is_some()
    }
}
