//! What the harness asks of a node beside the workload: whether it answers, and whether it is quiet.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use store::resp::Reply;
use workloads::connection::Connection;

/// Whether a node answers its clients.
pub async fn ping(node: SocketAddr, timeout: Duration) -> Result<()> {
    match ask(node, &["PING"], timeout).await? {
        Reply::Simple(_) => Ok(()),
        other => bail!("PING was answered by {other:?}"),
    }
}

/// What a node says of its own quiet: nothing left to hand over, nobody missed, nothing to catch up
/// with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Hints not yet handed to their owners.
    pub hints_pending: u64,
    /// Answers not yet heard that may still become hints or repairs.
    pub late_tasks: u64,
    /// Members it believes down.
    pub nodes_down: u64,
    /// Replicas with which it has yet to compare its copies before it answers reads.
    pub catching_up: u64,
}

/// Asks a node for its [`Quiet`].
pub async fn quiet(node: SocketAddr, timeout: Duration) -> Result<Quiet> {
    Quiet::of(&info(node, timeout).await?)
}

impl Quiet {
    /// What an INFO says.
    fn of(info: &str) -> Result<Quiet> {
        Ok(Quiet {
            hints_pending: field(info, "hints_pending")?,
            late_tasks: field(info, "late_tasks")?,
            nodes_down: field(info, "nodes_down")?,
            catching_up: field(info, "catching_up")?,
        })
    }
}

/// How many tombstones a node has reaped since it was started.
pub async fn tombstones_reaped(node: SocketAddr, timeout: Duration) -> Result<u64> {
    field(&info(node, timeout).await?, "tombstones_reaped")
}

async fn info(node: SocketAddr, timeout: Duration) -> Result<String> {
    let Reply::Bulk(text) = ask(node, &["INFO"], timeout).await? else {
        bail!("INFO was not answered by a text")
    };
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The Merkle root of every replica set a node belongs to, by name.
pub async fn roots(node: SocketAddr, timeout: Duration) -> Result<Vec<(String, String)>> {
    let Reply::Array(rows) = ask(node, &["KV.ROOTS"], timeout).await? else {
        bail!("KV.ROOTS was not answered by a list")
    };
    let text = |reply: &Reply| match reply {
        Reply::Bulk(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    let rows = rows.iter().map(|row| match row {
        Reply::Array(pair) => text(pair.first()?).zip(text(pair.get(1)?)),
        _ => None,
    });
    rows.collect::<Option<_>>().context("KV.ROOTS was not answered by pairs of texts")
}

async fn ask(node: SocketAddr, request: &[&str], timeout: Duration) -> Result<Reply> {
    let mut connection = Connection::open(node, timeout).await?;
    connection.request(request).await.map_err(|trouble| anyhow!("{trouble}"))
}

/// A number that INFO says.
fn field(info: &str, name: &str) -> Result<u64> {
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = value.with_context(|| format!("INFO has no field {name}"))?.trim();
    value.parse().with_context(|| format!("{name} is no number: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_info_is_found_by_its_whole_name() {
        let info = "# Cluster\r\nhints_pending_bytes:7\r\nhints_pending:3\r\n";
        assert_eq!(field(info, "hints_pending").expect("a number"), 3);
        assert!(field(info, "hints").is_err());
        assert!(field("nodes_down:many", "nodes_down").is_err());
    }

    #[test]
    fn who_does_not_say_all_of_it_is_not_known_to_be_quiet() {
        let info = "hints_pending:1\r\nlate_tasks:2\r\nnodes_down:3\r\ncatching_up:4\r\n";
        let quiet = Quiet { hints_pending: 1, late_tasks: 2, nodes_down: 3, catching_up: 4 };
        assert_eq!(Quiet::of(info).expect("whole"), quiet);
        for line in info.lines() {
            assert!(Quiet::of(&info.replace(line, "")).is_err(), "without {line}");
        }
    }
}
