//! `KV.REPAIR`: a comparison with other replicas now, and a reply when it is done.

use crate::anti_entropy::{AntiEntropy, Repair, Tally};
use crate::resp::Reply;
use crate::ring::NodeId;

/// Compares with the node of this name, or with every other replica.
pub(super) async fn repair(anti_entropy: &AntiEntropy, name: Option<String>) -> Reply {
    let mut others = anti_entropy.replicas();
    if let Some(name) = name {
        others.retain(|other| other.as_str() == name);
        if others.is_empty() {
            let known: String = name.chars().take(NodeId::LEN_MAX).collect();
            return Reply::Error(format!("ERR no other replica is called '{known}'"));
        }
    }
    reply(anti_entropy.repair(others).await)
}

/// What it came to with each, or with whom it failed.
fn reply(repair: Repair) -> Reply {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    for (node, result) in repair {
        match result {
            Ok(tally) => done.push((Reply::bulk(node.as_str()), counts(&tally))),
            Err(why) => failures.push(format!("{node}: {why}")),
        }
    }
    if failures.is_empty() {
        return Reply::Map(done);
    }
    Reply::Error(format!("UNREPAIRED {}", failures.join("; ")))
}

fn counts(tally: &Tally) -> Reply {
    let count = |(name, count): (&str, u64)| {
        (Reply::bulk(name), Reply::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
    };
    Reply::Map(tally.all().map(count).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anti_entropy::SessionError;
    use crate::peer::CallError;

    #[test]
    fn one_node_out_of_reach_makes_it_an_error_that_names_it() {
        let node = |name: &str| NodeId::new(name).unwrap();
        let lost = SessionError::Call(CallError::NotConnected);
        let repair = Repair::from([
            (node("n2"), Ok(Tally { sent: 3, ..Tally::default() })),
            (node("n3"), Err(lost.into())),
        ]);
        assert_eq!(reply(repair), Reply::Error("UNREPAIRED n3: not connected".to_owned()));
    }
}
