//! What a comparison of two replicas costs, counted in bytes and keys: it goes with what differs, and
//! not with what is held.

#![allow(dead_code, reason = "its parts are made for the benchmark of the same name")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../benches/anti_entropy/pair.rs"]
mod pair;

use pair::{Beside, Side, exchange, session};
use store::anti_entropy::{LOOK, Other, Tally};
use store::peer::CallError;
use store::peer::message::{
    Answer, Ask, Children, Listing, OwnCopy, Roots, TreeChildren, TreeList, TreeRoot,
};

const KEYS: u64 = 50_000;
const VALUE_BYTES: usize = 100;

/// Makes `differing` keys differ, and the sides equal again. Returns what that took.
async fn mend(sides: &[Side; 2], differing: u64, time: u64) -> Tally {
    for (at, side) in (0..).zip(sides) {
        let keys = (0..differing).filter(|i| i % 2 == at);
        side.put(keys.map(|i| i * (KEYS / differing)), time, VALUE_BYTES);
    }
    let (one, other) = (sides[0].open(), sides[1].open());
    let tally = exchange((&sides[0], &one), (&sides[1], &other)).await.tally;
    assert_eq!(one.trees().root(0), other.trees().root(0), "both sides are equal");
    assert_eq!((tally.differing, tally.refused), (differing, 0));
    assert_eq!(tally.sent, differing / 2, "only what is newer here is sent");
    tally
}

#[tokio::test]
async fn what_travels_and_what_is_looked_at_goes_with_what_differs() {
    let directory = tempfile::tempdir().unwrap();
    let sides = ["n1", "n2"].map(|name| Side::fill(directory.path(), name, KEYS, VALUE_BYTES));
    sides.iter().for_each(Side::flush);
    let mut time = 1;
    for differing in [10, 100, 1000] {
        time += 1;
        let tally = mend(&sides, differing, time).await;
        // A lone difference: 4 rounds of 16 hashes and a bucket's keys at both sides, a record each way.
        // The more there are, the more of the way they share.
        assert!(tally.hashes <= differing * 64, "{tally:?}");
        assert!(tally.listed <= differing * 2 * 8, "a bucket of 50,000 keys holds one, or a few");
        let bytes = tally.sent_bytes + tally.received_bytes;
        assert!(bytes <= differing * (64 * 8 + 8 * 2 * 40 + 3 * 200), "{tally:?}");
    }
    let (one, other) = (sides[0].open(), sides[1].open());
    let tally = exchange((&sides[0], &one), (&sides[1], &other)).await.tally;
    assert_eq!((tally.hashes, tally.listed, tally.differing), (0, 0, 0));
    assert!(
        tally.sent_bytes + tally.received_bytes < 200,
        "equal trees cost their roots: {tally:?}"
    );
}

const TREE: &str = "default/n1,n2";

/// Two nodes with these many keys, of which `differing` are newer at the second.
fn two(directory: &tempfile::TempDir, keys: u64, differing: u64) -> [Side; 2] {
    let sides = ["n1", "n2"].map(|name| Side::fill(directory.path(), name, keys, VALUE_BYTES));
    sides[1].put(0..differing, 2, VALUE_BYTES);
    sides
}

#[tokio::test]
async fn asks_that_no_healthy_node_sends_are_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let sides = two(&directory, 10, 0);
    let other = sides[1].beside(&sides[1].open(), &sides[0].me);
    let children = |tree: &str, level, indices: Vec<u32>| {
        Ask::Children(TreeChildren { tree: tree.to_owned(), level, indices })
    };
    let list =
        |buckets: Vec<u32>| Ask::List(TreeList { tree: TREE.to_owned(), buckets, after: None });
    let many: Vec<u32> = (0..=LOOK as u32).collect();
    for (ask, told) in [
        (children("default/n1,n9", 0, vec![0]), "ERR no tree `default/n1,n9` is shared"),
        (children(TREE, 4, vec![0]), "ERR no tree has such a node"),
        (children(TREE, 1, vec![16]), "ERR no tree has such a node"),
        (children(TREE, u32::MAX, vec![u32::MAX]), "ERR no tree has such a node"),
        (children(TREE, 3, many.clone()), "ERR 257 places of a tree in one look, at most 256"),
        (list(many), "ERR 257 places of a tree in one look, at most 256"),
        (list(vec![1 << 16]), "ERR no tree has such a bucket"),
        (list(vec![2, 1]), "ERR buckets are asked for in order"),
        (Ask::Ping(store::peer::message::Ping {}), "ERR that is no ask of an exchange"),
    ] {
        let refused = CallError::Refused(told.to_owned());
        assert_eq!(other.ask(ask.clone()).await, Err(refused), "{ask:?}");
    }
    assert!(other.ask(children(TREE, 3, vec![4095])).await.is_ok());
}

/// Answers for another, but for what it answers itself.
struct Liar<L> {
    honest: Beside,
    lie: L,
}

impl<L: Fn(&Ask) -> Option<Result<Answer, CallError>> + Sync> Other for Liar<L> {
    async fn ask(&self, ask: Ask) -> Result<Answer, CallError> {
        match (self.lie)(&ask) {
            Some(lie) => lie,
            None => self.honest.ask(ask).await,
        }
    }
}

/// What comes of a session with a node that lies so.
async fn lied_to(
    lie: impl Fn(&Ask) -> Option<Result<Answer, CallError>> + Sync,
) -> Result<Tally, String> {
    let directory = tempfile::tempdir().unwrap();
    let sides = two(&directory, 500, 20);
    let [one, other] = [sides[0].open(), sides[1].open()];
    let liar = Liar { honest: sides[1].beside(&other, &sides[0].me), lie };
    let ended = session((&sides[0], &one), &sides[1], liar).await;
    ended.map_err(|error| error.to_string())
}

fn root(tree: &str) -> TreeRoot {
    TreeRoot { tree: tree.to_owned(), root: 7 }
}

#[tokio::test]
async fn nonsense_ends_a_session_with_a_word_about_it() {
    let roots = |trees: Vec<TreeRoot>| Some(Ok(Answer::Roots(Roots { trees, floor: 0 })));
    let told = lied_to(|ask| matches!(ask, Ask::Roots(_)).then(|| roots(vec![]))?).await;
    let without = |tree: &str| {
        Err(format!(
            "the other side answered without the tree `{tree}`, or with one that is not shared"
        ))
    };
    assert_eq!(told, without(TREE));
    let more = || roots(vec![root(TREE), root("x/n1,n2")]);
    assert_eq!(lied_to(|ask| matches!(ask, Ask::Roots(_)).then(more)?).await, without("x/n1,n2"));

    let few = || Some(Ok(Answer::Children(Children { hashes: vec![1; 31] })));
    let told = lied_to(|ask| matches!(ask, Ask::Children(_)).then(few)?).await;
    let shape =
        "the other side answered a tree of another shape: 31 hashes came for 1 nodes of a tree";
    assert_eq!(told, Err(shape.to_owned()));

    let endless = || Some(Ok(Answer::Listing(Listing { keys: vec![], more: true })));
    let told = lied_to(|ask| matches!(ask, Ask::List(_)).then(endless)?).await;
    assert_eq!(told, Err("the other side answered an empty page with more behind it".to_owned()));

    let turn = || Some(Ok(Answer::Record(OwnCopy { record: None, same: false, floor: 0 })));
    let told = lied_to(|ask| matches!(ask, Ask::List(_)).then(turn)?).await;
    assert_eq!(told, Err("answered out of turn".to_owned()));
    assert_eq!(lied_to(|_| Some(Err(CallError::Late))).await, Err("no answer in time".to_owned()));
}

#[tokio::test]
async fn what_one_side_will_not_give_does_not_hold_up_the_rest() {
    let is_fifth = |ask: &Ask| matches!(ask, Ask::Fetch(read) if read.key.ends_with(b"05"));
    let refusal = || Some(Err(CallError::Refused("ERR the engine failed".to_owned())));
    let tally = lied_to(|ask| is_fifth(ask).then(refusal)?).await.unwrap();
    assert_eq!((tally.differing, tally.received, tally.refused), (20, 19, 1));

    let garbled =
        || Some(Ok(Answer::Record(OwnCopy { record: Some("?".into()), same: false, floor: 0 })));
    let tally = lied_to(|ask| is_fifth(ask).then(garbled)?).await.unwrap();
    assert_eq!((tally.received, tally.refused), (19, 1));

    let tally = lied_to(|ask| matches!(ask, Ask::List(_)).then(refusal)?).await.unwrap();
    assert_eq!((tally.differing, tally.refused), (0, 20), "no bucket of them could be listed");
}
