//! A fleet of simulated Open vSwitch hosts in one process: what Weft's scale is tested and measured against.

pub mod expect;
pub mod fleet;
pub mod lag;
pub mod limits;
pub mod openflow;
pub mod ovsdb;
pub mod spec;
pub mod worker;

pub use expect::{Condition, Expectation, Hosts, Met, Stamp};
pub use fleet::Fleet;
pub use openflow::counters::Counters;
pub use openflow::digest::{Digest, wanted};
pub use openflow::faults::{Echo, Refuse};
pub use openflow::watch::Sign;
pub use spec::{Answers, FleetSpec, OpenFlowSource, Reconnect};
pub use worker::control::{Dump, Fault, Status};
pub use worker::host::Side;
