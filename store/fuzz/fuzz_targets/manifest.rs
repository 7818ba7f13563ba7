//! A manifest of any bytes, with the right checksum where the first byte of the input is odd.
#![no_main]

use libfuzzer_sys::fuzz_target;
use store_fuzz::{crc, try_with};

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    if kind % 2 == 0 {
        return try_with("MANIFEST", rest);
    }
    let mut bytes = [&b"schman\0\x02"[..], rest].concat();
    bytes.extend(crc(0, &bytes));
    try_with("MANIFEST", &bytes);
});
