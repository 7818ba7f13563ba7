//! What an operator is told when a node cannot start.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::TcpListener;

use store::{Config, Node};

fn config(directory: &std::path::Path, client: u16) -> Config {
    let yaml = format!(
        "{{cluster: test, node: n1, data: {}, \
         members: [{{node: n1, client: '127.0.0.1:{client}', peer: '127.0.0.2:0'}}]}}",
        directory.join("data").display()
    );
    serde_yaml::from_str(&yaml).unwrap()
}

async fn refusal(config: Config) -> String {
    Node::start(config).await.err().expect("it does not start").to_string()
}

#[tokio::test]
async fn a_port_in_use_is_named_and_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = refusal(config(directory.path(), address.port())).await;
    assert!(said.starts_with(&format!("failed to listen for clients at {address}: ")), "{said}");
    assert!(!directory.path().join("data").exists());
}

#[tokio::test]
async fn a_port_in_use_for_metrics_is_named_with_its_setting() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = refusal(Config { metrics: Some(address), ..config(directory.path(), 0) }).await;
    assert!(said.starts_with(&format!("failed to listen for `metrics` at {address}: ")), "{said}");
    assert!(!directory.path().join("data").exists());
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("data"), "in the way").unwrap();
    let said = refusal(config(directory.path(), 0)).await;
    let path = directory.path().join("data").display().to_string();
    assert!(said.starts_with(&format!("failed to open the data in {path}: ")), "{said}");
}

#[tokio::test]
async fn a_data_directory_in_use_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let _first = Node::start(config(directory.path(), 0)).await.unwrap();
    let said = refusal(config(directory.path(), 0)).await;
    assert!(said.contains("is in use by another process"), "{said}");
}

#[tokio::test]
async fn an_unknown_node_is_told_who_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { node: "n9".into(), ..config(directory.path(), 0) };
    let said = refusal(config).await;
    assert!(said.contains("node `n9` is none of the members n1"), "{said}");
}
