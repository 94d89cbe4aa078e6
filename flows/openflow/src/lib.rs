//! OpenFlow 1.5 with the Nicira extensions: bytes to types and back, and the text that `ovs-ofctl` speaks.
//!
//! The crate knows no tenant and does no I/O. No input makes it panic, and what it does not know survives
//! byte for byte as `Raw`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail by panicking"))]

pub mod action;
pub mod canonical;
pub mod error;
#[doc(hidden)]
pub mod fuzz;
pub mod ids;
pub mod instruction;
pub mod message;
pub mod oxm;
pub mod received;
pub mod text;
pub mod wire;

pub use action::Action;
pub use canonical::canonical_instructions;
pub use error::{DecodeError, DecodeErrorKind};
pub use ids::{BucketId, BundleId, Cookie, FlowFlags, GroupId, MeterId, PortNo, TableId, Xid};
pub use instruction::Instruction;
pub use oxm::{FieldId, Match, OxmField};
pub use wire::{Reader, Writer};
