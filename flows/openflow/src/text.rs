//! The text that `ovs-ofctl` speaks, in and out.
//!
//! Everything prints through `Display`; [`parse_flow`], [`parse_group`], [`parse_match`],
//! [`parse_actions`] and [`parse_instructions`] read. What Open vSwitch 3.1 prints is the model, so texts can be compared.

mod actions_in;
mod actions_out;
mod error;
mod flow;
mod group;
mod learn;
mod match_in;
mod match_out;
mod names;
mod nested_in;
mod split;
mod subfields;
mod values;

#[cfg(test)]
mod tests;

pub use actions_in::{parse_actions, parse_instructions};
pub use actions_out::{ActionList, InstructionList};
pub use error::{ParseError, ParseErrorKind};
pub use flow::{Flow, parse_flow};
pub use group::parse_group;
pub use match_in::parse_match;
