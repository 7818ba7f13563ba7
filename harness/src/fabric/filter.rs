//! The one conversation with the kernel's packet filter: send a batch, hear whether it took.
//!
//! Netfilter handles a message within the `send` that brings it, so its answers are in the socket's
//! queue when `send` returns. Nothing here waits: an empty queue before the expected end is an error.

use std::io;

use netlink_packet_core::{NetlinkBuffer, NetlinkMessage, NetlinkPayload};
use netlink_packet_netfilter::NetfilterMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::FabricError;
use super::rule::{self, Message, Pair};

/// The filter of a run's bridge, in the network namespace of the thread that loaded it.
#[derive(Debug)]
pub(crate) struct Filter {
    socket: Socket,
    sequence: u32,
}

impl Filter {
    /// Makes the table and the chain that hold the cuts; nothing is cut yet.
    pub(crate) fn load() -> Result<Self, FabricError> {
        let failed =
            |source| FabricError::Filter { doing: "load a packet filter for the bridge", source };
        let mut filter = Filter { socket: open_socket().map_err(failed)?, sequence: 0 };
        filter.commit(rule::install()).map_err(failed)?;
        filter.commit(rule::replace(&[])).map_err(failed)?;
        Ok(filter)
    }

    /// Puts rules for `pairs` in place of all there are, all at once.
    pub(super) fn replace(&mut self, pairs: &[Pair]) -> Result<(), FabricError> {
        self.commit(rule::replace(pairs))
            .map_err(|source| FabricError::Filter { doing: "change the cuts", source })
    }

    /// What each rule has dropped since it was made.
    pub(super) fn counts(&mut self) -> Result<Vec<(Pair, u64)>, FabricError> {
        self.read_counts()
            .map_err(|source| FabricError::Filter { doing: "count dropped packets", source })
    }

    fn commit(&mut self, batch: Vec<Message>) -> io::Result<()> {
        let first = self.send(batch)?;
        let mut acknowledged = false;
        let mut refusal = None;
        while let Some(answers) = self.receive()? {
            for answer in answers.into_iter().filter(|a| a.header.sequence_number >= first) {
                match answer.payload {
                    NetlinkPayload::Error(said) if said.code.is_none() => acknowledged = true,
                    // The first refusal is the cause; those after it follow from it.
                    NetlinkPayload::Error(said) => refusal = refusal.or(Some(said.to_io())),
                    _ => {}
                }
            }
        }
        match refusal {
            Some(error) => Err(error),
            None if acknowledged => Ok(()),
            None => Err(io::Error::other("the kernel did not answer")),
        }
    }

    fn read_counts(&mut self) -> io::Result<Vec<(Pair, u64)>> {
        let first = self.send(vec![rule::list()])?;
        let mut counts = Vec::new();
        while let Some(answers) = self.receive()? {
            for answer in answers.into_iter().filter(|a| a.header.sequence_number >= first) {
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => counts.extend(rule::counted(&message)),
                    NetlinkPayload::Error(said) if said.code.is_some() => return Err(said.to_io()),
                    NetlinkPayload::Done(_) => return Ok(counts),
                    _ => {}
                }
            }
        }
        Err(io::Error::other("the kernel broke off the list of rules"))
    }

    /// Sends messages as one datagram, numbered from the sequence number returned.
    fn send(&mut self, messages: Vec<Message>) -> io::Result<u32> {
        let first = self.sequence + 1;
        let mut datagram = Vec::new();
        for mut message in messages {
            self.sequence += 1;
            message.header.sequence_number = self.sequence;
            message.finalize();
            let start = datagram.len();
            datagram.resize(start + message.buffer_len(), 0);
            message.serialize(&mut datagram[start..]);
        }
        self.socket.send(&datagram, 0)?;
        Ok(first)
    }

    /// The next datagram's messages, or `None` when the queue is empty.
    fn receive(&self) -> io::Result<Option<Vec<NetlinkMessage<NetfilterMessage>>>> {
        let datagram = match self.socket.recv_from_full() {
            Ok((datagram, _)) => datagram,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        parse(&datagram).map(Some)
    }
}

/// A datagram holds messages back to back, each padded to four bytes.
fn parse(mut rest: &[u8]) -> io::Result<Vec<NetlinkMessage<NetfilterMessage>>> {
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let length = NetlinkBuffer::new_checked(rest).map_err(invalid)?.length() as usize;
        messages.push(NetlinkMessage::deserialize(&rest[..length]).map_err(invalid)?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(messages)
}

fn open_socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.set_non_blocking(true)?;
    Ok(socket)
}
