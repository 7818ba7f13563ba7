//! What clients asked of each keyspace, how long it took, and which errors they were told.
//!
//! A request is of one key: an `MGET` of three is three reads. Its time is that from the coordinator's
//! taking it up to its reply, failed ones included, for a timeout is what its client waited for.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Histogram, Metric, Section};
use crate::placement::DEFAULT_KEYSPACE;

/// First words of errors, as the table in the root of this crate explains them, and one for those
/// another node or the engine put in words of their own.
const WORDS: [&str; 9] = [
    "ERR",
    "NOPROTO",
    "NOTREPLICA",
    "OVERLOADED",
    "TOOBIG",
    "UNAVAILABLE",
    "UNCERTAIN",
    "UNREPAIRED",
    "other",
];

/// What was asked of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Its value, or whether there is one.
    Read,
    /// A new value; `KV.DEL` is one too, as it is to a coordinator.
    Write,
    /// To be read, and deleted if it was there: `DEL`.
    Delete,
}

impl Request {
    const ALL: [(Request, &str); 3] =
        [(Request::Read, "read"), (Request::Write, "write"), (Request::Delete, "delete")];
}

/// What clients asked of each keyspace.
#[derive(Debug)]
pub struct Requests {
    /// Ascending by name. A list: of a handful, the right one is found in a quarter of the
    /// instructions that a look-up in a map takes.
    keyspaces: Vec<(String, Latencies)>,
    default: Latencies,
    /// In the order of [`WORDS`].
    errors: [AtomicU64; WORDS.len()],
}

/// Of one keyspace, in the order of [`Request::ALL`].
type Latencies = [Histogram; 3];

impl Requests {
    /// Nothing yet, of these keyspaces and the default one.
    pub fn new<'a>(keyspaces: impl IntoIterator<Item = &'a String>) -> Requests {
        let keyspaces = keyspaces.into_iter().map(|name| (name.clone(), Latencies::default()));
        Requests {
            keyspaces: keyspaces.collect(),
            default: Latencies::default(),
            errors: Default::default(),
        }
    }

    /// Where to record how long such a request of `key` took.
    pub fn latency(&self, request: Request, key: &[u8]) -> &Histogram {
        let is_prefix =
            |name: &str| key.get(name.len()) == Some(&b':') && key.starts_with(name.as_bytes());
        let known = self.keyspaces.iter().find(|(name, _)| is_prefix(name));
        &known.map_or(&self.default, |(_, latencies)| latencies)[request as usize]
    }

    /// A client was told this error.
    pub fn count_error(&self, error: &str) {
        let word = error.split(' ').next().unwrap_or_default();
        let at = WORDS.iter().position(|known| *known == word).unwrap_or(WORDS.len() - 1);
        self.errors[at].fetch_add(1, Relaxed);
    }

    /// What was counted.
    pub fn metrics(&self) -> [Metric; 2] {
        [self.latencies(), self.error_counts()]
    }

    fn latencies(&self) -> Metric {
        let metric = Metric::histogram(
            "schism_request_duration",
            "Time from a coordinator's taking up a request of one key to its reply, failures \
             included, by keyspace and kind. Not in it: reading the request and sending the reply.",
        );
        let named = self.keyspaces.iter().map(|(name, latencies)| (name.as_str(), latencies));
        let all = named.chain([(DEFAULT_KEYSPACE, &self.default)]);
        let each = all.flat_map(|(keyspace, latencies)| {
            Request::ALL.map(|(request, word)| (keyspace, word, latencies[request as usize].read()))
        });
        each.fold(metric, |metric, (keyspace, word, spread)| {
            let calls = format!("calls={},usec={}", spread.count(), spread.sum.as_micros());
            let labels = vec![("keyspace", keyspace.to_owned()), ("request", word.to_owned())];
            let name = format!("requeststat_{keyspace}_{word}");
            let metric = metric.spreads_for(labels, spread);
            metric.shown_as(Section::Requeststats, name, |_| calls)
        })
    }

    fn error_counts(&self) -> Metric {
        let metric = Metric::counter(
            "schism_errors",
            "Errors told to clients, by their first word: UNCERTAIN may have been written, all \
             others were not.",
        );
        WORDS.iter().zip(&self.errors).fold(metric, |metric, (word, count)| {
            let count = count.load(Relaxed);
            let metric = metric.reads_for(vec![("word", (*word).to_owned())], count);
            let name = format!("errorstat_{word}");
            metric.shown_as(Section::Errorstats, name, |_| format!("count={count}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Number, Readings};

    #[test]
    fn a_request_is_counted_for_the_keyspace_of_its_key_alone() {
        let requests = Requests::new(&["a".to_owned(), "ab".to_owned()]);
        requests.latency(Request::Write, b"a:1").record(Duration::from_micros(7));
        requests.latency(Request::Delete, b"ab:").record(Duration::from_micros(1));
        for key in ["b:1", "a", "aa:1", ":a:1", ""] {
            requests.latency(Request::Read, key.as_bytes()).record(Duration::from_micros(2));
        }
        let [latencies, _] = requests.metrics();
        let texts: Vec<String> =
            latencies.fields.iter().map(|it| format!("{}:{}", it.name, it.text)).collect();
        let none = "calls=0,usec=0";
        assert_eq!(
            texts,
            [
                format!("requeststat_a_read:{none}"),
                "requeststat_a_write:calls=1,usec=7".into(),
                format!("requeststat_a_delete:{none}"),
                format!("requeststat_ab_read:{none}"),
                format!("requeststat_ab_write:{none}"),
                "requeststat_ab_delete:calls=1,usec=1".into(),
                "requeststat_default_read:calls=5,usec=10".into(),
                format!("requeststat_default_write:{none}"),
                format!("requeststat_default_delete:{none}"),
            ]
        );
    }

    #[test]
    fn no_error_can_make_a_word_of_its_own() {
        let requests = Requests::new([]);
        for error in ["UNCERTAIN write", "UNCERTAIN", "x{y=\"1\"} z", "", "UNCERTAINLY"] {
            requests.count_error(error);
        }
        let [_, errors] = requests.metrics();
        let Readings::Counter(counts) = &errors.readings else { panic!("{errors:?}") };
        let told: Vec<_> = counts
            .iter()
            .filter(|(_, count)| *count != Number::Whole(0))
            .map(|(labels, count)| (labels[0].1.as_str(), *count))
            .collect();
        assert_eq!(told, [("UNCERTAIN", Number::Whole(2)), ("other", Number::Whole(3))]);
    }
}
