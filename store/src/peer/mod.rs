//! How nodes talk to each other: one multiplexed connection each way, and what travels on it.
//!
//! Every node keeps one outgoing [`Link`] to every other; asks go out on it and their answers come
//! back on it, in any order, matched by number. What others ask of us arrives on connections *they*
//! opened ([`listen`]). Two nodes thus share two connections, and each side alone decides when its
//! own is dead.
//!
//! A partition drops packets and says nothing. An established connection then hangs, and the
//! kernel would wait for minutes; after healing it would wait for its next retransmission, which
//! by then is seconds away. So a link that has something outstanding and has not heard one byte for
//! half a second is cut and dialled anew, and a dial is given up after a third of a second and
//! repeated: whatever happened before, nodes talk again well within a second of healing.
//!
//! The wire: frames of a four-byte big-endian length and a protobuf message ([`message`]); the first
//! in each direction is a handshake ([`frame`]).

pub mod frame;
mod link;
mod listener;
pub mod message;
mod peers;
mod pending;
mod turn;

pub use link::{CallError, Link, Timing};
pub use listener::{Asker, Handler, listen};
pub use peers::Peers;
pub use pending::Waiter;
