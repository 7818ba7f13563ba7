//! Why a request was refused before anything was done: a definite error, in the words of Redis.

use std::fmt::Write;

use bytes::Bytes;

/// Why a request was refused; displayed, it is the text of the error reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No command has this name; the name, and the first arguments as Redis shows them.
    #[error("ERR unknown command '{name}', with args beginning with: {beginning}")]
    UnknownCommand {
        /// As the client wrote it.
        name: String,
        /// Each in quotes and followed by a blank.
        beginning: String,
    },
    /// The command has no such subcommand.
    #[error("ERR unknown subcommand '{0}'")]
    UnknownSubcommand(String),
    /// Too few arguments, or too many.
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(String),
    /// The arguments do not fit together.
    #[error("ERR syntax error")]
    Syntax,
    /// An option of Redis that this store does not have.
    #[error("ERR option '{0}' is not supported: values do not expire, and SET has no conditions")]
    UnsupportedOption(String),
    /// `R` or `W` is no level.
    #[error("ERR {option} is ONE, QUORUM, ALL or a number from 1, not '{value}'")]
    Level {
        /// `R` or `W`.
        option: &'static str,
        /// As the client wrote it.
        value: String,
    },
    /// A number was expected.
    #[error("ERR value is not an integer or out of range")]
    NotAnInteger,
    /// There is one database, of index 0.
    #[error("ERR DB index is out of range")]
    DatabaseIndex,
    /// `HELLO` with a version we do not speak.
    #[error("NOPROTO unsupported protocol version")]
    UnsupportedProtocol,
    /// `HELLO` with a version that is no number.
    #[error("ERR Protocol version is not an integer or out of range")]
    ProtocolNotAnInteger,
    /// A password was sent.
    #[error("ERR AUTH was sent, but this store has no users and no passwords")]
    NoPasswords,
    /// A client's name has a blank or an unprintable byte.
    #[error("ERR Client names cannot contain spaces, newlines or special characters.")]
    ClientName,
}

/// What of the arguments an error shows, in bytes.
const SHOWN_BYTES: usize = 128;

impl Refused {
    pub(super) fn unknown_command(name: &Bytes, arguments: &[Bytes]) -> Refused {
        let mut beginning = String::new();
        for argument in arguments {
            let Some(room) = SHOWN_BYTES.checked_sub(beginning.len()).filter(|&room| room > 0)
            else {
                break;
            };
            write!(beginning, "'{}' ", shown(argument, room)).expect("a string takes text");
        }
        Refused::UnknownCommand { name: shown(name, SHOWN_BYTES), beginning }
    }
}

/// At most `bytes_max` bytes of `bytes`, as text.
pub(super) fn shown(bytes: &[u8], bytes_max: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(bytes_max)]).into_owned()
}
