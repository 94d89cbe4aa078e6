//! Whole messages against Open vSwitch itself: its printer, and a running switch.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod corpus;
mod live;
mod print;
mod samples;
mod switch;
