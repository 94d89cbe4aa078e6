//! Whole messages against Open vSwitch itself: its printer, and a running switch.

mod corpus;
mod live;
mod print;
mod samples;
mod switch;
