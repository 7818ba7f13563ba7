//! From the arguments of a request to what it asks.

use bytes::Bytes;

use super::connection::{self, ConnectionCommand};
use super::options::{Allowed, Options};
use super::refused::shown;
use super::{Command, Refused, table};

/// What a request asks, and of whom.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    /// Of the node.
    Node(Command),
    /// Of the connection it came on.
    Connection(ConnectionCommand),
}

/// Takes the arguments of one request apart, its name the first of them.
///
/// *Requires* at least one argument, as [`RequestDecoder`](crate::resp::RequestDecoder) gives.
pub fn parse(request: &[Bytes]) -> Result<Parsed, Refused> {
    let (name, arguments) = request.split_first().ok_or(Refused::Syntax)?;
    let row = table::find(name).ok_or_else(|| Refused::unknown_command(name, arguments))?;
    if !row.arguments.contains(&arguments.len()) {
        return Err(Refused::Arity(row.name.to_owned()));
    }
    if let Some(command) = connection::parse(row.name, arguments)? {
        return Ok(Parsed::Connection(command));
    }
    node_command(row.name, arguments).map(Parsed::Node)
}

fn node_command(name: &'static str, arguments: &[Bytes]) -> Result<Command, Refused> {
    Ok(match name {
        "get" => Command::Get { keys: arguments.to_vec(), many: false },
        "mget" => Command::Get { keys: arguments.to_vec(), many: true },
        "set" => set(arguments)?,
        "mset" => mset(arguments)?,
        "del" => Command::Delete { keys: arguments.to_vec() },
        "exists" => Command::Exists { keys: arguments.to_vec() },
        "kv.get" => kv_get(arguments)?,
        "kv.put" => kv_put(&arguments[0], Some(&arguments[1]), &arguments[2..])?,
        "kv.del" => kv_put(&arguments[0], None, &arguments[1..])?,
        "kv.replica" => Command::KvReplica { key: arguments[0].clone() },
        "kv.roots" => Command::KvRoots,
        "info" => info(arguments)?,
        "dbsize" => Command::DbSize,
        "config" => config(arguments)?,
        other => unreachable!("the table has `{other}`, which nobody parses"),
    })
}

/// `SET key value`. The options of Redis are refused by name, so that nobody believes they hold.
fn set(arguments: &[Bytes]) -> Result<Command, Refused> {
    const OPTIONS_OF_REDIS: [&str; 8] = ["EX", "PX", "EXAT", "PXAT", "NX", "XX", "KEEPTTL", "GET"];
    match arguments {
        [key, value] => Ok(Command::Set { pairs: vec![(key.clone(), value.clone())] }),
        [_, _, option, ..] => {
            let option = shown(option, 32).to_ascii_uppercase();
            if OPTIONS_OF_REDIS.contains(&option.as_str()) {
                return Err(Refused::UnsupportedOption(option));
            }
            Err(Refused::Syntax)
        }
        _ => Err(Refused::Arity("set".to_owned())),
    }
}

fn mset(arguments: &[Bytes]) -> Result<Command, Refused> {
    let pairs = arguments.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(Refused::Arity("mset".to_owned()));
    }
    Ok(Command::Set { pairs: pairs.map(|pair| (pair[0].clone(), pair[1].clone())).collect() })
}

fn kv_get(arguments: &[Bytes]) -> Result<Command, Refused> {
    let options = Options::parse(&arguments[1..], Allowed::Read)?;
    Ok(Command::KvGet { key: arguments[0].clone(), r: options.r })
}

fn kv_put(key: &Bytes, value: Option<&Bytes>, options: &[Bytes]) -> Result<Command, Refused> {
    let Options { context, r, w } = Options::parse(options, Allowed::Write)?;
    Ok(Command::KvPut { key: key.clone(), value: value.cloned(), context, r, w })
}

fn info(arguments: &[Bytes]) -> Result<Command, Refused> {
    match arguments {
        [] => Ok(Command::Info { section: None }),
        [section] => Ok(Command::Info { section: Some(text(section)) }),
        _ => Err(Refused::Syntax),
    }
}

fn config(arguments: &[Bytes]) -> Result<Command, Refused> {
    match arguments {
        [get, patterns @ ..] if get.eq_ignore_ascii_case(b"get") => match patterns {
            [] => Err(Refused::Arity("config|get".to_owned())),
            _ => Ok(Command::ConfigGet { patterns: patterns.iter().map(text).collect() }),
        },
        _ => Err(Refused::UnknownSubcommand(shown(&arguments[0], 128))),
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
