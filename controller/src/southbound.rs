//! The controller's southern side: hosts dial in with OVSDB and with OpenFlow; one task serves each connection.

pub mod advertising;
pub mod claims;
pub mod crowd;
pub mod datapath;
pub mod frames;
pub mod handshake;
pub mod host;
pub mod inventory;
pub mod line;
pub mod listen;
pub mod meters;
pub mod plans;
pub mod questions;
pub mod readback;
pub mod reconcile;
#[cfg(test)]
mod rows;
pub mod seats;
pub mod switch;
pub mod uplinks;
pub mod wish;
