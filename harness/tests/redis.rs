//! A node, and a cluster, as the users of Redis meet them: `redis-cli` and `redis-benchmark`.
//!
//! Both come from Debian's redis-tools; where they are absent the tests say so and pass.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A node that ends with the test.
struct Node {
    child: Child,
    address: SocketAddr,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of the loopback range that no other test uses: the process id is in it.
fn loopback(last: u8) -> String {
    let pid = std::process::id();
    format!("127.{}.{}.{last}", (pid >> 8) & 0xff, pid & 0xff)
}

#[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
fn tools() -> bool {
    let found = Command::new("redis-benchmark").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: redis-benchmark is not installed (Debian: redis-tools)");
    }
    found
}

fn start(arguments: &[&str], address: &str, home: &Path) -> Node {
    let child = Command::new(env!("CARGO_BIN_EXE_schism"))
        .arg("node")
        .args(arguments)
        .current_dir(home)
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary can be started");
    let address = address.parse().expect("an address");
    let node = Node { child, address };
    says(&node, &["PING"], "PONG");
    node
}

/// Waits until the reply to `request` contains `expected`.
fn says(node: &Node, request: &[&str], expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let reply = cli(node, request);
        if reply.contains(expected) {
            return;
        }
        let address = node.address;
        assert!(
            Instant::now() < deadline,
            "{address} answers {request:?} after 20 s with: {reply}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What `redis-cli` prints.
fn cli(node: &Node, arguments: &[&str]) -> String {
    let (host, port) = (node.address.ip().to_string(), node.address.port().to_string());
    let output = Command::new("redis-cli")
        .args(["-h", &host, "-p", &port])
        .args(arguments)
        .output()
        .expect("redis-cli can be started");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs `redis-benchmark -t set,get`; both lines of its summary.
fn benchmark(node: &Node, requests: &str) -> String {
    let (host, port) = (node.address.ip().to_string(), node.address.port().to_string());
    let output = Command::new("redis-benchmark")
        .args(["-h", &host, "-p", &port, "-t", "set,get", "-n", requests, "-c", "16", "-r", "1000"])
        .args(["-P", "4", "-q"])
        .output()
        .expect("redis-benchmark can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).replace('\r', "\n")
}

fn speaks_redis(node: &Node) {
    assert_eq!(cli(node, &["SET", "greeting", "hello"]), "OK");
    assert_eq!(cli(node, &["GET", "greeting"]), "hello");
    assert_eq!(cli(node, &["MSET", "a", "1", "b", "2"]), "OK");
    assert_eq!(cli(node, &["MGET", "a", "b", "c"]), "1\n2");
    assert_eq!(cli(node, &["EXISTS", "a", "b", "c"]), "2");
    assert_eq!(cli(node, &["DEL", "a", "c"]), "1");
    assert_eq!(cli(node, &["GET", "a"]), "");
    assert_eq!(cli(node, &["-3", "GET", "b"]), "2");
    assert!(cli(node, &["NOSUCH", "x"]).contains("ERR unknown command"));
    assert!(cli(node, &["GET"]).contains("ERR wrong number of arguments for 'get' command"));
    // A write may have left a hint for a node that was not yet connected.
    says(node, &["INFO"], "hints_pending:0");
    let summary = benchmark(node, "4000");
    for test in ["SET: ", "GET: "] {
        assert!(summary.lines().any(|line| line.starts_with(test)), "no {test}in:\n{summary}");
    }
}

#[test]
fn one_node_serves_redis_cli_and_redis_benchmark() {
    if !tools() {
        return;
    }
    let home = tempfile::tempdir().expect("a scratch directory");
    let address = format!("{}:6379", loopback(1));
    let node = start(&["--listen", &address, "--sync", "100ms"], &address, home.path());
    speaks_redis(&node);
}

#[test]
fn a_cluster_serves_redis_cli_and_redis_benchmark() {
    if !tools() {
        return;
    }
    let home = tempfile::tempdir().expect("a scratch directory");
    let member = |last| {
        let ip = loopback(last);
        format!("  - {{ node: n{last}, client: \"{ip}:7000\", peer: \"{ip}:7001\" }}\n")
    };
    let members: Vec<String> = (11..14).map(member).collect();
    let members = members.concat();
    let nodes: Vec<Node> = (11..14)
        .map(|last| {
            let config = format!(
                "cluster: redis\nnode: n{last}\ndata: data{last}\nsync: 100ms\nmembers:\n{members}\
                 keyspaces:\n  cart: {{ policy: siblings, n: 3, r: 2, w: 2 }}\n\
                 default: {{ policy: register, n: 3, r: 2, w: 2 }}\n"
            );
            let file = format!("node{last}.yaml");
            std::fs::write(home.path().join(&file), config).expect("a configuration");
            start(&["--config", &file], &format!("{}:7000", loopback(last)), home.path())
        })
        .collect();
    // Nodes that have just started may not have found each other yet.
    for node in &nodes {
        says(node, &["SET", "ready", "yes"], "OK");
    }
    speaks_redis(&nodes[0]);
    // What was written through one node is read through another.
    assert_eq!(cli(&nodes[0], &["SET", "shared", "yes"]), "OK");
    assert_eq!(cli(&nodes[1], &["GET", "shared"]), "yes");
    // Two blind writes are siblings, until one has seen both.
    cli(&nodes[0], &["KV.PUT", "cart:1", "apple"]);
    cli(&nodes[1], &["KV.PUT", "cart:1", "pear"]);
    let seen = cli(&nodes[2], &["KV.GET", "cart:1"]);
    let mut lines = seen.lines();
    let context = lines.next().expect("a context").to_owned();
    assert_eq!(lines.collect::<Vec<_>>(), ["apple", "pear"]);
    cli(&nodes[2], &["KV.PUT", "cart:1", "apple pear", "CONTEXT", &context]);
    let seen = cli(&nodes[0], &["KV.GET", "cart:1"]);
    assert_eq!(seen.lines().skip(1).collect::<Vec<_>>(), ["apple pear"]);
}
