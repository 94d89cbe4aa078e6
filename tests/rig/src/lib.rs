//! Real Open vSwitch hosts in network namespaces, for scenarios, benchmarks and the demo.
//!
//! ```text
//!   root namespace ── veth 10.254.x.y/30 ── ctl: the controller, and the bridge of the management network
//!                                            │ 10.99.0.0/16
//!              ┌─────────────────────────────┼──────────────┐
//!            host h1                       host h2         ...     each: ovsdb-server + ovs-vswitchd, br-phy (VTEP), br-int
//!              │ 172.31.0.0/16, fd31::/64    │
//!              └───────────── ul: the underlay, one Linux bridge of MTU 1600
//! ```
//!
//! Workloads are namespaces with one veth into a host's `br-int`.
//! Everything a [`Rig`] makes carries its id in its name and goes when the rig is dropped, also by a panic;
//! what a killed process left behind is removed by the next rig that starts.
//! Addresses inside a rig are the same in every rig: only the ones in the root namespace are unique.

mod capture;
mod command;
mod controller;
mod daemons;
mod frame;
mod host;
mod http;
mod netns;
mod openflow_log;
mod ping;
mod plan;
mod process;
mod rig;
mod sweep;
mod tools;
mod tuning;
mod wait;
mod workload;

pub use capture::Capture;
pub use command::{Cmd, Finished};
pub use controller::{ControllerProc, ControllerSpec};
pub use host::{Datapath, Host, HostSpec, Link};
pub use http::{HttpAnswer, http_get};
pub use netns::Netns;
pub use openflow_log::OpenFlowLog;
pub use ping::{Ping, PingResult};
pub use plan::Underlay;
pub use process::Process;
pub use rig::Rig;
pub use tuning::Tuning;
pub use wait::wait_until;
pub use workload::{Dad, Workload, WorkloadSpec};
