//! What the log promises, on a modelled disk that is cut, torn and damaged.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use bytes::BufMut;
use proptest::prelude::*;

use super::super::format::{RECORD_HEADER_BYTES, put_record, seal};
use super::super::vfs::{Data, ModelDisk, Names, Remains, SystemDisk};
use super::*;

fn open(disk: &ModelDisk) -> Result<Directory, EngineError> {
    Directory::open(Arc::new(disk.clone()), Path::new("d"))
}

/// The record of a batch that puts `value` at its own sequence.
fn record(salt: u32, sequence: u64, synced: u64, value: &[u8]) -> Vec<u8> {
    let key = sequence.to_string();
    let mut out = Vec::new();
    let entries = std::iter::once((key.as_bytes(), Some(value)));
    put_record(&mut out, salt, sequence, synced, entries);
    out
}

/// Appends a batch, all before it said to be synced.
fn append(segment: &mut Segment, sequence: u64, value: &[u8]) -> Result<(), EngineError> {
    segment.append(&record(segment.salt(), sequence, sequence - 1, value))
}

/// Two segments of two records each, sequences 1 to 4, everything synced.
fn two_segments(directory: &Directory) {
    for (number, first) in [(1, 1), (2, 3)] {
        let mut segment = Segment::create(directory, number, first, first - 1).unwrap();
        append(&mut segment, first, b"value").unwrap();
        append(&mut segment, first + 1, b"value").unwrap();
        segment.file().sync().unwrap();
        if number == 1 {
            segment.finish().unwrap();
        }
    }
}

/// The sequences recovered, after asserting that each has its own key.
fn sequences(directory: &Directory, numbers: &[u64]) -> Result<Vec<u64>, EngineError> {
    let mut sequences = Vec::new();
    let recovered = recover(directory, numbers, |sequence, (key, _)| {
        assert_eq!(key, sequence.to_string().as_bytes());
        sequences.push(sequence);
    })?;
    assert_eq!(recovered.next_sequence, sequences.last().map_or(1, |last| last + 1));
    Ok(sequences)
}

fn is_torn(found: &Inspection) -> bool {
    matches!(found.end, Ok(End::Stops { torn_bytes: 1.. }))
}

fn length(disk: &ModelDisk, path: &Path) -> u64 {
    disk.files().iter().find(|(found, _)| found == path).unwrap().1.len() as u64
}

/// Where the records of a segment of [`two_segments`] end.
fn content() -> u64 {
    SEGMENT_HEADER_BYTES as u64 + 2 * record(0, 1, 0, b"value").len() as u64
}

#[track_caller]
fn assert_damaged<T: std::fmt::Debug>(found: Result<T, EngineError>, at: u64, why: &str) {
    match found.unwrap_err() {
        EngineError::Damaged { offset, message, .. } => {
            assert!(offset == at && message.contains(why), "at {offset}: {message}");
        }
        other => panic!("not damaged: {other}"),
    }
}

#[test]
fn segments_are_replayed_in_order_and_without_a_gap() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    two_segments(&directory);
    assert_eq!(sequences(&directory, &[1, 2]).unwrap(), [1, 2, 3, 4]);
    assert_damaged(sequences(&directory, &[1, 2, 3]), 0, "the segment is missing");
    assert_damaged(sequences(&directory, &[2, 1]), 0, "does not follow");
}

#[test]
fn the_systems_own_disk_gives_back_what_was_appended() {
    let path = tempfile::tempdir().unwrap();
    let directory = Directory::open(Arc::new(SystemDisk), path.path()).unwrap();
    two_segments(&directory);
    let Recovered { mut segment, next_sequence, .. } =
        recover(&directory, &[1, 2], |_, _| ()).unwrap();
    append(&mut segment, next_sequence, &vec![7; 300_000]).unwrap();
    segment.file().sync().unwrap();
    assert_eq!(sequences(&directory, &[1, 2]).unwrap(), [1, 2, 3, 4, 5]);
}

#[test]
fn zeros_at_the_end_are_room_and_no_damage() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    two_segments(&directory);
    assert_eq!(length(&disk, &directory.log(1)), content(), "finished");
    assert!(length(&disk, &directory.log(2)) > content(), "allocated ahead");
    disk.truncate(&directory.log(1), 1 << 20);
    let found = inspect(&directory, 1, &[2], |_, _| ()).unwrap();
    assert_eq!((found.first_sequence, found.next_sequence), (1, 3));
    assert_eq!((found.bytes, found.end.unwrap()), (content(), End::Goes { is_synced: true }));
    assert_eq!(sequences(&directory, &[1, 2]).unwrap(), [1, 2, 3, 4]);
}

#[test]
fn a_value_of_zeros_at_the_end_is_not_room() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    let mut segment = Segment::create(&directory, 1, 1, 0).unwrap();
    append(&mut segment, 1, &vec![0; 70_000]).unwrap();
    segment.finish().unwrap();
    let mut lengths = Vec::new();
    let apply = |_, (_, value): EntryRef<'_>| lengths.push(value.unwrap().len());
    let recovered = recover(&directory, &[1], apply).unwrap();
    assert_eq!(recovered.segment.bytes(), length(&disk, &directory.log(1)));
    assert_eq!(lengths, [70_000]);
}

#[test]
fn a_torn_segment_that_the_next_one_calls_synced_is_damaged() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    two_segments(&directory);
    let second = SEGMENT_HEADER_BYTES as u64 + record(0, 1, 0, b"value").len() as u64;
    disk.truncate(&directory.log(2), content() - 1);
    assert_eq!(sequences(&directory, &[1, 2]).unwrap(), [1, 2, 3]);
    assert_eq!(length(&disk, &directory.log(2)), second, "and is cut");
    disk.truncate(&directory.log(1), content() - 1);
    assert_damaged(sequences(&directory, &[1, 2]), second, "a later segment says it was synced");
}

#[test]
fn records_that_vanished_from_a_whole_segment_are_missed() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    two_segments(&directory);
    disk.truncate(&directory.log(1), SEGMENT_HEADER_BYTES as u64);
    disk.truncate(&directory.log(1), content());
    let message = "a later segment says it was synced";
    assert_damaged(sequences(&directory, &[1, 2]), SEGMENT_HEADER_BYTES as u64, message);
}

#[test]
fn a_torn_record_in_an_allocated_segment_is_cut_and_written_over() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    two_segments(&directory);
    let mut segment = recover(&directory, &[1, 2], |_, _| ()).unwrap().segment;
    append(&mut segment, 5, &[5; 2000]).unwrap();
    segment.file().sync().unwrap();
    append(&mut segment, 6, &[6; 2000]).unwrap();
    for tear in Remains::all().filter(|it| matches!(it.data, Data::Torn(..))) {
        let left = disk.after_power_loss(tear);
        let directory = open(&left).unwrap();
        let found = inspect(&directory, 2, &[], |_, _| ()).unwrap();
        assert_eq!((found.next_sequence, is_torn(&found)), (6, true), "{tear}");
        let mut segment = recover(&directory, &[1, 2], |_, _| ()).unwrap().segment;
        assert_eq!(length(&left, &directory.log(2)), segment.bytes(), "{tear}");
        append(&mut segment, 6, b"other").unwrap();
        assert_eq!(sequences(&directory, &[1, 2]).unwrap(), [1, 2, 3, 4, 5, 6], "{tear}");
    }
}

#[test]
fn a_record_that_a_later_one_calls_synced_is_damaged() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    two_segments(&directory);
    let bits =
        SEGMENT_HEADER_BYTES as u64 * 8..(content() - record(0, 4, 3, b"value").len() as u64) * 8;
    for bit in bits {
        disk.flip_bit(&directory.log(2), bit);
        let at = SEGMENT_HEADER_BYTES as u64;
        assert_damaged(recover(&directory, &[1, 2], |_, _| ()), at, "a later one says");
        disk.flip_bit(&directory.log(2), bit);
    }
    assert_eq!(sequences(&directory, &[1, 2]).unwrap(), [1, 2, 3, 4]);
}

#[test]
fn a_later_record_that_overtook_an_unsynced_one_is_cut_with_it() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    let mut segment = Segment::create(&directory, 1, 1, 0).unwrap();
    append(&mut segment, 1, b"one").unwrap();
    segment.file().sync().unwrap();
    for sequence in [2, 3] {
        segment.append(&record(segment.salt(), sequence, 1, b"late")).unwrap();
    }
    let left = disk.after_power_loss(Remains { data: Data::Last, names: Names::Kept });
    let directory = open(&left).unwrap();
    let found = inspect(&directory, 1, &[], |_, _| ()).unwrap();
    assert_eq!((found.next_sequence, is_torn(&found)), (2, true), "the third is there");
    let mut segment = recover(&directory, &[1], |_, _| ()).unwrap().segment;
    append(&mut segment, 2, b"anew").unwrap();
    assert_eq!(sequences(&directory, &[1]).unwrap(), [1, 2], "the third does not rise again");
}

#[test]
fn a_segment_torn_while_it_was_made_is_made_anew() {
    for torn in [SEGMENT_HEADER_BYTES as u64 - 1, 3, 0] {
        let disk = ModelDisk::new();
        let directory = open(&disk).unwrap();
        two_segments(&directory);
        disk.truncate(&directory.log(2), torn);
        assert_eq!(sequences(&directory, &[1, 2]).unwrap(), [1, 2]);
        assert_eq!(sequences(&directory, &[1, 2]).unwrap(), [1, 2]);
        disk.truncate(&directory.log(1), torn);
        assert_damaged(sequences(&directory, &[1]), 0, "header is wrong");
    }
}

#[test]
fn a_segment_is_unused_until_a_record_is_in_it() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    let mut segment = Segment::create(&directory, 1, 1, 0).unwrap();
    assert!(is_unused(&directory, 1).unwrap());
    disk.truncate(&directory.log(1), 1 << 20);
    assert!(is_unused(&directory, 1).unwrap(), "room is no use");
    append(&mut segment, 1, b"value").unwrap();
    assert!(!is_unused(&directory, 1).unwrap());
}

#[test]
fn a_value_that_holds_a_record_does_not_pass_for_one() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    let forged = record(0, 9, 8, b"x");
    let mut segment = Segment::create(&directory, 1, 1, 0).unwrap();
    let mut torn = record(segment.salt(), 1, 0, &forged);
    torn.pop();
    segment.append(&torn).unwrap();
    assert_eq!(sequences(&directory, &[1]).unwrap(), Vec::<u64>::new());
}

#[test]
fn after_a_failed_write_a_segment_takes_no_more() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for step in 0..2 {
            let disk = ModelDisk::new();
            let directory = open(&disk).unwrap();
            let mut segment = Segment::create(&directory, 1, 1, 0).unwrap();
            disk.fail_operation(disk.operations() + step, kind);
            let failed = append(&mut segment, 1, b"one");
            assert!(matches!(failed, Err(EngineError::Io { .. })), "step {step}: {failed:?}");
            for again in [append(&mut segment, 1, b"one"), segment.trim(), segment.finish()] {
                assert!(matches!(again, Err(EngineError::Closed(_))), "step {step}: {again:?}");
            }
            let lost = Remains { data: Data::Lost, names: Names::Lost };
            let left = open(&disk.after_power_loss(lost)).unwrap();
            assert_eq!(sequences(&left, &[1]).unwrap(), Vec::<u64>::new());
        }
    }
}

/// Segments of two records each, from 1 on, that ended without a sync; the header of each says that
/// all up to so much is synced.
fn unsynced_segments<const N: usize>(directory: &Directory, synced: [u64; N]) {
    for (number, synced) in (1..).zip(synced) {
        let first = 2 * number - 1;
        let mut segment = Segment::create(directory, number, first, synced).unwrap();
        for sequence in [first, first + 1] {
            segment.append(&record(segment.salt(), sequence, synced, b"value")).unwrap();
        }
        segment.trim().unwrap();
    }
}

const ALL_LOST: Remains = Remains { data: Data::Lost, names: Names::Lost };

#[test]
fn the_log_ends_at_a_tear_that_nothing_later_calls_synced() {
    let header = SEGMENT_HEADER_BYTES as u64;
    for number in 1..=3 {
        for cut in header..content() {
            let disk = ModelDisk::new();
            let directory = open(&disk).unwrap();
            unsynced_segments(&directory, [0; 3]);
            disk.truncate(&directory.log(number), cut);
            let kept = (cut - header) / record(0, 1, 0, b"value").len() as u64;
            let whole: Vec<u64> = (1..=2 * (number - 1) + kept).collect();
            assert_eq!(sequences(&directory, &[1, 2, 3]).unwrap(), whole, "{number} cut to {cut}");
            let left = open(&disk.after_power_loss(ALL_LOST)).unwrap();
            let logs = left.list().unwrap().logs;
            assert_eq!(logs, (1..=number).collect::<Vec<_>>(), "{number} cut to {cut}");
            assert_eq!(sequences(&left, &logs).unwrap(), whole, "{number} cut to {cut}");
        }
    }
}

#[test]
fn what_a_killed_process_left_in_memory_is_durable_after_a_start() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    unsynced_segments(&directory, [0, 0, 2]);
    assert_eq!(sequences(&directory, &[1, 2, 3]).unwrap(), [1, 2, 3, 4, 5, 6]);
    // The first was called synced, and was not: only that can be lost.
    let lost = disk.after_power_loss(ALL_LOST);
    for number in [2, 3] {
        assert_eq!(length(&lost, &directory.log(number)), content());
    }
}

#[test]
fn a_tear_that_a_later_header_or_record_calls_synced_is_damage() {
    let torn = SEGMENT_HEADER_BYTES as u64 + record(0, 1, 0, b"value").len() as u64;
    let message = "a later segment says it was synced";
    // What the third segment's header says, what a record of it does, and which tears are damage.
    for (header, said, damaged) in
        [(0, 0, 0), (1, 1, 0), (2, 2, 1), (0, 3, 1), (4, 4, 2), (1, 5, 2)]
    {
        for number in [1, 2] {
            for cut in [torn, torn + 1] {
                let disk = ModelDisk::new();
                let directory = open(&disk).unwrap();
                unsynced_segments(&directory, [0, 0]);
                let mut third = Segment::create(&directory, 3, 5, header).unwrap();
                third.append(&record(third.salt(), 5, header, b"value")).unwrap();
                third.append(&record(third.salt(), 6, said, b"value")).unwrap();
                disk.truncate(&directory.log(number), cut);
                let found = sequences(&directory, &[1, 2, 3]);
                if number <= damaged {
                    assert_damaged(found, torn, message);
                    assert_eq!(directory.list().unwrap().logs, [1, 2, 3]);
                } else {
                    assert_eq!(found.unwrap(), (1..2 * number).collect::<Vec<_>>());
                }
            }
        }
    }
}

#[test]
fn a_segment_after_a_tear_is_dropped_only_if_a_power_loss_can_have_left_it() {
    let tear = |hurt: fn(&ModelDisk, &Directory)| {
        let disk = ModelDisk::new();
        let directory = open(&disk).unwrap();
        unsynced_segments(&directory, [0; 3]);
        disk.truncate(&directory.log(1), content() - 1);
        hurt(&disk, &directory);
        let found = sequences(&directory, &[1, 2, 3]);
        (found, directory.list().unwrap().logs)
    };
    let (found, logs) = tear(|disk, directory| disk.truncate(&directory.log(3), 10));
    assert_eq!((found.unwrap(), logs), (vec![1], vec![1]), "the last was being made");
    let (found, logs) = tear(|disk, directory| disk.truncate(&directory.log(2), 10));
    assert_damaged(found, 0, "header is wrong");
    assert_eq!(logs, [1, 2, 3]);
    let (found, logs) = tear(|disk, directory| disk.flip_bit(&directory.log(3), 99));
    assert_damaged(found, 0, "header is wrong");
    assert_eq!(logs, [1, 2, 3]);
}

#[test]
fn what_lies_behind_the_last_record_of_a_segment_that_another_follows_is_no_tear() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    unsynced_segments(&directory, [0; 2]);
    disk.truncate(&directory.log(1), content() + 1);
    disk.flip_bit(&directory.log(1), content() * 8);
    assert_damaged(sequences(&directory, &[1, 2]), content(), "the next segment goes on");
}

#[test]
fn a_power_loss_while_segments_are_dropped_leaves_no_gap() {
    let mut cuts = 0;
    for cut in 0.. {
        let disk = ModelDisk::new();
        let directory = open(&disk).unwrap();
        unsynced_segments(&directory, [0; 4]);
        disk.truncate(&directory.log(1), content() - 1);
        disk.cut_after(disk.operations() + cut);
        let is_done = sequences(&directory, &[1, 2, 3, 4]).is_ok();
        for remains in Remains::all() {
            let left = open(&disk.after_power_loss(remains)).unwrap();
            let logs = left.list().unwrap().logs;
            assert_eq!(logs, (1..=logs.len() as u64).collect::<Vec<_>>(), "cut {cut}; {remains}");
            assert_eq!(sequences(&left, &logs).unwrap(), [1], "cut {cut}; {remains}");
            cuts += 1;
        }
        if is_done {
            break;
        }
    }
    assert!(cuts > 300, "{cuts} power losses");
}

#[test]
fn a_header_that_a_tear_cannot_hold_is_not_believed() {
    let disk = ModelDisk::new();
    let directory = open(&disk).unwrap();
    let mut segment = Segment::create(&directory, 1, 1, 0).unwrap();
    append(&mut segment, 1, b"one").unwrap();
    segment.append(&[&[1, 2, 3], &record(segment.salt(), 1000, 999, b"far")[..]].concat()).unwrap();
    assert_eq!(sequences(&directory, &[1]).unwrap(), [1]);
}

/// Appends eight batches to two segments, some of them synced together; `acked` is the last that was.
fn workload(disk: &ModelDisk, acked: &mut u64) -> Result<(), EngineError> {
    let directory = open(disk)?;
    let mut segment = Segment::create(&directory, 1, 1, 0)?;
    for sequence in 1..=8 {
        let value = vec![sequence as u8; 200 * sequence as usize];
        segment.append(&record(segment.salt(), sequence, *acked, &value))?;
        if sequence == 4 {
            segment.file().sync()?;
            *acked = sequence;
            let next = segment.number() + 1;
            std::mem::replace(&mut segment, Segment::create(&directory, next, 5, *acked)?)
                .finish()?;
        } else if ![2, 5, 6].contains(&sequence) {
            segment.file().sync()?;
            *acked = sequence;
        }
    }
    Ok(())
}

/// Recovers what a power loss left: exactly the first batches, the synced ones among them; and then it
/// takes another.
fn check_recovery(left: &ModelDisk, acked: u64) -> Result<(), EngineError> {
    let directory = open(left)?;
    let numbers = directory.list()?.logs;
    if numbers.is_empty() || (numbers == [1] && is_unused(&directory, 1)?) {
        assert_eq!(acked, 0);
        return Ok(());
    }
    let mut found = Vec::new();
    let recovered = recover(&directory, &numbers, |sequence, (_, value)| {
        assert_eq!(value.unwrap(), vec![sequence as u8; 200 * sequence as usize]);
        found.push(sequence);
    })?;
    let Recovered { mut segment, next_sequence, .. } = recovered;
    assert_eq!(found, (1..next_sequence).collect::<Vec<_>>());
    assert!(next_sequence > acked, "{acked} was synced, {next_sequence} comes next");
    append(&mut segment, next_sequence, b"after")?;
    segment.file().sync()?;
    assert_eq!(sequences(&directory, &numbers)?, (1..=next_sequence).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_power_loss_at_any_operation_loses_nothing_that_was_synced() {
    let whole = ModelDisk::new();
    workload(&whole, &mut 0).unwrap();
    let mut cuts = 0;
    for operation in 0..=whole.operations() {
        let disk = ModelDisk::new();
        disk.cut_after(operation);
        let mut acked = 0;
        let ended = workload(&disk, &mut acked);
        assert_eq!(ended.is_ok(), operation == whole.operations(), "cut after {operation}");
        for remains in Remains::all() {
            let left = disk.after_power_loss(remains);
            check_recovery(&left, acked)
                .unwrap_or_else(|error| panic!("cut after {operation}; {remains}: {error}"));
            cuts += 1;
        }
    }
    assert!(cuts > 500, "{cuts} power losses");
}

#[test]
fn a_power_loss_during_recovery_loses_nothing_that_was_synced() {
    let whole = ModelDisk::new();
    workload(&whole, &mut 0).unwrap();
    for operation in (0..whole.operations()).step_by(3) {
        let disk = ModelDisk::new();
        disk.cut_after(operation);
        let mut acked = 0;
        workload(&disk, &mut acked).unwrap_err();
        for first in Remains::all() {
            for cut in 1..7 {
                let left = disk.after_power_loss(first);
                left.cut_after(cut);
                let _cut_off = check_recovery_until_cut(&left);
                let second = Remains { names: Names::Kept, ..first };
                let left = left.after_power_loss(second);
                let numbers = open(&left).unwrap().list().unwrap().logs;
                assert!(!numbers.is_empty() || acked == 0, "cut after {operation}, then {cut}");
                check_prefix(&left, &numbers, acked)
                    .unwrap_or_else(|error| panic!("{operation}, {cut}; {first}: {error}"));
            }
        }
    }
}

/// Recovers and appends one more, until the power goes.
fn check_recovery_until_cut(left: &ModelDisk) -> Result<(), EngineError> {
    let directory = open(left)?;
    let numbers = directory.list()?.logs;
    if numbers.is_empty() || (numbers == [1] && is_unused(&directory, 1)?) {
        return Ok(());
    }
    let mut recovered = recover(&directory, &numbers, |_, _| ())?;
    append(&mut recovered.segment, recovered.next_sequence, b"after")
}

fn check_prefix(left: &ModelDisk, numbers: &[u64], acked: u64) -> Result<(), EngineError> {
    let directory = open(left)?;
    if numbers.is_empty() || (numbers == [1] && is_unused(&directory, 1)?) {
        assert_eq!(acked, 0);
        return Ok(());
    }
    let found = sequences(&directory, numbers)?;
    assert!(found.len() as u64 >= acked, "{acked} was synced, {found:?} is there");
    assert_eq!(found, (1..=found.len() as u64).collect::<Vec<_>>());
    Ok(())
}

/// A segment whose only record has this sequence and claims a payload of `payload_bytes`, every crc
/// right.
fn forged(sequence: u64, payload_bytes: u32) -> Vec<u8> {
    let mut bytes =
        SegmentHeader { number: 1, first_sequence: sequence, synced: 0, salt: 0 }.encode();
    let mut header = Vec::new();
    header.put_u32_le(payload_bytes);
    header.put_u64_le(sequence);
    header.put_u64_le(0);
    header.put_u32_le(0);
    let begin = header.len();
    seal(&mut header, 0);
    let crc_bytes = header.len() - begin;
    header.rotate_right(crc_bytes);
    assert_eq!(header.len(), RECORD_HEADER_BYTES);
    bytes.extend(header);
    bytes
}

#[test]
fn a_record_may_claim_any_length_and_no_sequence_that_ends_counting() {
    let log = || open(&ModelDisk::new()).unwrap().log(1);
    let recovered = |bytes| {
        let disk = ModelDisk::from_files([(log(), bytes)]);
        recover(&open(&disk).unwrap(), &[1], |_, _| panic!("nothing is in it"))
    };
    let highest = u64::MAX / 2;
    assert_eq!(recovered(forged(highest, u32::MAX)).unwrap().next_sequence, highest);
    assert_eq!(recovered(forged(highest, 0)).unwrap().next_sequence, highest + 1);
    for sequence in [0, highest + 1, u64::MAX] {
        assert_damaged(recovered(forged(sequence, 0)), 0, "header is wrong");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_segment_cut_or_flipped_anywhere_is_a_prefix_or_damaged(
        bit in 0..content() * 8,
        cut in 0..content(),
    ) {
        let disk = ModelDisk::new();
        two_segments(&open(&disk).unwrap());
        for number in [1, 2] {
            let [flipped, short] = [(); 2].map(|()| ModelDisk::from_files(disk.durable_files()));
            let path = open(&flipped).unwrap().log(number);
            flipped.flip_bit(&path, bit);
            short.truncate(&path, cut);
            for damaged in [flipped, short] {
                match sequences(&open(&damaged).unwrap(), &[1, 2]) {
                    Ok(found) => {
                        let whole = found_len(number, &found);
                        prop_assert_eq!(found, (1..=whole).collect::<Vec<_>>());
                    }
                    Err(EngineError::Damaged { path: named, .. }) => {
                        prop_assert!(named == path || number == 1, "{}", named.display());
                    }
                    Err(other) => prop_assert!(false, "{other}"),
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_log_are_damaged_or_torn(
        soup in prop::collection::vec(any::<u8>(), 0..300),
        number in 1u64..3,
    ) {
        let disk = ModelDisk::new();
        let directory = open(&disk).unwrap();
        two_segments(&directory);
        let header = SegmentHeader { number, first_sequence: 2 * number - 1, synced: 0, salt: 0 };
        let header = header.encode();
        for bytes in [soup.clone(), [header, soup].concat()] {
            let mut files = disk.durable_files();
            let path = directory.log(number);
            files.iter_mut().find(|(found, _)| *found == path).unwrap().1 = bytes;
            let soup = ModelDisk::from_files(files);
            let found = sequences(&open(&soup).unwrap(), &[1, 2]);
            let is_torn = number == 2 && found.as_ref().is_ok_and(|it| it == &[1, 2]);
            prop_assert!(is_torn || matches!(found, Err(EngineError::Damaged { .. })), "{found:?}");
        }
    }
}

/// How many records may be found where segment `number` was hurt: a tear hurts the last segment only.
fn found_len(number: u64, found: &[u64]) -> u64 {
    if number == 1 { 4 } else { (found.len() as u64).clamp(2, 4) }
}
