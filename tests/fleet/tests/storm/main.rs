//! A storm over 500 hosts: a real controller and a fleet of simulated switches, every kind of trouble, every digest right.
//!
//! The program needs the workspace's programs to be built (`tests/run` does that). `WEFT_STORM_SEED` explores.

mod acts;
mod explain;
mod gusts;
mod random;
mod world;

use std::time::Instant;

use anyhow::{Context, Result};
use weft_controller::populate::Size;

use world::World;

/// As many hosts as matter here, and as many ports as a debug build can compile in the time that a test may take.
const SIZE: Size = Size { hosts: 500, networks: 200, ports: 2_000, wide: 120 };
/// The seed of every run that is not told another.
const SEED: u64 = 3;

#[test]
fn a_fleet_of_500_hosts_weathers_a_storm() -> Result<()> {
    let seed = std::env::var("WEFT_STORM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(SEED);
    eprintln!("WEFT_STORM_SEED={seed}");
    let mut world = World::open(SIZE)?;
    act(&mut world, "cold start", acts::cold_start)?;
    act(&mut world, "restart", acts::restart)?;
    act(&mut world, "trouble", acts::trouble)?;
    act(&mut world, "fairness", acts::fairness)?;
    act(&mut world, "storm", |world| acts::storm(world, seed))?;
    act(&mut world, "quiet", acts::quiet)?;
    act(&mut world, "restart after the storm", acts::restart)?;
    Ok(())
}

fn act(world: &mut World, name: &str, play: impl FnOnce(&mut World) -> Result<()>) -> Result<()> {
    let begin = Instant::now();
    play(world).with_context(|| format!("act `{name}`"))?;
    // A storm that is too slow shows here who has worked and how often hosts have dialled.
    eprintln!("{name}: {:.1} s; {}", begin.elapsed().as_secs_f64(), world.effort()?);
    Ok(())
}
