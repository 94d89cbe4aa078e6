//! The optional companion on a host: it wires workloads to tenants' ports, and lets a host join.
//!
//! Forwarding packets needs nothing of this: a host needs Open vSwitch alone, and the agent carries no flows. It spares
//! its user three things: making a port, plugging an interface into `br-int`, and giving the workload's side what its
//! port has.
//!
//! ```text
//!   controller <--REST-- agent --OVSDB--> ovsdb-server of its host
//!                          └--netlink---> the host's namespace, the workload's namespace
//! ```
//!
//! It keeps no state of its own: what it has attached stands in `external_ids` of the host's database ([`marks`]), so
//! every call is a process that may be killed at any point and run again.

pub mod agent;
pub mod attach;
pub mod detach;
pub mod error;
pub mod host_db;
pub mod join;
mod journal;
pub mod links;
pub mod listing;
pub mod marks;
pub mod namespace;
pub mod offload;
pub mod port_wish;
pub mod stop;
pub mod wiring;

pub use agent::Agent;
pub use attach::{AttachSpec, Attached, Device, attach};
pub use detach::{Detached, PortFate, Which, detach};
pub use error::AgentError;
pub use join::{JoinSpec, Joined, join};
pub use namespace::Place;
pub use port_wish::PortWish;
pub use stop::Stop;
