//! What a power loss leaves of changes that no sync had made durable.
//!
//! Until a sync returns, the system may have written any of what it was handed, in any order, and of
//! one write any sectors: nothing orders the bytes of a file with its length, or a directory with the
//! files in it. All of these subsets cannot be tried; the model offers those that have broken
//! databases before, and draws others from a seed; each is deterministic, so that a failure found is
//! found again.
//! Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, §3 and table 1; Zheng
//! et al., "Torturing Databases for Fun and Profit", OSDI 2014.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::content::{Change, Content};

/// What is left of un-synced changes: of the files' bytes and lengths, and of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remains {
    /// Of the changes of each file.
    pub data: Data,
    /// Of the changes of each directory.
    pub names: Names,
}

/// What is left of the un-synced changes of each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// None of them.
    Lost,
    /// All of them.
    Kept,
    /// The first so many, in the order they were made.
    First(usize),
    /// All but the last write are lost, which overtook them.
    Last,
    /// The lengths, while the bytes written are zeros.
    Zeros,
    /// All of them, but of the last write a prefix only.
    Torn(Tear, Rest),
    /// Of each change what is drawn for it from this seed: all, nothing, its first half, its length.
    /// Each file draws for itself.
    Drawn(u64),
}

/// Where the last write is torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// In its middle.
    Half,
    /// At the last border of a sector of 512 bytes before its end; at its beginning if it has none.
    Sector,
}

/// What stands where the rest of a torn write should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// What was there before; nothing if the file ended there.
    Old,
    /// Zeros: the file grew, but the bytes did not follow.
    Zeros,
}

/// What is left of the un-synced changes of each directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// None of them.
    Lost,
    /// All of them.
    Kept,
    /// The first so many, in the order they were made.
    First(usize),
    /// All but the last change are lost, which overtook them.
    Last,
    /// Each or not, as is drawn for it from this seed.
    Drawn(u64),
}

impl Remains {
    /// What a seed draws for each change by itself: a combination that nobody thought of.
    pub fn drawn(seed: u64) -> Remains {
        Remains { data: Data::Drawn(seed), names: Names::Drawn(seed) }
    }

    /// Every combination the model offers.
    pub fn all() -> impl Iterator<Item = Remains> {
        Data::ALL.into_iter().flat_map(|data| Names::ALL.map(|names| Remains { data, names }))
    }
}

impl fmt::Display for Remains {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "un-synced data: {}; un-synced names: {}", self.data, self.names)
    }
}

impl fmt::Display for Data {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Data::Lost => out.write_str("lost"),
            Data::Kept => out.write_str("kept"),
            Data::First(kept) => write!(out, "first {kept} kept"),
            Data::Last => out.write_str("last write kept alone"),
            Data::Zeros => out.write_str("lengths kept, bytes zero"),
            Data::Torn(tear, rest) => {
                let tear = match tear {
                    Tear::Half => "in its middle",
                    Tear::Sector => "at a sector",
                };
                let rest = match rest {
                    Rest::Old => "old bytes",
                    Rest::Zeros => "zeros",
                };
                write!(out, "last write torn {tear}, then {rest}")
            }
            Data::Drawn(seed) => write!(out, "drawn from {seed}"),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Names::Lost => out.write_str("lost"),
            Names::Kept => out.write_str("kept"),
            Names::First(kept) => write!(out, "first {kept} kept"),
            Names::Last => out.write_str("last change kept alone"),
            Names::Drawn(seed) => write!(out, "drawn from {seed}"),
        }
    }
}

impl Data {
    const ALL: [Data; 10] = [
        Data::Lost,
        Data::Kept,
        Data::First(1),
        Data::First(2),
        Data::Last,
        Data::Zeros,
        Data::Torn(Tear::Half, Rest::Old),
        Data::Torn(Tear::Half, Rest::Zeros),
        Data::Torn(Tear::Sector, Rest::Old),
        Data::Torn(Tear::Sector, Rest::Zeros),
    ];

    /// What is left of file number `file`.
    pub(super) fn of_file(self, file: usize) -> Data {
        match self {
            Data::Drawn(seed) => Data::Drawn(draw(seed, file)),
            other => other,
        }
    }

    /// The file that was `durable`, with what is left of `pending`.
    pub(super) fn of(self, durable: &Content, pending: &[Change]) -> Content {
        let mut content = durable.clone();
        match self {
            Data::Lost => {}
            Data::Kept => pending.iter().for_each(|change| content.apply(change)),
            Data::First(kept) => pending.iter().take(kept).for_each(|it| content.apply(it)),
            Data::Last => pending.iter().rfind(|it| it.is_write()).into_iter().for_each(|change| {
                content.apply(change);
            }),
            Data::Zeros => pending.iter().for_each(|change| content.apply(&change.zeroed(0))),
            Data::Torn(tear, rest) => {
                let last = pending.iter().rposition(Change::is_write);
                for (at, change) in pending.iter().enumerate() {
                    if Some(at) == last {
                        content.apply(&change.torn(tear, rest));
                    } else {
                        content.apply(change);
                    }
                }
            }
            Data::Drawn(seed) => {
                for (at, change) in pending.iter().enumerate() {
                    match draw(seed, at) % 6 {
                        0 => {}
                        1 => content.apply(&change.torn(Tear::Half, Rest::Old)),
                        2 => content.apply(&change.zeroed(0)),
                        _ => content.apply(change),
                    }
                }
            }
        }
        content
    }
}

impl Names {
    const ALL: [Names; 4] = [Names::Lost, Names::Kept, Names::First(1), Names::Last];

    /// Whether change `at` of so many `pending` is left.
    pub(super) fn keeps(self, at: usize, pending: usize) -> bool {
        match self {
            Names::Lost => false,
            Names::Kept => true,
            Names::First(kept) => at < kept,
            Names::Last => at + 1 == pending,
            Names::Drawn(seed) => draw(seed, at).is_multiple_of(2),
        }
    }
}

/// A number for the thing `at` such a place, always the same.
fn draw(seed: u64, at: usize) -> u64 {
    xxh3_64_with_seed(&(at as u64).to_le_bytes(), seed)
}

impl Change {
    fn is_write(&self) -> bool {
        matches!(self, Change::Write { .. })
    }

    /// The same change, its bytes from `begin` on being zeros.
    fn zeroed(&self, begin: usize) -> Change {
        let mut change = self.clone();
        if let Change::Write { bytes, .. } = &mut change {
            bytes[begin..].fill(0);
        }
        change
    }

    fn torn(&self, tear: Tear, rest: Rest) -> Change {
        let Change::Write { offset, bytes } = self else { return self.clone() };
        let kept = match tear {
            Tear::Half => bytes.len() / 2,
            Tear::Sector => sector_before(*offset, bytes.len()),
        };
        match rest {
            Rest::Zeros => self.zeroed(kept),
            Rest::Old => Change::Write { offset: *offset, bytes: bytes[..kept].to_vec() },
        }
    }
}

/// How many of `bytes` written at `offset` lie before the last border of a sector inside them.
fn sector_before(offset: u64, bytes: usize) -> usize {
    const SECTOR_BYTES: u64 = 512;
    let end = offset + bytes as u64;
    let border = end.saturating_sub(1) / SECTOR_BYTES * SECTOR_BYTES;
    usize::try_from(border.saturating_sub(offset)).expect("a border inside a write is near")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn left(data: Data, durable: &[u8], pending: &[(u64, &[u8])]) -> Vec<u8> {
        let write =
            |&(offset, bytes): &(u64, &[u8])| Change::Write { offset, bytes: bytes.to_vec() };
        let pending: Vec<Change> = pending.iter().map(write).collect();
        data.of(&Content::of(durable.to_vec()), &pending).to_vec()
    }

    #[test]
    fn each_kind_of_loss_leaves_its_own_bytes() {
        let two: [(u64, &[u8]); 2] = [(2, b"CDEF"), (6, b"GHIJ")];
        assert_eq!(left(Data::Lost, b"abcd", &two), b"abcd");
        assert_eq!(left(Data::Kept, b"abcd", &two), b"abCDEFGHIJ");
        assert_eq!(left(Data::First(1), b"abcd", &two), b"abCDEF");
        assert_eq!(left(Data::Last, b"abcd", &two), b"abcd\0\0GHIJ");
        assert_eq!(left(Data::Zeros, b"abcd", &two), b"ab\0\0\0\0\0\0\0\0");
        assert_eq!(left(Data::Torn(Tear::Half, Rest::Old), b"abcd", &two), b"abCDEFGH");
        assert_eq!(left(Data::Torn(Tear::Half, Rest::Zeros), b"abcd", &two), b"abCDEFGH\0\0");
        assert_eq!(left(Data::Torn(Tear::Half, Rest::Old), b"abcdef", &two[..1]), b"abCDef");
    }

    #[test]
    fn what_is_drawn_is_some_of_each_change_and_drawn_again_the_same() {
        let four: [(u64, &[u8]); 4] = [(0, b"AB"), (2, b"CD"), (4, b"EF"), (6, b"GH")];
        let seen: BTreeSet<Vec<u8>> =
            (0..20_000).map(|seed| left(Data::Drawn(seed), b"abcdefgh", &four)).collect();
        assert_eq!(seen.len(), 4_usize.pow(4), "all, nothing, a half, zeros; of each of four");
        let drawn = |file| left(Data::Drawn(7).of_file(file), b"abcdefgh", &four);
        assert_eq!(drawn(1), drawn(1));
        assert!((2..9).any(|file| drawn(file) != drawn(1)));
    }

    #[test]
    fn a_write_is_torn_at_the_last_sector_inside_it() {
        assert_eq!(sector_before(0, 512), 0);
        assert_eq!(sector_before(0, 513), 512);
        assert_eq!(sector_before(500, 20), 12);
        assert_eq!(sector_before(512, 100), 0);
        assert_eq!(sector_before(100, 2000), 1948);
        let torn = left(Data::Torn(Tear::Sector, Rest::Old), &[1; 510], &[(510, &[2; 10])]);
        assert_eq!(torn, [vec![1; 510], vec![2; 2]].concat());
    }

    #[test]
    fn no_two_remains_read_alike() {
        let shown: BTreeSet<String> = Remains::all().map(|it| it.to_string()).collect();
        assert_eq!((shown.len(), Remains::all().count()), (40, 40));
    }
}
