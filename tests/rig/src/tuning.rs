//! Kernel settings of the whole machine that real traffic needs, raised for a while and put back.
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::fcntl::Flock;

use crate::sweep::try_lock;
use crate::wait::wait_until;

/// Where the kernel shows its settings of the network.
const KERNEL: &str = "/proc/sys/net";
/// How long another process may hold the same settings: a benchmark's time.
const TURN: Duration = Duration::from_secs(900);

/// Settings raised until this value is dropped. They belong to the machine, not to a namespace, so a rig never
/// touches them by itself, and one process at a time holds them: others wait for their turn.
#[derive(Debug)]
#[must_use = "the settings go back when this is dropped"]
pub struct Tuning {
    before: Vec<(PathBuf, u64)>,
    _turn: Flock<File>,
}

/// Receive buffer of new sockets: with the default, the packet sockets of `ovs-vswitchd` overflow under TCP and
/// tens of thousands of segments per second are sent again. Open vSwitch has no setting of its own for it.
const BUFFERS: &[(&str, u64)] = &[("core/rmem_default", 8 << 20)];
/// The neighbour table has one size for all namespaces together; 1,024 entries are too few for some 20 hosts whose
/// workloads all talk to each other.
const NEIGHBOURS: &[(&str, u64)] = &[
    ("ipv4/neigh/default/gc_thresh3", 65_536),
    ("ipv4/neigh/default/gc_thresh2", 32_768),
    ("ipv4/neigh/default/gc_thresh1", 16_384),
    ("ipv6/neigh/default/gc_thresh3", 65_536),
    ("ipv6/neigh/default/gc_thresh2", 32_768),
    ("ipv6/neigh/default/gc_thresh1", 16_384),
];

impl Tuning {
    /// Large receive buffers for the sockets that are opened while the value lives: hold it while hosts and
    /// workloads are added, in anything that measures throughput.
    pub fn receive_buffers() -> Result<Self> {
        Self::raise(Path::new(KERNEL), "weft-rig-buffers.lock", BUFFERS)
    }

    /// Neighbour tables for thousands of workloads.
    pub fn neighbour_tables() -> Result<Self> {
        Self::raise(Path::new(KERNEL), "weft-rig-neighbours.lock", NEIGHBOURS)
    }

    fn raise(root: &Path, lock: &str, settings: &[(&str, u64)]) -> Result<Self> {
        let mut turn = None;
        wait_until("our turn to tune the machine", TURN, || {
            turn = try_lock(lock)?;
            Ok(turn.is_some())
        })?;
        let mut tuning = Tuning { before: Vec::new(), _turn: turn.context("no lock")? };
        for (key, wanted) in settings {
            let path = root.join(key);
            let now = read(&path)?;
            if now < *wanted {
                write(&path, *wanted)?;
                tuning.before.push((path, now));
            }
        }
        Ok(tuning)
    }
}

impl Drop for Tuning {
    fn drop(&mut self) {
        for (path, value) in self.before.drain(..).rev() {
            if let Err(error) = write(&path, value) {
                eprintln!("rig: {error:#}");
            }
        }
    }
}

fn read(path: &Path) -> Result<u64> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    text.trim().parse().with_context(|| format!("{} holds {text:?}", path.display()))
}

fn write(path: &Path, value: u64) -> Result<()> {
    fs::write(path, value.to_string()).with_context(|| format!("writing {value} to {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files in place of the kernel's: its own settings may be another process's to change at this moment.
    #[test]
    fn settings_are_raised_never_lowered_and_put_back() {
        let root = tempfile::tempdir().expect("a folder");
        let (low, high) = (root.path().join("low"), root.path().join("high"));
        write(&low, 10).and_then(|()| write(&high, 999)).expect("written");
        let lock = format!("weft-rig-test-{}.lock", std::process::id());
        let settings = [("low", 100), ("high", 100)];
        let tuning = Tuning::raise(root.path(), &lock, &settings).expect("raised");
        assert_eq!((read(&low).expect("low"), read(&high).expect("high")), (100, 999));
        assert!(
            try_lock(&lock).expect("a lock file").is_none(),
            "a second holder would put back the wrong values"
        );
        drop(tuning);
        assert_eq!((read(&low).expect("low"), read(&high).expect("high")), (10, 999));
        assert!(try_lock(&lock).expect("a lock file").is_some());
        assert!(Tuning::raise(root.path(), &lock, &[("none", 1)]).is_err());
        fs::remove_file(std::env::temp_dir().join(lock)).expect("removed");
    }
}
