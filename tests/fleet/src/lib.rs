//! A fleet of simulated Open vSwitch hosts in one process: what Weft's scale is tested and measured against.

pub mod openflow;
pub mod ovsdb;
