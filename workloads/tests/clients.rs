//! Clients against a store that lies, dawdles and hangs up: what each of these is recorded as.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use checker::{Function, Value};
use support::{Act, Fake, say};
use workloads::{
    Client, Completion, Invocation, MvRegisterOptions, RegisterOptions, SetOptions, WorkloadSpec,
};

/// Long enough that a busy machine does not reach it.
const PATIENT: Duration = Duration::from_secs(20);
/// For servers that never answer.
const BRIEF: Duration = Duration::from_millis(50);

fn register() -> WorkloadSpec {
    WorkloadSpec::Register(RegisterOptions::default())
}

fn set() -> WorkloadSpec {
    WorkloadSpec::Set(SetOptions::default())
}

fn mv_register() -> WorkloadSpec {
    WorkloadSpec::MvRegister(MvRegisterOptions::default())
}

async fn connect(spec: &WorkloadSpec, address: SocketAddr, timeout: Duration) -> Box<dyn Client> {
    spec.build().connector().connect(address, timeout).await.expect("it listens")
}

fn read() -> Invocation {
    Invocation { f: Function::Read, key: "k:0".into(), value: Value::Nil }
}

fn replica() -> Invocation {
    Invocation { f: Function::ReadReplica, ..read() }
}

fn write(value: i64) -> Invocation {
    Invocation { f: Function::Write, value: Value::Int(value), ..read() }
}

fn delete() -> Invocation {
    Invocation { f: Function::Delete, ..read() }
}

fn add(element: i64) -> Invocation {
    Invocation { f: Function::Add, value: Value::Int(element), ..read() }
}

fn is_fail(completion: &Completion) -> bool {
    matches!(completion, Completion::Fail(_))
}

fn is_info(completion: &Completion) -> bool {
    matches!(completion, Completion::Info(_))
}

/// What one operation of `spec` ends as when the store answers `reply` to everything.
async fn ends(spec: &WorkloadSpec, invocation: &Invocation, reply: &str) -> (Completion, bool) {
    let act = say(reply);
    let fake = Fake::start(move |_, _| act.clone()).await;
    let mut client = connect(spec, fake.address, PATIENT).await;
    (client.invoke(invocation).await, client.is_usable())
}

fn ok(value: Value) -> Completion {
    Completion::Ok(value, None)
}

#[tokio::test]
async fn a_register_reads_what_the_store_says() {
    let cases = [
        ("$2\r\n42\r\n", Value::Int(42)),
        ("$-1\r\n", Value::Nil),
        ("_\r\n", Value::Nil),
        ("$3\r\nabc\r\n", Value::Int(workloads::elements::ALIEN)),
    ];
    for (reply, value) in cases {
        assert_eq!(ends(&register(), &read(), reply).await, (ok(value), true), "{reply:?}");
    }
}

#[tokio::test]
async fn a_write_says_set_and_completes_with_its_own_value() {
    let fake = Fake::start(|_, _| say("+OK\r\n")).await;
    let mut client = connect(&register(), fake.address, PATIENT).await;
    assert_eq!(client.invoke(&write(7)).await, ok(Value::Int(7)));
    assert_eq!(fake.requests(), [["SET", "k:0", "7"]]);
}

#[tokio::test]
async fn a_delete_says_del_and_completes_whatever_it_found() {
    for reply in [":0\r\n", ":1\r\n"] {
        let fake = Fake::start(move |_, _| say(reply)).await;
        let mut client = connect(&register(), fake.address, PATIENT).await;
        assert_eq!(client.invoke(&delete()).await, ok(Value::Nil));
        assert_eq!(fake.requests(), [["DEL", "k:0"]]);
    }
    for reply in [":2\r\n", "+OK\r\n", "-UNCERTAIN x\r\n"] {
        assert!(is_info(&ends(&register(), &delete(), reply).await.0), "{reply:?}");
    }
    assert!(is_fail(&ends(&register(), &delete(), "-UNAVAILABLE x\r\n").await.0));
}

#[tokio::test]
async fn an_update_of_siblings_hands_back_what_it_read_and_says_what_it_replaced() {
    let fake = Fake::start(|_, request| match request[0].as_str() {
        "KV.GET" => say("*2\r\n$3\r\nctx\r\n*2\r\n$2\r\n12\r\n$1\r\n3\r\n"),
        _ => say("$4\r\nctx2\r\n"),
    })
    .await;
    let mut client = connect(&mv_register(), fake.address, PATIENT).await;
    assert_eq!(client.invoke(&write(13)).await, ok(Value::Set(vec![3, 12])));
    assert_eq!(client.invoke(&delete()).await, ok(Value::Set(vec![3, 12])));
    assert_eq!(client.invoke(&read()).await, ok(Value::Set(vec![3, 12])));
    let expected: [&[&str]; 5] = [
        &["KV.GET", "k:0"],
        &["KV.PUT", "k:0", "13", "CONTEXT", "ctx"],
        &["KV.GET", "k:0"],
        &["KV.DEL", "k:0", "CONTEXT", "ctx"],
        &["KV.GET", "k:0"],
    ];
    assert_eq!(fake.requests(), expected);
}

#[tokio::test]
async fn an_update_of_siblings_has_no_context_where_nothing_is_held() {
    let fake = Fake::start(|_, request| match request[0].as_str() {
        "KV.GET" => say("*2\r\n$0\r\n\r\n*0\r\n"),
        _ => say("$1\r\nc\r\n"),
    })
    .await;
    let mut client = connect(&mv_register(), fake.address, PATIENT).await;
    assert_eq!(client.invoke(&delete()).await, ok(Value::Set(vec![])));
    assert_eq!(client.invoke(&write(1)).await, ok(Value::Set(vec![])));
    assert_eq!(fake.requests()[1], ["KV.DEL", "k:0"]);
    assert_eq!(fake.requests()[3], ["KV.PUT", "k:0", "1"]);
}

#[tokio::test]
async fn an_update_of_siblings_that_could_not_read_has_written_nothing() {
    for (act, ends_as) in [(say("-UNCERTAIN x\r\n"), "KV.GET"), (say(":1\r\n"), "KV.DEL")] {
        let fake = Fake::start(move |_, request| match request[0].as_str() {
            word if word == ends_as => act.clone(),
            _ => say("*0\r\n"),
        })
        .await;
        let mut client = connect(&mv_register(), fake.address, PATIENT).await;
        let completion = client.invoke(&delete()).await;
        assert_eq!(is_fail(&completion), ends_as == "KV.GET", "{completion:?}");
        assert_eq!(is_info(&completion), ends_as == "KV.DEL", "{completion:?}");
    }
}

#[tokio::test]
async fn a_replica_read_brings_the_version_with_the_value() {
    let with = |value| Completion::Ok(value, Some("v1".into()));
    let one = "*2\r\n$2\r\nv1\r\n*1\r\n$1\r\n5\r\n";
    let two = "*2\r\n$2\r\nv1\r\n*2\r\n$2\r\n10\r\n$1\r\n9\r\n";
    let none = "*2\r\n$2\r\nv1\r\n*0\r\n";
    assert_eq!(ends(&register(), &replica(), one).await.0, with(Value::Int(5)));
    assert_eq!(ends(&register(), &replica(), two).await.0, with(Value::Set(vec![9, 10])));
    assert_eq!(ends(&register(), &replica(), none).await.0, with(Value::Nil));
    assert_eq!(ends(&set(), &replica(), two).await.0, with(Value::Set(vec![9, 10])));
}

#[tokio::test]
async fn each_error_word_ends_a_write_as_the_table_says_and_keeps_the_connection() {
    for word in ["ERR", "TOOBIG", "WRONGTYPE", "NOTREPLICA", "UNAVAILABLE"] {
        let reply = format!("-{word} because\r\n");
        let failed = (Completion::Fail(format!("{word} because")), true);
        assert_eq!(ends(&register(), &write(1), &reply).await, failed);
        assert_eq!(ends(&register(), &read(), &reply).await, failed);
    }
    for word in ["UNCERTAIN", "MYSTERY"] {
        let reply = format!("-{word} because\r\n");
        let (text, usable) = (format!("{word} because"), true);
        assert_eq!(
            ends(&register(), &write(1), &reply).await,
            (Completion::Info(text.clone()), usable)
        );
        assert_eq!(ends(&register(), &read(), &reply).await, (Completion::Fail(text), usable));
    }
}

#[tokio::test]
async fn a_reply_that_cannot_be_ends_the_connection_and_proves_nothing() {
    for reply in [":1\r\n", "!?\r\n", "+OK\r\n+OK\r\n", "$-1\r\n"] {
        let (completion, usable) = ends(&register(), &write(1), reply).await;
        assert!(is_info(&completion) && !usable, "{reply:?}: {completion:?}");
    }
    for reply in [":1\r\n", "!?\r\n", "+OK\r\n+OK\r\n"] {
        let (completion, usable) = ends(&register(), &read(), reply).await;
        assert!(is_fail(&completion) && !usable, "{reply:?}: {completion:?}");
    }
}

#[tokio::test]
async fn a_late_reply_never_answers_the_next_request() {
    let fake = Fake::start(|connection, _| match connection {
        0 => Act::Late("$5\r\nstale\r\n".into()),
        _ => say("$1\r\n2\r\n"),
    })
    .await;
    let mut client = connect(&register(), fake.address, BRIEF).await;
    assert!(is_fail(&client.invoke(&read()).await));
    fake.release();
    assert!(!client.is_usable());
    let refused = client.invoke(&read()).await;
    assert_eq!(refused, Completion::Fail("not sent: not connected".into()));
    let mut fresh = connect(&register(), fake.address, PATIENT).await;
    assert_eq!(fresh.invoke(&read()).await, ok(Value::Int(2)));
}

#[tokio::test]
async fn a_write_without_reply_in_time_may_have_happened() {
    let fake = Fake::start(|_, _| Act::Late("+OK\r\n".into())).await;
    let mut client = connect(&register(), fake.address, BRIEF).await;
    assert_eq!(client.invoke(&write(1)).await, Completion::Info("no reply in time".into()));
    assert!(!client.is_usable());
}

#[tokio::test]
async fn an_operation_dropped_in_flight_breaks_its_connection() {
    let fake = Fake::start(|_, _| Act::Late("+OK\r\n".into())).await;
    let mut client = connect(&register(), fake.address, PATIENT).await;
    let cut = tokio::time::timeout(BRIEF, client.invoke(&write(1))).await;
    assert!(cut.is_err());
    assert!(!client.is_usable());
}

#[tokio::test]
async fn a_connection_closed_within_a_reply_proves_nothing_of_a_write() {
    for part in ["", "+O", "$5\r\nhal"] {
        let act = Act::Close(part.into());
        let fake = Fake::start(move |_, _| act.clone()).await;
        let mut client = connect(&register(), fake.address, PATIENT).await;
        let completion = client.invoke(&write(1)).await;
        assert!(is_info(&completion), "{part:?}: {completion:?}");
        assert!(!client.is_usable());
        let mut client = connect(&register(), fake.address, PATIENT).await;
        let completion = client.invoke(&read()).await;
        assert!(is_fail(&completion), "{part:?}: {completion:?}");
        assert!(!client.is_usable());
    }
}

#[tokio::test]
async fn a_reply_in_pieces_is_one_reply() {
    let fake = Fake::start(|_, _| Act::Dribble("$2\r\n42\r\n".into())).await;
    let mut client = connect(&register(), fake.address, PATIENT).await;
    for _ in 0..10 {
        assert_eq!(client.invoke(&read()).await, ok(Value::Int(42)));
    }
}

#[tokio::test]
async fn every_request_has_the_whole_timeout_to_itself() {
    let timeout = Duration::from_secs(1);
    let fake = Fake::start(|_, _| say("$-1\r\n")).await;
    let mut client = connect(&register(), fake.address, timeout).await;
    let start = Instant::now();
    while start.elapsed() < timeout * 2 {
        assert_eq!(client.invoke(&read()).await, ok(Value::Nil));
    }
}

#[tokio::test]
async fn nobody_listening_is_an_error_of_connecting() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let refused = register().build().connector().connect(address, PATIENT).await;
    assert_eq!(refused.err().unwrap().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn an_add_joins_all_siblings_and_hands_their_context_back() {
    let fake = Fake::start(|_, request| match request[0].as_str() {
        "KV.GET" => say("*2\r\n$3\r\nctx\r\n*2\r\n$4\r\n1 20\r\n$3\r\n1 3\r\n"),
        _ => say("$4\r\nctx2\r\n"),
    })
    .await;
    let mut client = connect(&set(), fake.address, PATIENT).await;
    assert_eq!(client.invoke(&add(5)).await, ok(Value::Int(5)));
    assert_eq!(client.invoke(&read()).await, ok(Value::Set(vec![1, 3, 20])));
    let expected: [&[&str]; 3] =
        [&["KV.GET", "k:0"], &["KV.PUT", "k:0", "1 3 5 20", "CONTEXT", "ctx"], &["KV.GET", "k:0"]];
    assert_eq!(fake.requests(), expected);
}

#[tokio::test]
async fn the_first_add_has_no_context_to_hand_back() {
    for empty in ["*0\r\n", "*2\r\n$0\r\n\r\n*0\r\n", "*2\r\n$-1\r\n*0\r\n"] {
        let fake = Fake::start(move |_, request| match request[0].as_str() {
            "KV.GET" => say(empty),
            _ => say("$1\r\nc\r\n"),
        })
        .await;
        let mut client = connect(&set(), fake.address, PATIENT).await;
        assert_eq!(client.invoke(&add(5)).await, ok(Value::Int(5)));
        assert_eq!(fake.requests()[1], ["KV.PUT", "k:0", "5"]);
        assert_eq!(client.invoke(&read()).await, ok(Value::Set(vec![])));
    }
}

#[tokio::test]
async fn an_add_that_could_not_read_has_written_nothing() {
    for act in [say("-UNCERTAIN x\r\n"), Act::Close(vec![]), Act::Late(vec![]), say(":1\r\n")] {
        let fake = Fake::start(move |_, _| act.clone()).await;
        let mut client = connect(&set(), fake.address, BRIEF).await;
        let completion = client.invoke(&add(5)).await;
        assert!(is_fail(&completion), "{completion:?}");
        assert_eq!(fake.requests(), [["KV.GET", "k:0"]]);
    }
}

#[tokio::test]
async fn an_add_whose_write_has_no_clear_end_may_have_happened() {
    // The read before the write must be answered in time.
    let late = (Act::Late(vec![]), Duration::from_secs(1));
    let prompt = [say("-UNCERTAIN x\r\n"), Act::Close(vec![]), say(":1\r\n")];
    for (act, timeout) in prompt.map(|act| (act, PATIENT)).into_iter().chain([late]) {
        let fake = Fake::start(move |_, request| match request[0].as_str() {
            "KV.GET" => say("*0\r\n"),
            _ => act.clone(),
        })
        .await;
        let mut client = connect(&set(), fake.address, timeout).await;
        let completion = client.invoke(&add(5)).await;
        assert!(is_info(&completion), "{completion:?}");
    }
    let fake = Fake::start(|_, request| match request[0].as_str() {
        "KV.GET" => say("*0\r\n"),
        _ => say("-UNAVAILABLE 1 of 2\r\n"),
    })
    .await;
    let mut client = connect(&set(), fake.address, PATIENT).await;
    assert!(is_fail(&client.invoke(&add(5)).await));
}

#[tokio::test]
async fn an_operation_of_another_workload_is_refused_and_not_sent() {
    let fake = Fake::start(|_, _| say("+OK\r\n")).await;
    let mut client = connect(&register(), fake.address, PATIENT).await;
    assert!(is_fail(&client.invoke(&add(1)).await));
    assert_eq!(fake.requests(), Vec::<Vec<String>>::new());
}
