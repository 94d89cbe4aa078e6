//! The fleet simulator for interactive use.

fn main() {}
