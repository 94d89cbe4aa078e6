//! A system of any size on one machine: a controller as a child process on loopback, and a fleet of simulated hosts.
//!
//! The fleet itself is `weft-fleet`, which shares no code with the controller; what stands here knows both.

mod controller;
mod http;
mod population;
pub mod usage;
pub mod wanted;

pub use controller::{Controller, Listen};
pub use http::{Answer, Http};
pub use population::{fill, fill_with, fleet_spec, plugging};
