//! What the tests of the fleet share: a real Open vSwitch, connections to it and to a simulated switch, a controller.
#![allow(dead_code, reason = "each test uses its part")]

pub mod controller;
pub mod normal;
pub mod parties;
