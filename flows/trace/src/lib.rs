//! An interpreter of the pipeline: where would this packet go, table by table and host by host, and why.
//!
//! [`Switch`] holds flows and groups and [`run`] takes a packet through them, as Open vSwitch would; [`World`] is all
//! hosts of a snapshot, and follows a packet through tunnels; [`ask`] makes packets of a tenant's question, and [`report()`] tells
//! what became of them in the words of the objects it concerns.
//! The interpreter knows OpenFlow and not what the tables are for, so that it can judge them: what it does not know is a
//! [`Fault`], never skipped.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail by panicking"))]

mod classifier;
pub mod execute;
pub mod fault;
pub mod objects;
pub mod packet;
mod place;
pub mod question;
pub mod report;
pub mod steps;
pub mod switch;
pub mod tracker;
pub mod world;

pub use execute::{Choice, run};
pub use fault::Fault;
pub use objects::{Object, object_of};
pub use packet::Packet;
pub use question::{Answer, Probe, Question, Target, Unsent, ask};
pub use report::{Ending, Line, Report, Verdict, report};
pub use steps::{Branch, Deed, End, Sent, Step, Told};
pub use switch::{Bucket, Entry, Group, Switch};
pub use tracker::{Connection, Tracker};
pub use world::{Fate, Hop, Outcome, Trace, World};
