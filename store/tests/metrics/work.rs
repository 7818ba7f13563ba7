//! What is done shows in the metrics.

use store::resp::Reply;
use tokio::net::TcpStream;

use super::exposition::Exposition;
use super::site::Site;

#[tokio::test]
async fn what_clients_ask_is_counted() {
    let site = Site::start().await;
    let before = site.metrics().await;
    assert_eq!(site.ask("MSET l:1 a l:2 b").await, Reply::OK);
    assert_eq!(site.ask("GET l:1").await, Reply::bulk("a"));
    assert_eq!(site.ask("DEL l:1 l:3").await, Reply::Integer(1));
    assert_eq!(site.ask("SET one a").await, Reply::OK);
    let after = site.metrics().await;
    let took = |keyspace: &str, request: &str| {
        let labels = [("keyspace", keyspace), ("request", request)];
        rise(&before, &after, "schism_request_duration_seconds_count", &labels)
    };
    assert_eq!([took("l", "write"), took("l", "read"), took("l", "delete")], [2, 1, 2]);
    assert_eq!([took("default", "write"), took("r", "write")], [1, 0]);
    let of = |name| rise(&before, &after, name, &[]);
    assert_eq!(of("schism_commands_total"), 4);
    assert_eq!(of("schism_quorum_reads_total"), 3, "a GET, and each key a DEL looks at");
    assert_eq!(of("schism_quorum_writes_total"), 4, "two, the key that was there, and one");
    let seconds = after.sum("schism_request_duration_seconds_sum");
    assert!(seconds > before.sum("schism_request_duration_seconds_sum"), "it took no time");
    assert_eq!(of("schism_live_keys"), 2);
}

#[tokio::test]
async fn a_write_its_absent_replica_missed_shows_as_a_hint_for_it() {
    let site = Site::start().await;
    assert_eq!(site.ask("SET l:1 a").await, Reply::OK);
    let labels = [("peer", "n2")];
    let metrics =
        site.until("a hint for n2", |it| it.value("schism_hints_kept", &labels) > 0.5).await;
    assert_eq!(whole(metrics.value("schism_hints_taken_total", &[])), 1);
    assert!(metrics.value("schism_hints_kept_bytes", &[]) > 4.0, "key and value are four");
    assert_eq!(whole(metrics.value("schism_peer_connected", &labels)), 0);
    let again = site.restart().await;
    let kept = again.metrics().await.value("schism_hints_kept", &labels);
    assert_eq!(whole(kept), 1, "a hint outlives its node");
}

#[tokio::test]
async fn errors_are_counted_by_their_first_word() {
    let site = Site::start().await;
    let before = site.metrics().await;
    let asked = [("GET r:1", "UNAVAILABLE"), ("NOPE", "ERR"), ("HELLO 9", "NOPROTO")];
    for (request, word) in asked {
        let reply = site.ask(request).await;
        assert!(matches!(&reply, Reply::Error(error) if error.starts_with(word)), "{reply:?}");
    }
    let broken = site.say(b"*1\r\n+PING\r\n").await;
    assert!(matches!(&broken, Reply::Error(error) if error.starts_with("ERR ")), "{broken:?}");
    let after = site.metrics().await;
    let errors = |word| rise(&before, &after, "schism_errors_total", &[("word", word)]);
    let words = ["UNAVAILABLE", "ERR", "NOPROTO", "UNCERTAIN", "TOOBIG", "NOTREPLICA", "other"];
    assert_eq!(words.map(errors), [1, 2, 1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_collector_that_says_nothing_keeps_no_node_from_its_end() {
    let site = Site::start().await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(site.collectors()).await.unwrap());
    }
    assert!(site.metrics().await.sum("schism_uptime_seconds") >= 0.0);
    // Begun again with the same data and doors: nothing of the first one is left.
    let again = site.restart().await;
    assert_eq!(again.ask("DBSIZE").await, Reply::Integer(0));
    drop(silent);
}

fn rise(before: &Exposition, after: &Exposition, name: &str, labels: &[(&str, &str)]) -> i64 {
    whole(after.value(name, labels)) - whole(before.value(name, labels))
}

fn whole(value: f64) -> i64 {
    assert!(value.fract().abs() < 1e-9, "{value} is no count");
    value as i64
}
