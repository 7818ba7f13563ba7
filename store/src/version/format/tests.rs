//! The bytes are frozen, survive the round trip, and damaged ones are refused without harm.

use proptest::prelude::*;

use super::*;
use crate::version::test_records::{records, register};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn siblings() -> Record {
    let actor = |name: &str| Actor::new(name.parse().unwrap(), 2);
    let mut siblings = Siblings::new(actor("n2"), Some("b".into()));
    siblings.update(&Context::default(), actor("n1"), Some("a".into()));
    siblings.update(&Context::default(), actor("n1"), None);
    Record::Siblings(siblings)
}

#[test]
fn the_bytes_of_a_register_are_frozen() {
    assert_eq!(
        hex(&register(5, "n1", 7, Some("v")).encode()),
        [
            "01",
            "01",               // format, kind
            "0500000000000000", // counter
            "0100000000000000",
            "0700000000000000", // nonce: epoch, sequence
            "02",
            "6e31", // node n1
            "01",
            "01000000",
            "76", // value v
        ]
        .concat()
    );
}

#[test]
fn the_bytes_of_siblings_are_frozen() {
    assert_eq!(
        hex(&siblings().encode()),
        [
            "01",
            "02",
            "02000000", // format, kind, two entries
            "02",
            "6e31",
            "0200000000000000", // actor n1 in epoch 2
            "0200000000000000",
            "02000000", // counter 2, two live values
            "01",
            "01000000",
            "61",
            "00", // a, a tombstone
            "02",
            "6e32",
            "0200000000000000", // actor n2 in epoch 2
            "0100000000000000",
            "01000000", // counter 1, one live value
            "01",
            "01000000",
            "62", // b
        ]
        .concat()
    );
}

fn branches() -> Record {
    let actor = |name: &str| Actor::new(name.parse().unwrap(), 2);
    let mut branches = Branches::default();
    branches.update(&Context::default(), &actor("n1"), 7, None, Some("a".into()));
    let context = branches.context();
    branches.update(&context, &actor("n2"), 8, None, None);
    Record::Branches(branches)
}

#[test]
fn the_bytes_of_branches_are_frozen() {
    assert_eq!(
        hex(&branches().encode()),
        [
            "01",
            "04",
            "01000000", // format, kind, one version
            "02000000", // of two pairs
            "02",
            "6e31",
            "0200000000000000", // actor n1 in epoch 2
            "0100000000000000",
            "0700000000000000", // counter 1, advanced at 7
            "02",
            "6e32",
            "0200000000000000", // actor n2 in epoch 2
            "0100000000000000",
            "0800000000000000", // counter 1, advanced at 8
            "00",               // a tombstone
        ]
        .concat()
    );
}

#[test]
fn damaged_branches_say_what_is_wrong() {
    let whole = branches().encode();
    let why = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.to_vec();
        change(&mut bytes);
        Record::decode(&bytes).unwrap_err().to_string()
    };
    assert_eq!(why(&|b| b.truncate(20)), "it ends too early");
    assert_eq!(why(&|b| b[6] = 0), "a vector has no pair");
    assert_eq!(why(&|b| b[12] = b'3'), "actors do not ascend");
    assert_eq!(why(&|b| b[21] = 0), "a counter is out of range");
    let twice = |b: &mut Vec<u8>| {
        b[2] = 2;
        b.extend_from_within(6..);
    };
    assert_eq!(why(&twice), "versions do not ascend");
}

#[test]
fn a_context_of_branches_has_a_pair_with_its_time() {
    let context = branches().context();
    let encoded = encode_context(&context, b"k");
    assert_eq!(encoded[0], TIMED);
    assert_eq!(decode_context(&encoded, b"k"), Ok(context));
    let mut empty = vec![TIMED, 0, 0, 0, 0];
    let checksum = context_checksum(b"k", &empty);
    empty.put_u32_le(checksum);
    assert_eq!(decode_context(&empty, b"k"), Err(DecodeError::Field("a vector has no pair")));
}

#[test]
fn a_damaged_record_says_what_is_wrong() {
    let whole = siblings().encode();
    let why = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.to_vec();
        change(&mut bytes);
        Record::decode(&bytes).unwrap_err().to_string()
    };
    assert_eq!(why(&|b| b.clear()), "it ends too early");
    assert_eq!(why(&|b| b.push(0)), "1 bytes follow its end");
    assert_eq!(why(&|b| b[0] = 9), "it is of format 9, which is not known");
    assert_eq!(why(&|b| b[1] = 9), "its kind is unknown");
    assert_eq!(why(&|b| b[6] = 0), "a node's name is not one");
    assert_eq!(why(&|b| b[7] = b','), "a node's name is not one");
    assert_eq!(why(&|b| b[8] = b'3'), "actors do not ascend");
    assert_eq!(why(&|b| b[17] = 1), "there are more live values than dots");
    assert_eq!(why(&|b| b[17] = 0), "a counter is out of range");
    assert_eq!(why(&|b| b[24] = 0xff), "a counter is out of range");
    assert_eq!(why(&|b| b[29] = 7), "a value is neither there nor a tombstone");
}

#[test]
fn a_length_the_input_does_not_back_is_refused_before_room_is_made() {
    let mut bytes = register(5, "n1", 7, Some("v")).encode().to_vec();
    let len = bytes.len() - 5;
    bytes[len..len + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Record::decode(&bytes), Err(DecodeError::Short));
    let entries_without_end = [&[FORMAT, SIBLINGS][..], &u32::MAX.to_le_bytes()].concat();
    assert_eq!(Record::decode(&entries_without_end), Err(DecodeError::Short));
}

#[test]
fn a_forged_context_cannot_use_up_the_counters_of_a_key() {
    let actor = Actor::new("n1".parse().unwrap(), 1);
    let at = |counter| -> Context { [(actor.clone(), counter)].into_iter().collect() };
    let text = |counter| at(counter).to_text(b"k");
    assert!(Context::from_text(text(u64::MAX).as_bytes(), b"k").is_err());
    let highest = Context::from_text(text(CONTEXT_COUNTER_MAX).as_bytes(), b"k").unwrap();
    let mut siblings = Siblings::default();
    siblings.update(&highest, actor, Some("v".into()));
    let record = Record::Siblings(siblings);
    assert_eq!(Record::decode(&record.encode()), Ok(record));
}

proptest! {
    #[test]
    fn a_record_survives_the_round_trip(record in records()) {
        let bytes = record.encode();
        prop_assert_eq!(Record::decode(&bytes), Ok(record));
    }

    #[test]
    fn a_record_cut_short_is_refused(record in records(), cut: prop::sample::Index) {
        let bytes = record.encode();
        prop_assert!(Record::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    /// Bytes near a record are refused, or are the one encoding of another record.
    #[test]
    fn a_record_with_a_byte_changed_is_refused_or_another(
        record in records(), at: prop::sample::Index, byte: u8,
    ) {
        let mut bytes = record.encode().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(decoded) = Record::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
    }

    #[test]
    fn byte_soup_is_refused_or_is_a_record(
        kind in 1u8..5, soup in prop::collection::vec(prop_oneof![0u8..3, any::<u8>()], 0..200),
    ) {
        let bytes = [&[FORMAT, kind][..], &soup].concat();
        if let Ok(decoded) = Record::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
        let _ = Record::decode(&soup).map(|record| record.join(register(1, "n1", 1, None)));
    }

    /// A decoded record is as good as any: what peers may send cannot make a join or an update panic.
    #[test]
    fn decoded_siblings_can_be_joined_and_updated(
        counters in prop::collection::vec((1u64..=COUNTER_MAX, 0u32..3), 2),
        seen in 1u64..=CONTEXT_COUNTER_MAX,
    ) {
        let actor = Actor::new("n1".parse().unwrap(), 1);
        let [a, b] = [0, 1].map(|i| {
            let (counter, live) = counters[i];
            let live = vec![None; counter.min(live.into()) as usize];
            let entries = [(actor.clone(), Entry { counter, live })].into_iter().collect();
            let bytes = Record::Siblings(Siblings::from_entries(entries)).encode();
            match Record::decode(&bytes) {
                Ok(Record::Siblings(siblings)) => siblings,
                other => panic!("{other:?}"),
            }
        });
        let mut joined = a.join(b);
        let context = [(actor.clone(), seen)].into_iter().collect();
        let dot = joined.update(&context, actor, None);
        prop_assert!(dot.counter > seen);
        prop_assert!(joined.entries().values().all(Entry::is_sound));
    }

    #[test]
    fn context_soup_is_refused_or_is_a_context(soup in prop::collection::vec(any::<u8>(), 0..100)) {
        let checksum = context_checksum(b"k", &soup).to_le_bytes();
        let bytes = [&soup[..], &checksum].concat();
        if let Ok(context) = decode_context(&bytes, b"k") {
            prop_assert_eq!(encode_context(&context, b"k"), bytes);
        }
        prop_assert!(Context::from_text(&soup, b"k").is_err() || soup.is_ascii());
    }

    /// Also such as no server would make, one version covering another.
    #[test]
    fn decoded_branches_can_be_joined_and_updated(
        soup in prop::collection::vec((0..3usize, 1u64..=COUNTER_MAX, 1u64..4, any::<u64>()), 0..6),
    ) {
        let actor = |i: usize| Actor::new(["n1", "n2", "n3"][i].parse().unwrap(), 1);
        let clock = |(i, large, small, micros): (usize, u64, u64, u64)| -> VectorClock {
            [(&actor(i), large, micros), (&actor((i + 1) % 3), small, micros)].into_iter().collect()
        };
        let branch = |numbers| Branch { clock: clock(numbers), value: None };
        let record = Record::Branches(soup.into_iter().map(branch).collect());
        let Ok(Record::Branches(mut branches)) = Record::decode(&record.encode()) else {
            panic!("{record:?} is not read")
        };
        let _ = branches.clone().join(branches.clone());
        let context = branches.context();
        let clock = branches.update(&context, &actor(0), 1, Some(2), None);
        prop_assert_eq!(branches.len(), 1);
        prop_assert!(clock.vector().counter(&actor(0)) > context.vector().counter(&actor(0)));
    }
}
