//! What a connection remembers of its client, and the commands answered from that alone.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::command::{ConnectionCommand, names};
use crate::resp::{Protocol, Reply};

/// What a connection remembers of its client.
#[derive(Debug)]
pub(super) struct Session {
    id: i64,
    peer: SocketAddr,
    name: Bytes,
    protocol: Protocol,
}

/// What the connection does after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Reads on.
    Continue,
    /// Closes.
    Close,
}

impl Session {
    pub(super) fn new(id: i64, peer: SocketAddr) -> Session {
        Session { id, peer, name: Bytes::new(), protocol: Protocol::default() }
    }

    /// The version replies are written in from now on.
    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) fn answer(&mut self, command: ConnectionCommand) -> (Reply, Next) {
        if command == ConnectionCommand::Quit {
            return (Reply::OK, Next::Close);
        }
        (self.reply(command), Next::Continue)
    }

    fn reply(&mut self, command: ConnectionCommand) -> Reply {
        match command {
            ConnectionCommand::Ping(None) => Reply::Simple("PONG".into()),
            ConnectionCommand::Ping(Some(message)) | ConnectionCommand::Echo(message) => {
                Reply::Bulk(message)
            }
            ConnectionCommand::Hello { protocol, name } => self.hello(protocol, name),
            ConnectionCommand::SetName(name) => {
                self.name = name;
                Reply::OK
            }
            ConnectionCommand::GetName if self.name.is_empty() => Reply::Nil,
            ConnectionCommand::GetName => Reply::Bulk(self.name.clone()),
            ConnectionCommand::Id => Reply::Integer(self.id),
            ConnectionCommand::Describe => Reply::bulk(self.describe()),
            ConnectionCommand::Commands => Reply::Array(Vec::new()),
            ConnectionCommand::CommandCount => {
                Reply::Integer(names().fold(0, |count, _| count + 1))
            }
            ConnectionCommand::CommandList => Reply::Array(names().map(Reply::bulk).collect()),
            ConnectionCommand::CommandDocs => Reply::Map(Vec::new()),
            ConnectionCommand::Reset => {
                *self = Session::new(self.id, self.peer);
                Reply::Simple("RESET".into())
            }
            ConnectionCommand::Select | ConnectionCommand::SetInfo | ConnectionCommand::Quit => {
                Reply::OK
            }
        }
    }

    fn hello(&mut self, protocol: Option<Protocol>, name: Option<Bytes>) -> Reply {
        self.protocol = protocol.unwrap_or(self.protocol);
        self.name = name.unwrap_or_else(|| self.name.clone());
        let field = |name: &str, value| (Reply::bulk(name), value);
        Reply::Map(vec![
            field("server", Reply::bulk("schism")),
            field("version", Reply::bulk(env!("CARGO_PKG_VERSION"))),
            field(
                "proto",
                Reply::Integer(match self.protocol {
                    Protocol::Resp2 => 2,
                    Protocol::Resp3 => 3,
                }),
            ),
            field("id", Reply::Integer(self.id)),
            field("mode", Reply::bulk("standalone")),
            field("role", Reply::bulk("master")),
            field("modules", Reply::Array(Vec::new())),
        ])
    }

    fn describe(&self) -> String {
        let name = String::from_utf8_lossy(&self.name);
        let resp = if self.protocol == Protocol::Resp3 { 3 } else { 2 };
        format!("id={} addr={} name={name} db=0 resp={resp}\n", self.id, self.peer)
    }
}
