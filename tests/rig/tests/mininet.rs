//! The Mininet rig stands on its own: hypervisors, tunnels and workloads with flows made by hand.
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use weft_rig::Cmd;

/// Two tenants with the same addresses on two hypervisors: everyone reaches exactly their own.
#[test]
fn tenants_reach_their_own_with_flows_made_by_hand() -> Result<()> {
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mininet/run");
    let cmd = Cmd::new(run).args(["--test", "--by-hand", "--hosts", "2"]).limit(Duration::from_secs(120));
    let finished = cmd.output()?;
    ensure!(finished.succeeded(), "code {:?}:\n{}{}", finished.code, finished.stdout, finished.stderr);
    ensure!(finished.stdout.contains("8 passed, 0 failed"), "{}", finished.stdout);
    Ok(())
}
