//! What is a history, what is refused, and with which words.

use checker::{Event, Function, History, HistoryError, Kind, Note, Outcome, Process, Value};
use proptest::prelude::*;

fn parse(text: &str) -> Result<History, HistoryError> {
    History::parse(text.as_bytes())
}

fn refusal(text: &str) -> String {
    parse(text).expect_err("this must be refused").to_string()
}

const WRITE: &str = r#"{"time":1,"process":0,"type":"invoke","f":"write","key":"r:1","value":4}"#;
const WROTE: &str = r#"{"time":2,"process":0,"type":"ok","f":"write","key":"r:1","value":4}"#;
const GAVE_UP: &str = r#"{"time":2,"process":0,"type":"info","f":"write","key":"r:1"}"#;

#[test]
fn an_empty_file_is_an_empty_history() {
    assert_eq!(parse("").unwrap(), History::default());
}

#[test]
fn a_completion_is_paired_with_its_invocation() {
    let history = parse(&format!("{WRITE}\n{WROTE}\n")).unwrap();
    let [operation] = history.operations() else { panic!("{history:?}") };
    assert_eq!((operation.invoked, operation.completed), (0, Some(1)));
    assert_eq!(operation.outcome, Outcome::Ok(Value::Int(4)));
}

#[test]
fn an_operation_without_completion_may_have_happened() {
    let history = parse(WRITE).unwrap();
    assert_eq!(history.operations()[0].outcome, Outcome::Info);
    assert_eq!(history.operations()[0].completed, None);
}

#[test]
fn a_last_line_cut_short_is_told_apart() {
    let text = format!("{WRITE}\n{}", &WROTE[..30]);
    assert!(matches!(parse(&text), Err(HistoryError::Truncated { line: 2 })));
    insta::assert_snapshot!(refusal(&text), @"line 2: the file is truncated here, in the middle of an event");
}

#[test]
fn a_line_cut_short_before_others_is_malformed() {
    let text = format!("{}\n{WROTE}\n", &WRITE[..30]);
    assert!(matches!(parse(&text), Err(HistoryError::Syntax { line: 1, .. })));
}

#[test]
fn what_is_no_event_is_refused_with_its_place() {
    insta::assert_snapshot!(refusal("\n"), @"line 1, column 1: an empty line, where an event was expected");
    insta::assert_snapshot!(refusal("{]\n"), @"line 1, column 2: key must be a string");
    let unknown = WRITE.replace("\"key\"", "\"kez\"");
    insta::assert_snapshot!(refusal(&unknown), @"line 1, column 55: unknown field `kez`, expected one of `time`, `process`, `type`, `f`, `key`, `value`, `node`, `version`, `error`");
    let nobody = WRITE.replace("\"process\":0", "\"process\":\"nobody\"");
    insta::assert_snapshot!(refusal(&nobody), @r#"line 1, column 28: invalid value: string "nobody", expected a process number or "nemesis""#);
}

#[test]
fn what_a_single_threaded_process_cannot_do_is_refused() {
    let second = WRITE.replace("\"time\":1", "\"time\":3");
    let all = [
        format!("{WRITE}\n{second}\n"),
        format!("{WROTE}\n"),
        format!("{WRITE}\n{GAVE_UP}\n{second}\n"),
        format!("{WRITE}\n{GAVE_UP}\n{WROTE}\n"),
        format!("{WRITE}\n{}\n", WROTE.replace("\"write\"", "\"add\"")),
        format!("{WRITE}\n{}\n", WROTE.replace("r:1", "r:2")),
        format!("{WRITE}\n{}\n", WROTE.replace("\"time\":2", "\"time\":0")),
    ];
    let refused: Vec<String> = all.iter().map(|text| refusal(text)).collect();
    insta::assert_snapshot!(refused.join("\n"), @r#"
    line 2: process 0 invokes while its operation of line 1 is open
    line 1: process 0 completes what it never invoked
    line 3: process 0 speaks after an operation ended as info
    line 3: process 0 speaks after an operation ended as info
    line 2: process 0 invoked write but completes add
    line 2: process 0 invoked on r:1 but completes on r:2
    line 2: time goes back from 1 to 0
    "#);
}

#[test]
fn a_process_may_go_on_after_a_failure() {
    let failed = GAVE_UP.replace("info", "fail");
    let again = WRITE.replace("\"time\":1", "\"time\":3");
    let history = parse(&format!("{WRITE}\n{failed}\n{again}\n")).unwrap();
    assert_eq!(history.operations()[0].outcome, Outcome::Fail);
    assert_eq!(history.operations().len(), 2);
}

#[test]
fn arguments_and_replies_have_the_shape_of_their_function() {
    let read = r#"{"time":1,"process":0,"type":"invoke","f":"read","key":"s:1"}"#;
    let unsorted = r#"{"time":2,"process":0,"type":"ok","f":"read","key":"s:1","value":[2,1]}"#;
    let all = [
        WRITE.replace(":4}", ":[4]}"),
        WRITE.replace("write", "add").replace(",\"value\":4", ""),
        read.replace("\"s:1\"", "\"s:1\",\"value\":3"),
        format!("{read}\n{unsorted}\n"),
        format!("{read}\n{}\n", unsorted.replace("[2,1]", "{\"a\":1}")),
    ];
    let refused: Vec<String> = all.iter().map(|text| refusal(text)).collect();
    insta::assert_snapshot!(refused.join("\n"), @r#"
    line 1: write takes a number, not {4}
    line 1: add takes a number, not nil
    line 1: read takes no value, not 3
    line 2: the elements of a set ascend, those of {2 1} do not
    line 2: read replies with nothing, a number or a set, not {"a":1}
    "#);
}

#[test]
fn a_nemesis_that_cannot_be_read_back_is_refused() {
    let begin =
        r#"{"time":1,"process":"nemesis","type":"info","f":"begin","value":{"kind":"kill"}}"#;
    let all = [
        begin.to_owned(),
        begin.replace(",\"value\":{\"kind\":\"kill\"}", ""),
        begin.replace("begin", "phase"),
        begin.replace("begin", "write"),
    ];
    let refused: Vec<String> = all.iter().map(|text| refusal(text)).collect();
    insta::assert_snapshot!(refused.join("\n"), @r#"
    line 1: the nemesis says begin without the number of its fault ("fault")
    line 1: the nemesis says begin without details
    line 1: the nemesis marks a phase without a name ("phase")
    line 1: the nemesis does not write
    "#);
}

const FAULTS: &str = r#"{"time":1,"process":"nemesis","type":"info","f":"phase","value":{"phase":"warm up"}}
{"time":5,"process":"nemesis","type":"info","f":"phase","value":{"phase":"faults"}}
{"time":6,"process":"nemesis","type":"invoke","f":"begin","value":{"fault":1,"kind":"kill","nodes":["n2"],"description":"kill n2"}}
{"time":7,"process":"nemesis","type":"info","f":"begin","value":{"fault":1,"kind":"kill","nodes":["n2"],"description":"kill n2","evidence":{"exit":"SIGKILL"}}}
{"time":8,"process":"nemesis","type":"invoke","f":"begin","value":{"fault":2,"kind":"pause","nodes":["n1"]}}
{"time":9,"process":"nemesis","type":"invoke","f":"end","value":{"fault":1,"kind":"kill"}}
{"time":11,"process":"nemesis","type":"info","f":"end","value":{"fault":1,"kind":"kill","evidence":{"restarted after ms":4},"bit":true}}
"#;

#[test]
fn faults_and_phases_are_read_back() {
    let history = parse(FAULTS).unwrap();
    let [kill, pause] = &history.faults()[..] else { panic!("two faults") };
    assert_eq!((kill.fault, kill.kind.as_str(), kill.description.as_str()), (1, "kill", "kill n2"));
    assert_eq!((kill.begin, kill.end, kill.bit), (Some(7), Some(11), true));
    assert_eq!(kill.nodes, ["n2"]);
    assert_eq!(kill.evidence.keys().collect::<Vec<_>>(), ["exit", "restarted after ms"]);
    assert_eq!((pause.begin, pause.end, pause.bit), (None, None, false));
    let phases = [("warm up".to_owned(), 1, Some(5)), ("faults".to_owned(), 5, None)];
    assert_eq!(history.phases(), phases);
}

#[test]
fn keys_are_listed_by_keyspace() {
    let line = |process: u32, key: &str| {
        WRITE.replace("\"process\":0", &format!("\"process\":{process}")).replace("r:1", key)
    };
    let keys = ["r:2", "s:1", "r:1", "r:2", "rest:1"];
    let lines: Vec<String> = (0..).zip(keys).map(|(process, key)| line(process, key)).collect();
    let history = parse(&lines.join("\n")).unwrap();
    assert_eq!(history.keys("r"), ["r:1", "r:2"]);
    assert_eq!(history.keyspaces(), ["r", "rest", "s"]);
}

fn value() -> impl Strategy<Value = Value> {
    let set = prop::collection::btree_set(any::<i64>(), 0..6);
    let note = prop::collection::btree_map("[a-z]{1,6}", any::<i32>().prop_map(Into::into), 0..4);
    prop_oneof![
        Just(Value::Nil),
        any::<i64>().prop_map(Value::Int),
        set.prop_map(|elements| Value::Set(elements.into_iter().collect())),
        note.prop_map(|note: Note| Value::Note(note)),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let process = prop_oneof![Just(Process::Nemesis), any::<u32>().prop_map(Process::Client)];
    let kind = prop::sample::select(vec![Kind::Invoke, Kind::Ok, Kind::Fail, Kind::Info]);
    let f = prop::sample::select(vec![
        Function::Read,
        Function::Write,
        Function::Add,
        Function::ReadReplica,
        Function::Other("begin".to_owned()),
    ]);
    let text = || prop::option::of(".{0,8}");
    let who = (any::<u64>(), process, kind, f);
    (who, value(), text(), text(), text(), text()).prop_map(
        |((time, process, kind, f), value, key, node, version, error)| Event {
            time,
            process,
            kind,
            f,
            key,
            value,
            node,
            version,
            error,
        },
    )
}

proptest! {
    #[test]
    fn an_event_written_and_read_is_the_same(event in event()) {
        let line = serde_json::to_string(&event).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
