//! A storm over 500 hosts: a real controller and a fleet of simulated switches, every kind of trouble, every digest right.
//!
//! The program needs the workspace's programs to be built (`tests/run` does that). `WEFT_STORM_SEED` explores.

mod acts;
mod http;
mod wanted;
mod world;

use std::time::Instant;

use anyhow::{Context, Result};
use weft_controller::populate::Size;

use world::World;

/// A fifth of the networks' ports per host is what a debug build can compile in the time that a test may take.
const SIZE: Size = Size { hosts: 500, networks: 500, ports: 5_000, wide: 0 };

#[test]
fn a_fleet_of_500_hosts_weathers_a_storm() -> Result<()> {
    let mut world = World::open(SIZE)?;
    act("cold start", || acts::cold_start(&world))?;
    act("restart", || acts::restart(&mut world))?;
    Ok(())
}

fn act(name: &str, play: impl FnOnce() -> Result<()>) -> Result<()> {
    let begin = Instant::now();
    play().with_context(|| format!("act `{name}`"))?;
    eprintln!("{name}: {:.1} s", begin.elapsed().as_secs_f64());
    Ok(())
}
