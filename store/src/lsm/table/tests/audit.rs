//! Faults that no checksum shows: blocks forged with a checksum that is right.

use super::super::format::{FOOTER_BYTES, MAGIC, Place, TRAILER_BYTES, seal, u32_at};
use super::disk::Disk;
use super::{NUMBER, numbered, open, path, small, write};
use crate::lsm::compression::Compression;

/// What an audit says of the numbered table, once one of its blocks is forged.
fn told(place: impl Fn(&Disk) -> Place, forge: impl Fn(&mut [u8])) -> Vec<String> {
    let disk = Disk::default();
    write(&disk, &numbered(), small(Compression::None));
    let Place { offset, length } = place(&disk);
    let file = disk.file(&path()).unwrap();
    let range = offset as usize..offset as usize + length as usize;
    let mut block = file.bytes.lock().unwrap()[range.clone()].to_vec();
    block.truncate(block.len() - TRAILER_BYTES);
    forge(&mut block);
    seal(&mut block, 0, Compression::None, NUMBER, offset);
    file.bytes.lock().unwrap()[range].copy_from_slice(&block);
    let audit = open(&disk, 0).unwrap().audit(|_| ());
    audit.wrong.iter().map(ToString::to_string).collect()
}

fn block(at: usize) -> impl Fn(&Disk) -> Place {
    move |disk| open(disk, 0).unwrap().guide(0).unwrap().index().place(at)
}

fn guide(disk: &Disk) -> Place {
    open(disk, 0).unwrap().top().place(0)
}

fn properties(disk: &Disk) -> Place {
    let file = disk.file(&path()).unwrap();
    let bytes = file.bytes.lock().unwrap();
    let footer = bytes.len() - FOOTER_BYTES;
    let length = u32_at(&bytes, footer + 4).unwrap();
    Place { offset: footer as u64 - u64::from(length), length }
}

fn says(told: &[String], what: &str) {
    assert!(!told.is_empty(), "nothing, instead of: {what}");
    assert!(told.iter().all(|it| it.ends_with(what)), "{told:?} instead of: {what}");
}

#[test]
fn a_sound_table_is_read_to_its_last_block() {
    let disk = Disk::default();
    let facts = write(&disk, &numbered(), small(Compression::Lz4));
    let mut read = 0;
    let audit = open(&disk, 0).unwrap().audit(|bytes| read += bytes);
    assert_eq!((audit.entries, audit.tombstones), (facts.entries, facts.tombstones));
    assert!(audit.wrong.is_empty() && audit.blocks > 10, "{audit:?}");
    let top = open(&disk, 0).unwrap().top().place(0);
    assert!(read > top.offset && read + (MAGIC.len() as u64) < facts.bytes, "{read}");
}

#[test]
fn a_filter_that_denies_its_own_keys_is_found() {
    let told = told(guide, |guide| guide[..64].fill(0));
    says(&told, "the filter denies a key of the block");
}

#[test]
fn a_key_out_of_order_or_beyond_its_block_is_found() {
    // The first key of a block is whole, behind three numbers of a byte each.
    let below = told(block(1), |block| block[3] = b'a');
    says(&below, "the keys of the block do not ascend");
    let above = told(block(1), |block| block[3] = b'z');
    says(&above, "a key of the block is not where the index has it");
}

#[test]
fn a_key_below_the_first_is_found() {
    let told = told(block(0), |block| block[3] = b'a');
    says(&told, "a key of the block lies outside of the table");
}

#[test]
fn a_table_that_says_more_than_it_has_is_found() {
    let counted = told(properties, |properties| properties[0] += 1);
    says(&counted, "the table has 150 entries and 21 tombstones, and says 151 and 21");
    let begun = told(properties, |properties| properties[36] = b'a');
    says(&begun, "the table does not begin and end with the keys it says");
}
