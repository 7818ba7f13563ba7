//! What an unhealthy twin of the store does wrong.
//!
//! The store has no switches for this: what is simulated around it is distorted. Each flaw breaks one
//! rule that a reader might take for a formality, and each must be caught.

/// One rule broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A register's read returns what it found without seeing it written back.
    NoWriteBack,
    /// A store is acknowledged when it is handed to the disk.
    AckBeforeDurable,
    /// A stand-in acknowledges what it does not keep.
    StandInForgets,
    /// A hint is dropped when it is sent, not when its owner has acknowledged it.
    HintDroppedWhenSent,
    /// A node that lost its disk numbers its writes as the actor it was.
    EpochReused,
    /// A coordinator that no primary could be reached by numbers all its writes as the same actor.
    GuestNumbersAgain,
    /// An update is forwarded again when the first primary may have done it.
    ForwardRepeated,
    /// A node that lost its disk answers reads of registers at once.
    WipedAnswersAtOnce,
    /// Such a node lets exchanges count that were begun while requests of its former life were open.
    WipedCatchesUpAtOnce,
    /// Tombstones are forgotten without a look around.
    ReapsAtOnce,
    /// They are forgotten while hints are kept.
    ReapsDespiteHints,
    /// They are forgotten while messages are on their way.
    ReapsDespiteMessages,
    /// How high the counters went is forgotten with them.
    FloorForgotten,
}
