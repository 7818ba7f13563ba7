//! Requests that concern the connection alone: its version, its name, its end.

use bytes::Bytes;

use super::Refused;
use super::refused::shown;
use crate::resp::Protocol;

/// A request that is answered where the connection lives.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionCommand {
    /// `PING [message]`.
    Ping(Option<Bytes>),
    /// `ECHO message`.
    Echo(Bytes),
    /// `HELLO [2|3] [SETNAME name]`.
    Hello {
        /// The version to speak from this reply on; `None` to keep it.
        protocol: Option<Protocol>,
        /// The connection's new name.
        name: Option<Bytes>,
    },
    /// `SELECT 0`.
    Select,
    /// `CLIENT SETNAME name`; the empty name takes it away.
    SetName(Bytes),
    /// `CLIENT GETNAME`.
    GetName,
    /// `CLIENT SETINFO option value`: heard, and not kept.
    SetInfo,
    /// `CLIENT ID`.
    Id,
    /// `CLIENT LIST` and `CLIENT INFO`: this connection; others are not shown.
    Describe,
    /// `COMMAND` and `COMMAND INFO`: no details are kept.
    Commands,
    /// `COMMAND COUNT`.
    CommandCount,
    /// `COMMAND LIST`.
    CommandList,
    /// `COMMAND DOCS`: none are kept.
    CommandDocs,
    /// `RESET`: as if newly connected.
    Reset,
    /// `QUIT`.
    Quit,
}

/// The command called `name`, or `None` if it is none of the connection's.
pub(super) fn parse(name: &str, arguments: &[Bytes]) -> Result<Option<ConnectionCommand>, Refused> {
    Ok(Some(match name {
        "ping" => ConnectionCommand::Ping(arguments.first().cloned()),
        "echo" => ConnectionCommand::Echo(arguments[0].clone()),
        "hello" => hello(arguments)?,
        "select" => select(&arguments[0])?,
        "client" => client(arguments)?,
        "command" => commands(arguments)?,
        "auth" => return Err(Refused::NoPasswords),
        "reset" => ConnectionCommand::Reset,
        "quit" => ConnectionCommand::Quit,
        _ => return Ok(None),
    }))
}

fn hello(arguments: &[Bytes]) -> Result<ConnectionCommand, Refused> {
    let Some((version, options)) = arguments.split_first() else {
        return Ok(ConnectionCommand::Hello { protocol: None, name: None });
    };
    let protocol = match integer(version).ok_or(Refused::ProtocolNotAnInteger)? {
        2 => Protocol::Resp2,
        3 => Protocol::Resp3,
        _ => return Err(Refused::UnsupportedProtocol),
    };
    let name = match options {
        [] => None,
        [option, ..] if option.eq_ignore_ascii_case(b"auth") => return Err(Refused::NoPasswords),
        [option, name] if option.eq_ignore_ascii_case(b"setname") => Some(client_name(name)?),
        _ => return Err(Refused::Syntax),
    };
    Ok(ConnectionCommand::Hello { protocol: Some(protocol), name })
}

fn select(index: &Bytes) -> Result<ConnectionCommand, Refused> {
    match integer(index) {
        Some(0) => Ok(ConnectionCommand::Select),
        Some(_) => Err(Refused::DatabaseIndex),
        None => Err(Refused::NotAnInteger),
    }
}

fn client(arguments: &[Bytes]) -> Result<ConnectionCommand, Refused> {
    let (subcommand, arguments) = subcommand(arguments);
    let arity = |wanted: bool, command| {
        if wanted { Ok(command) } else { Err(Refused::Arity(format!("client|{subcommand}"))) }
    };
    match subcommand.as_str() {
        "setname" => match arguments {
            [name] => Ok(ConnectionCommand::SetName(client_name(name)?)),
            _ => Err(Refused::Arity("client|setname".to_owned())),
        },
        "getname" => arity(arguments.is_empty(), ConnectionCommand::GetName),
        "setinfo" => arity(arguments.len() == 2, ConnectionCommand::SetInfo),
        "id" => arity(arguments.is_empty(), ConnectionCommand::Id),
        "list" => Ok(ConnectionCommand::Describe),
        "info" => arity(arguments.is_empty(), ConnectionCommand::Describe),
        _ => Err(Refused::UnknownSubcommand(subcommand)),
    }
}

fn commands(arguments: &[Bytes]) -> Result<ConnectionCommand, Refused> {
    if arguments.is_empty() {
        return Ok(ConnectionCommand::Commands);
    }
    let (subcommand, _) = subcommand(arguments);
    match subcommand.as_str() {
        "info" => Ok(ConnectionCommand::Commands),
        "count" => Ok(ConnectionCommand::CommandCount),
        "list" => Ok(ConnectionCommand::CommandList),
        "docs" => Ok(ConnectionCommand::CommandDocs),
        _ => Err(Refused::UnknownSubcommand(subcommand)),
    }
}

/// *Requires* at least one argument.
fn subcommand(arguments: &[Bytes]) -> (String, &[Bytes]) {
    (shown(&arguments[0], 128).to_ascii_lowercase(), &arguments[1..])
}

fn client_name(name: &Bytes) -> Result<Bytes, Refused> {
    if name.iter().all(u8::is_ascii_graphic) { Ok(name.clone()) } else { Err(Refused::ClientName) }
}

fn integer(bytes: &Bytes) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
