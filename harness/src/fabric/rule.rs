//! Cuts as the kernel's filter language has them: messages, and nothing that sends them.
//!
//! In the words of `nft list ruleset`:
//!
//! ```text
//! table bridge schism { chain cuts { type filter hook forward priority 0; policy accept;
//!     meta protocol ip6    drop
//!     meta protocol != ip  accept
//!     @nh,96,64 == (from . to)  counter  drop        # once for each pair
//! } }
//! ```
//!
//! Source and destination stand side by side in an IPv4 header, so one load of eight bytes at offset
//! twelve and one comparison decide. A new set of cuts is one batch: *flush the chain, add rules*;
//! the kernel commits all of it or nothing, and packets see the old generation or the new.
//!
//! Source: linux/netfilter/nf_tables.h; RFC 791 §3.1.

use std::net::Ipv4Addr;

use netlink_packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage,
    Nla as _,
};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, Cmp, DataAttribute, ExpressionAttribute, Expressions, Hook,
    Immediate, InetHookNumber, ListAttribute, Meta, MetaKey, NfTablesMessage, Operator, Payload,
    Register, RuleAttribute, RuleMessage, TableAttribute, TableMessage, Verdict, VerdictAttribute,
};
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterProtoFamily};

pub(super) type Message = NetlinkMessage<NetfilterMessage>;

const TABLE: &str = "schism";
const CHAIN: &str = "cuts";
const SUBSYSTEM_NFTABLES: u16 = 10;
const ACCEPT: u32 = 1;
const DROP: u32 = 0;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
/// `NFT_PAYLOAD_NETWORK_HEADER`.
const NETWORK_HEADER: u32 = 1;
const ADDRESSES_OFFSET: u32 = 12;
/// `NFTA_COUNTER_PACKETS`.
const COUNTER_PACKETS: u16 = 2;

/// A directed pair: packets from the one to the other are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) from: Ipv4Addr,
    pub(super) to: Ipv4Addr,
}

impl Pair {
    /// As they stand in the header.
    fn bytes(self) -> Vec<u8> {
        [self.from.octets(), self.to.octets()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (from, to) = bytes.split_first_chunk::<4>()?;
        Some(Pair { from: (*from).into(), to: <[u8; 4]>::try_from(to).ok()?.into() })
    }
}

/// The batch that makes table and chain, with no rule in it.
pub(super) fn install() -> Vec<Message> {
    let table = TableMessage { attributes: vec![TableAttribute::Name(TABLE.into())] };
    let chain = ChainMessage {
        attributes: vec![
            ChainAttribute::Table(TABLE.into()),
            ChainAttribute::Name(CHAIN.into()),
            ChainAttribute::Hook(vec![
                Hook::Number(InetHookNumber::Forward.into()),
                Hook::Priority(0),
            ]),
            ChainAttribute::Policy(ACCEPT),
            ChainAttribute::Type("filter".into()),
        ],
    };
    // Made, deleted, made again: the way to an empty table whether or not there was one.
    batch(vec![
        (NfTablesMessage::NewTable(table.clone()), NLM_F_CREATE),
        (NfTablesMessage::DeleteTable(table.clone()), 0),
        (NfTablesMessage::NewTable(table), NLM_F_CREATE),
        (NfTablesMessage::NewChain(chain), NLM_F_CREATE),
    ])
}

/// The batch that puts rules for `pairs` in place of all there are.
pub(super) fn replace(pairs: &[Pair]) -> Vec<Message> {
    // Without a handle, deleting a rule means deleting all rules of the chain.
    let flush = (NfTablesMessage::DeleteRule(RuleMessage { attributes: place() }), 0);
    let add = |expressions: Vec<Expressions>| {
        let mut attributes = place();
        let expressions = expressions.into_iter().map(Into::into).collect();
        attributes.push(RuleAttribute::Expressions(expressions));
        let rule = NfTablesMessage::NewRule(RuleMessage { attributes });
        (rule, NLM_F_CREATE | NLM_F_APPEND)
    };
    let cuts = pairs.iter().map(|&pair| drop_pair(pair));
    let rules = [drop_ipv6(), accept_all_but_ipv4()].into_iter().chain(cuts).map(add);
    batch(std::iter::once(flush).chain(rules).collect())
}

/// The question for all rules, with their counters.
pub(super) fn list() -> Message {
    let ask = NfTablesMessage::GetRule(RuleMessage { attributes: place() });
    message(NetfilterProtoFamily::Bridge, 0, ask.into(), NLM_F_DUMP)
}

/// The pair of a rule and how many packets it dropped; `None` for a message that is no rule of ours.
pub(super) fn counted(message: &NetfilterMessage) -> Option<(Pair, u64)> {
    use netlink_packet_netfilter::NetfilterMessageInner as Inner;
    let Inner::NfTables(NfTablesMessage::NewRule(rule)) = &message.inner else { return None };
    let parts = rule.attributes.iter().find_map(|attribute| match attribute {
        RuleAttribute::Expressions(parts) => Some(parts),
        _ => None,
    })?;
    let (mut pair, mut packets) = (None, None);
    for expression in parts.iter().filter_map(expression_of) {
        match expression {
            Expressions::Cmp(compare) => pair = compare.iter().find_map(pair_of).or(pair),
            Expressions::Other { expression_type, attributes } if expression_type == "counter" => {
                packets = attributes.iter().find_map(packets_of);
            }
            _ => {}
        }
    }
    Some((pair?, packets?))
}

fn expression_of(part: &ListAttribute<ExpressionAttribute>) -> Option<&Expressions> {
    let ListAttribute::Element(attributes) = part else { return None };
    attributes.iter().find_map(|attribute| match attribute {
        ExpressionAttribute::Data(expression) => Some(expression),
        _ => None,
    })
}

fn pair_of(compare: &Cmp) -> Option<Pair> {
    match compare {
        Cmp::Data(DataAttribute::Value(bytes)) => Pair::from_bytes(bytes),
        _ => None,
    }
}

fn packets_of(attribute: &DefaultNla) -> Option<u64> {
    let mut value = vec![0; attribute.value_len()];
    attribute.emit_value(&mut value);
    (attribute.kind() == COUNTER_PACKETS).then(|| value.try_into().ok().map(u64::from_be_bytes))?
}

fn drop_pair(pair: Pair) -> Vec<Expressions> {
    let addresses = Expressions::Payload(vec![
        Payload::DestinationRegister(Register::Reg1),
        Payload::Base(NETWORK_HEADER),
        Payload::Offset(ADDRESSES_OFFSET),
        Payload::Len(8),
    ]);
    let counter = Expressions::Other { expression_type: "counter".into(), attributes: vec![] };
    vec![addresses, compare(Operator::Equal, pair.bytes()), counter, conclude(DROP)]
}

fn drop_ipv6() -> Vec<Expressions> {
    vec![load_ethertype(), compare(Operator::Equal, ETHERTYPE_IPV6.to_vec()), conclude(DROP)]
}

/// What is left after this rule has IPv4 addresses to compare.
fn accept_all_but_ipv4() -> Vec<Expressions> {
    vec![load_ethertype(), compare(Operator::NotEqual, ETHERTYPE_IPV4.to_vec()), conclude(ACCEPT)]
}

fn load_ethertype() -> Expressions {
    Expressions::Meta(vec![
        Meta::Key(MetaKey::EtherTypeProtocol),
        Meta::DestinationRegister(Register::Reg1),
    ])
}

fn compare(how: Operator, bytes: Vec<u8>) -> Expressions {
    Expressions::Cmp(vec![
        Cmp::SourceRegister(Register::Reg1),
        Cmp::Op(how),
        Cmp::Data(DataAttribute::Value(bytes)),
    ])
}

fn conclude(verdict: u32) -> Expressions {
    let code = VerdictAttribute::Code(Verdict::Other(verdict));
    Expressions::Immediate(vec![
        Immediate::DestinationRegister(Register::Verdict),
        Immediate::Data(DataAttribute::Verdict(vec![code])),
    ])
}

fn place() -> Vec<RuleAttribute> {
    vec![RuleAttribute::Table(TABLE.into()), RuleAttribute::Chain(CHAIN.into())]
}

/// `BEGIN change* END`. Only the last change asks for an acknowledgement: the kernel answers after it
/// has committed or given up, so that one speaks for all, and errors come unasked.
fn batch(changes: Vec<(NfTablesMessage, u16)>) -> Vec<Message> {
    let marker = |kind: ControlMessage| {
        message(NetfilterProtoFamily::Unspec, SUBSYSTEM_NFTABLES, kind.into(), 0)
    };
    let last = changes.len().saturating_sub(1);
    let mut messages = vec![marker(ControlMessage::BatchBegin)];
    messages.extend(changes.into_iter().enumerate().map(|(position, (change, flags))| {
        let ack = if position == last { NLM_F_ACK } else { 0 };
        message(NetfilterProtoFamily::Bridge, 0, change.into(), flags | ack)
    }));
    messages.push(marker(ControlMessage::BatchEnd));
    messages
}

fn message(
    family: NetfilterProtoFamily,
    resource: u16,
    inner: netlink_packet_netfilter::NetfilterMessageInner,
    flags: u16,
) -> Message {
    let header = NetfilterHeader::new(family, 0, resource);
    let mut message = NetlinkMessage::from(NetfilterMessage::new(header, inner));
    message.header.flags = NLM_F_REQUEST | flags;
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Pair = Pair { from: Ipv4Addr::new(10, 66, 0, 1), to: Ipv4Addr::new(10, 66, 0, 2) };
    /// `net.core.wmem_default` of Linux, less what a netlink socket keeps for itself.
    const DATAGRAM_BYTES_MAX: usize = 212_992 - 32;

    fn wire(batch: Vec<Message>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for mut message in batch {
            message.finalize();
            let start = bytes.len();
            bytes.resize(start + message.buffer_len(), 0);
            message.serialize(&mut bytes[start..]);
        }
        bytes
    }

    /// As the kernel lists it: our expressions, and numbers in the counter.
    fn listed(expressions: Vec<Expressions>, packets: u64) -> NetfilterMessage {
        let count = DefaultNla::new(COUNTER_PACKETS, packets.to_be_bytes().to_vec());
        let filled = expressions.into_iter().map(|expression| match expression {
            Expressions::Other { expression_type, .. } => {
                Expressions::Other { expression_type, attributes: vec![count.clone()] }
            }
            other => other,
        });
        let mut attributes = place();
        attributes.push(RuleAttribute::Expressions(filled.map(Into::into).collect()));
        let rule = NfTablesMessage::NewRule(RuleMessage { attributes });
        let bytes = wire(vec![message(NetfilterProtoFamily::Bridge, 0, rule.into(), 0)]);
        match Message::deserialize(&bytes).unwrap().payload {
            netlink_packet_core::NetlinkPayload::InnerMessage(rule) => rule,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rule_gives_back_its_pair_and_its_count() {
        assert_eq!(counted(&listed(drop_pair(PAIR), 0x0102_0304)), Some((PAIR, 0x0102_0304)));
    }

    #[test]
    fn a_rule_that_cuts_no_pair_is_not_counted() {
        assert_eq!(counted(&listed(drop_ipv6(), 7)), None);
        assert_eq!(counted(&listed(accept_all_but_ipv4(), 7)), None);
    }

    #[test]
    fn a_batch_stands_between_its_markers_and_asks_once_for_an_answer() {
        let kinds: Vec<u16> = replace(&[PAIR])
            .into_iter()
            .map(|mut m| {
                m.finalize();
                m.header.message_type
            })
            .collect();
        // NFNL_MSG_BATCH_BEGIN, NFT_MSG_DELRULE, NFT_MSG_NEWRULE three times, NFNL_MSG_BATCH_END.
        assert_eq!(kinds, [0x10, 0xa08, 0xa06, 0xa06, 0xa06, 0x11]);
        let asking =
            replace(&[PAIR]).iter().map(|m| m.header.flags & NLM_F_ACK != 0).collect::<Vec<_>>();
        assert_eq!(asking, [false, false, false, false, true, false]);
    }

    #[test]
    fn the_largest_grudge_fits_into_one_datagram() {
        let nodes = super::super::NODES_MAX;
        let bytes = wire(replace(&vec![PAIR; nodes * (nodes - 1)])).len();
        assert!(bytes <= DATAGRAM_BYTES_MAX, "{bytes} bytes for {nodes} nodes");
    }
}
