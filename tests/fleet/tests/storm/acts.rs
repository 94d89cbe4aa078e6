//! The acts: what happens to the system, and what each must come to.

use anyhow::{Context, Result, ensure};
use weft_fleet::{Condition, Hosts};

use crate::wanted;
use crate::world::{LIMIT, World};

/// How much memory a controller may take for the smallest of systems, debug build, in KiB.
const MEMORY_BASE: u64 = 300 << 10;

/// All hosts dial a controller at once that has everything in its store: each comes to hold exactly what is wanted.
pub fn cold_start(world: &World) -> Result<()> {
    let wanted = wanted::digests(&world.population.snapshot())?;
    let met = world.fleet.expect(Hosts::All, Condition::Holds(wanted)).wait(LIMIT);
    if !met.is_complete() {
        anyhow::bail!("{} hosts are not complete: {}", met.missing, world.describe(&Hosts::All)?);
    }
    world.settle(&Hosts::All)?;
    Ok(())
}

/// The controller is killed and comes back: every host connects at once, nothing has changed, so nothing is sent.
pub fn restart(world: &mut World) -> Result<()> {
    let mut http = world.http()?;
    applied(&mut http)?;
    let (before, memory) = (world.messages(), world.memory_kib()?);
    let digests = world.fleet.digests(Hosts::All);
    let left = world.kill()?;
    world.restart()?;
    let mut http = world.http()?;
    applied(&mut http)?;
    let after = world.memory_kib()?;
    eprintln!("memory in KiB, now and peak: {memory:?} before the restart, {after:?} after");
    let sent = world.messages() - before;
    ensure!(sent == 0, "{sent} flow and group messages although nothing changed\n{}", world.log());
    let state = world.state()?;
    ensure!(world.fleet.digests(Hosts::All) == digests, "tables changed");
    ensure!(state.revision() == left.revision(), "{} became {}", left.revision(), state.revision());
    let most = memory.1.max(MEMORY_BASE) * 2;
    ensure!(after.1 <= most, "{} KiB at most after a restart, {most} were expected", after.1);
    Ok(())
}

/// Waits until everything that was written is in force everywhere.
pub fn applied(http: &mut crate::http::Http) -> Result<u64> {
    let revision = http.get("/healthz")?.revision;
    let seconds = LIMIT.as_secs();
    let report = http.get(&format!("/v1/applied?revision={revision}&timeout={seconds}"))?.body;
    let done = report["applied"].as_bool().context("a verdict")?;
    ensure!(done, "revision {revision} is not in force: {report}");
    Ok(revision)
}
