//! Rumours as messages, and back. What names no possible node is left out.

use crate::membership::{Digest, Heartbeat, Rumour};
use crate::peer::message::{Beat, WireRumour};
use crate::ring::NodeId;

pub(super) fn beat(node: &NodeId, at: Heartbeat) -> Beat {
    Beat { node: node.to_string(), epoch: at.epoch, counter: at.counter }
}

pub(super) fn pack(rumour: &Rumour) -> WireRumour {
    let suspects = rumour.suspects.iter().map(|(node, at)| beat(node, *at)).collect();
    WireRumour { of: beat(&rumour.node, rumour.heartbeat), suspects }
}

pub(super) fn unpack(rumour: &WireRumour) -> Option<Rumour> {
    let (node, heartbeat) = unbeat(&rumour.of)?;
    Some(Rumour { node, heartbeat, suspects: digest(&rumour.suspects) })
}

pub(super) fn digest(beats: &[Beat]) -> Digest {
    beats.iter().filter_map(unbeat).collect()
}

fn unbeat(beat: &Beat) -> Option<(NodeId, Heartbeat)> {
    let node = NodeId::new(&beat.node).ok()?;
    Some((node, Heartbeat { epoch: beat.epoch, counter: beat.counter }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rumour() -> Rumour {
        let [n1, n2] = ["n1", "n2"].map(|name| NodeId::new(name).unwrap());
        let at = Heartbeat { epoch: 3, counter: 7 };
        Rumour { node: n1, heartbeat: at, suspects: [(n2, Heartbeat::default())].into() }
    }

    #[test]
    fn a_rumour_survives_the_wire() {
        assert_eq!(unpack(&pack(&rumour())), Some(rumour()));
    }

    #[test]
    fn a_rumour_of_no_possible_node_is_left_out() {
        let mut wire = pack(&rumour());
        wire.suspects[0].node = "n,2".into();
        assert_eq!(unpack(&wire).map(|rumour| rumour.suspects.len()), Some(0));
        wire.of.node.clear();
        assert_eq!(unpack(&wire), None);
    }
}
