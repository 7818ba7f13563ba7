//! A segment of any bytes; or, where the first byte of the input is odd, records with right checksums:
//! header fields first (the sequence, and how far before it the last sync was), then for each record its length, sequence, synced, and payload.
#![no_main]

use libfuzzer_sys::fuzz_target;
use store_fuzz::{GOOD, crc, try_with};

const SALT: u32 = 7;

/// The number the good segment has, so that the forged one is in its place.
fn header(first_sequence: &[u8; 8], unsynced: u8) -> Vec<u8> {
    let good = GOOD.iter().find(|(path, _)| path.to_string_lossy().contains("log-"));
    let mut out = good.expect("the good directory has one").1[..16].to_vec();
    out.extend(first_sequence);
    let synced = u64::from_le_bytes(*first_sequence).wrapping_sub(1 + u64::from(unsynced));
    out.extend(synced.to_le_bytes());
    out.extend(SALT.to_le_bytes());
    out.extend(crc(0, &out));
    out
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    let Some((fields, mut rest)) = rest.split_first_chunk::<9>().filter(|_| kind % 2 == 1) else {
        return try_with("log-", rest);
    };
    let (first, unsynced) = fields.split_first_chunk().expect("a sequence and a byte");
    let mut bytes = header(first, unsynced[0]);
    let mut sequence = u64::from_le_bytes(*first);
    while let Some(([length, skip, synced], payload)) = rest.split_first_chunk::<3>() {
        let (payload, left) = payload.split_at(payload.len().min(usize::from(*length)));
        let mut fields = (payload.len() as u32).to_le_bytes().to_vec();
        fields.extend(sequence.wrapping_add(u64::from(skip / 128)).to_le_bytes());
        fields.extend(sequence.wrapping_add(u64::from(*synced)).wrapping_sub(128).to_le_bytes());
        fields.extend(crc(SALT, payload));
        bytes.extend(crc(SALT, &fields));
        bytes.extend(fields);
        bytes.extend(payload);
        (rest, sequence) = (left, sequence.wrapping_add(1));
    }
    try_with("log-", &bytes);
});
