//! What went wrong with a request, and what that says of its effect: the table of definite errors.
//!
//! A harness lies most easily here. To call a write *failed* that later surfaces accuses an honest
//! store of inventing data; to call every error indefinite hides real faults behind operations that
//! never end. So: `Fail` only where the write cannot have happened and cannot happen later, and
//! `Info` for every case not proven, words unknown to us included. A read that brought no reply is
//! always a `Fail`: it changed nothing, and claims nothing.
//!
//! | trouble | read | write |
//! |---|---|---|
//! | nothing was sent (refused, unreachable, reset before the first byte) | fail | fail |
//! | `ERR` `TOOBIG` `WRONGTYPE` `NOTREPLICA` `OVERLOADED` `UNAVAILABLE` | fail | fail |
//! | `UNCERTAIN`, any other word | fail | info |
//! | no reply in time, connection lost, bytes that are no reply | fail | info |
//!
//! Source: Jepsen's rule for clients (`:fail` means it definitely did not take place), and the error
//! words of the store's protocol.

use checker::Function;

use crate::client::Completion;

/// The first words of error replies that promise that nothing was done, nor ever will be.
const DEFINITE: [&str; 6] =
    ["ERR", "NOTREPLICA", "OVERLOADED", "TOOBIG", "UNAVAILABLE", "WRONGTYPE"];

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Not one byte of the request was taken by the connection.
    Unsent(std::io::ErrorKind),
    /// It was sent, at least in part, and no reply came in time.
    Timeout,
    /// It was sent, at least in part, and then the connection failed or was closed.
    Lost(std::io::ErrorKind),
    /// A reply came that is not RESP, or not one this request can have.
    Garbled(String),
    /// The node answered with an error: its whole text.
    Refused(String),
}

impl Trouble {
    /// Whether the connection can carry another request: only an error reply leaves it in step.
    pub fn leaves_in_step(&self) -> bool {
        matches!(self, Trouble::Refused(_))
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Unsent(kind) => write!(f, "not sent: {kind}"),
            Trouble::Timeout => f.write_str("no reply in time"),
            Trouble::Lost(kind) => write!(f, "connection lost: {kind}"),
            Trouble::Garbled(reply) => write!(f, "unexpected reply: {reply}"),
            Trouble::Refused(text) => f.write_str(text),
        }
    }
}

/// What `trouble` with a request of `f` says of its effect: never `Ok`, and `Fail` only if definite.
pub fn classify(f: &Function, trouble: &Trouble) -> Completion {
    if is_read(f) || is_definite(trouble) {
        Completion::Fail(trouble.to_string())
    } else {
        Completion::Info(trouble.to_string())
    }
}

/// Whether an operation has no effect. A function we do not know may have one.
fn is_read(f: &Function) -> bool {
    matches!(f, Function::Read | Function::ReadReplica)
}

fn is_definite(trouble: &Trouble) -> bool {
    match trouble {
        Trouble::Unsent(_) => true,
        Trouble::Timeout | Trouble::Lost(_) | Trouble::Garbled(_) => false,
        Trouble::Refused(text) => {
            let word = text.split(' ').next().unwrap_or_default();
            DEFINITE.contains(&word)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn refused(text: &str) -> Trouble {
        Trouble::Refused(text.into())
    }

    #[test]
    fn writes_fail_only_when_definite() {
        let table = [
            (Trouble::Unsent(ErrorKind::ConnectionRefused), true),
            (Trouble::Unsent(ErrorKind::BrokenPipe), true),
            (refused("UNAVAILABLE 1 of 2 acknowledged"), true),
            (refused("ERR unknown command"), true),
            (refused("TOOBIG 11000 bytes"), true),
            (refused("OVERLOADED 9 requests"), true),
            (refused("WRONGTYPE"), true),
            (refused("NOTREPLICA register:1"), true),
            (refused("UNCERTAIN 1 of 2 acknowledged"), false),
            (refused("LOADING the dataset"), false),
            (refused("ERRATIC is another word"), false),
            (refused("err is another word"), false),
            (refused(" ERR is not first"), false),
            (refused(""), false),
            (Trouble::Timeout, false),
            (Trouble::Lost(ErrorKind::UnexpectedEof), false),
            (Trouble::Lost(ErrorKind::ConnectionReset), false),
            (Trouble::Garbled("Integer(1)".into()), false),
        ];
        for f in [Function::Write, Function::Delete, Function::Add, Function::Other("cas".into())] {
            for (trouble, definite) in &table {
                let is_fail = matches!(classify(&f, trouble), Completion::Fail(_));
                assert_eq!(is_fail, *definite, "{f:?} {trouble:?}");
            }
        }
    }

    #[test]
    fn reads_fail_whatever_happens() {
        for f in [Function::Read, Function::ReadReplica] {
            for trouble in [
                Trouble::Unsent(ErrorKind::ConnectionRefused),
                Trouble::Timeout,
                Trouble::Lost(ErrorKind::ConnectionReset),
                Trouble::Garbled("Nil".into()),
                refused("UNCERTAIN"),
            ] {
                let completion = classify(&f, &trouble);
                assert_eq!(completion, Completion::Fail(trouble.to_string()), "{f:?}");
            }
        }
    }

    #[test]
    fn only_an_error_reply_leaves_the_connection_in_step() {
        assert!(refused("UNCERTAIN").leaves_in_step());
        assert!(!Trouble::Timeout.leaves_in_step());
        assert!(!Trouble::Lost(ErrorKind::UnexpectedEof).leaves_in_step());
        assert!(!Trouble::Garbled(String::new()).leaves_in_step());
        assert!(!Trouble::Unsent(ErrorKind::BrokenPipe).leaves_in_step());
    }
}
