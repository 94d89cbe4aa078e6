//! What the interpreter cannot or must not go on with.

use thiserror::Error;
use weft_openflow::FieldId;

/// Why a trace has no result. All of these are faults of Weft's own, or bounds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A flow or action names a field that the interpreter does not know.
    #[error("field {0:?} is not known to the interpreter")]
    UnknownField(FieldId),
    /// A match has a field without what it needs, so that no switch would take it.
    #[error("a match lacks what its field {0:?} needs")]
    Prerequisite(FieldId),
    /// An action that the interpreter does not know: nothing is ever skipped.
    #[error("the interpreter does not know the action {0}")]
    UnknownAction(String),
    /// Instructions that the interpreter does not know.
    #[error("the interpreter does not know the instruction {0}")]
    UnknownInstruction(String),
    /// Bytes that are no flow, no action.
    #[error("a flow or group cannot be decoded")]
    Malformed,
    /// A flow sends to a group that is not there; a switch would have refused the flow.
    #[error("there is no group {0:#x}")]
    NoGroup(u32),
    /// Flows of two owners match the packet at one priority and do different things.
    #[error("two flows of one priority match and differ: {0} and {1}")]
    Ambiguous(String, String),
    /// A flow goes back, or on to its own table, which a switch refuses.
    #[error("table {0} leads to table {1}")]
    Backwards(u8, u8),
    /// More lookups than a switch would do (`MAX_RESUBMITS`).
    #[error("the packet was looked up more than {0} times")]
    Endless(u32),
    /// Deeper than a switch would go (`MAX_DEPTH`).
    #[error("lookups are nested deeper than {0}")]
    TooDeep(u32),
    /// There are more flows on a host than the interpreter is willing to hold.
    #[error("more than {0} flows would have to be compiled")]
    TooLarge(usize),
    /// The packet's beginning is not there: a port that is bound nowhere, or a host that is not known.
    #[error("the packet has nowhere to start from")]
    NoBeginning,
}
