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
        "kv.repair" => Command::KvRepair { node: arguments.first().map(text) },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Level;

    fn asked(request: &str) -> Result<Parsed, String> {
        let words: Vec<Bytes> =
            request.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        parse(&words).map_err(|refused| refused.to_string())
    }

    fn refused(request: &str) -> String {
        asked(request).expect_err("refused")
    }

    fn node(request: &str) -> Command {
        match asked(request) {
            Ok(Parsed::Node(command)) => command,
            other => panic!("{request}: {other:?}"),
        }
    }

    fn keys(names: &[&'static str]) -> Vec<Bytes> {
        names.iter().map(|name| Bytes::from(*name)).collect()
    }

    #[test]
    fn names_and_options_are_read_in_any_case() {
        assert_eq!(node("gEt k"), Command::Get { keys: keys(&["k"]), many: false });
        assert_eq!(node("MGET a b"), Command::Get { keys: keys(&["a", "b"]), many: true });
        let read = Command::KvGet { key: "k".into(), r: Some(Level::Quorum) };
        assert_eq!(node("kv.get k r quorum"), read);
    }

    #[test]
    fn options_come_in_any_order() {
        let put = Command::KvPut {
            key: "k".into(),
            value: Some("v".into()),
            context: Some("c".into()),
            r: Some(Level::One),
            w: Some(Level::Count(3)),
        };
        assert_eq!(node("KV.PUT k v W 3 CONTEXT c R ONE"), put);
        let Command::KvPut { value: None, w: Some(Level::All), .. } = node("KV.DEL k W all") else {
            panic!("a removal with its level")
        };
    }

    #[test]
    fn options_that_do_not_belong_are_refused() {
        for request in ["KV.GET k W 1", "KV.GET k R", "KV.PUT k v R 1 R 1", "KV.DEL k X 1"] {
            assert_eq!(refused(request), "ERR syntax error", "{request}");
        }
        for value in ["0", "-1", "SOME", "1.5"] {
            let expected = format!("ERR R is ONE, QUORUM, ALL or a number from 1, not '{value}'");
            assert_eq!(refused(&format!("KV.GET k R {value}")), expected);
        }
    }

    #[test]
    fn arity_is_refused_as_redis_does() {
        for (request, name) in [
            ("GET", "get"),
            ("GET a b", "get"),
            ("SET a", "set"),
            ("MSET a 1 b", "mset"),
            ("KV.ROOTS x", "kv.roots"),
            ("KV.REPAIR n1 n2", "kv.repair"),
            ("CONFIG GET", "config|get"),
            ("CLIENT SETNAME", "client|setname"),
            ("PING a b", "ping"),
        ] {
            let expected = format!("ERR wrong number of arguments for '{name}' command");
            assert_eq!(refused(request), expected, "{request}");
        }
    }

    #[test]
    fn an_option_of_redis_we_do_not_have_is_refused_by_name() {
        assert!(refused("SET k v ex 10").starts_with("ERR option 'EX' is not supported"));
        assert_eq!(refused("SET k v nonsense"), "ERR syntax error");
    }

    #[test]
    fn an_unknown_command_shows_a_bounded_beginning_of_its_arguments() {
        let long = "x".repeat(500);
        let shown = refused(&format!("FOO {long} b"));
        let x = "x".repeat(128);
        assert_eq!(shown, format!("ERR unknown command 'FOO', with args beginning with: '{x}' "));
    }

    #[test]
    fn hello_speaks_two_versions_and_knows_no_passwords() {
        assert_eq!(refused("HELLO 4"), "NOPROTO unsupported protocol version");
        assert!(refused("HELLO three").starts_with("ERR Protocol version is not an integer"));
        assert!(refused("HELLO 3 AUTH user secret").starts_with("ERR AUTH was sent"));
        assert!(asked("HELLO 3 SETNAME me").is_ok());
    }

    #[test]
    fn every_command_of_the_table_is_parsed() {
        let words = ["1", "GET", "0", "ID"];
        for name in table::names() {
            for count in 0..3 {
                for word in words {
                    let request = std::iter::repeat_n(Bytes::from(word), count);
                    let request: Vec<Bytes> = std::iter::once(name.into()).chain(request).collect();
                    if let Err(Refused::UnknownCommand { name, .. }) = parse(&request) {
                        panic!("{name} is in the table, and unknown");
                    }
                }
            }
        }
    }
}
