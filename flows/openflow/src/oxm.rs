//! Match fields: what they are called, how wide they are, and how they travel (OpenFlow 1.5 section 7.2.3).

mod build;
mod canonical;
mod field;
mod id;
mod matches;
mod prereq;
pub mod table;

pub use build::*;
pub use field::OxmField;
pub use id::{FieldHeader, FieldId};
pub use matches::Match;
