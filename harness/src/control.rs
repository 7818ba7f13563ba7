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

/// What a node says of its own quiet: nothing left to hand over, and nobody missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Hints not yet handed to their owners.
    pub hints_pending: u64,
    /// Answers not yet heard that may still become hints or repairs.
    pub late_tasks: u64,
    /// Members it believes down.
    pub nodes_down: u64,
}

/// Asks a node for its [`Quiet`].
pub async fn quiet(node: SocketAddr, timeout: Duration) -> Result<Quiet> {
    let text = info(node, timeout).await?;
    Ok(Quiet {
        hints_pending: field(&text, "hints_pending")?,
        late_tasks: field(&text, "late_tasks")?,
        nodes_down: field(&text, "nodes_down")?,
    })
}

/// How many tombstones a node has reaped since it was started; none where it does not say.
pub async fn tombstones_reaped(node: SocketAddr, timeout: Duration) -> Result<u64> {
    let text = info(node, timeout).await?;
    Ok(field(&text, "tombstones_reaped").unwrap_or(0))
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

/// A field of INFO.
fn field(info: &str, name: &str) -> Result<u64> {
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = value.with_context(|| format!("INFO has no field {name}"))?;
    value.trim().parse().with_context(|| format!("{name} is no number: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_info_is_found_by_its_whole_name() {
        let info = "# Cluster\r\nhints_pending_bytes:7\r\nhints_pending:3\r\n";
        assert_eq!(field(info, "hints_pending").expect("it is there"), 3);
        assert!(field(info, "nodes_down").is_err());
    }
}
