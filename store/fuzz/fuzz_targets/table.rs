//! A table of any bytes; or a good one with some bytes changed: place, byte, place, byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use store_fuzz::{GOOD, try_with};

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    if kind % 2 == 0 {
        return try_with("table-", rest);
    }
    let good = GOOD.iter().find(|(path, _)| path.to_string_lossy().contains("table-"));
    let mut bytes = good.expect("the good directory has one").1.clone();
    for change in rest.as_chunks::<3>().0 {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] ^= change[2];
    }
    try_with("table-", &bytes);
});
