//! Kernel settings of the whole machine that real traffic needs, raised for a while and put back.
use std::fs;

use anyhow::{Context, Result};

use crate::sweep::machine_lock;

/// Settings raised until this value is dropped. They belong to the machine, not to a namespace, so a rig never
/// touches them by itself.
#[derive(Debug)]
#[must_use = "the settings go back when this is dropped"]
pub struct Tuning {
    before: Vec<(&'static str, u64)>,
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
        Self::raise(BUFFERS)
    }

    /// Neighbour tables for thousands of workloads.
    pub fn neighbour_tables() -> Result<Self> {
        Self::raise(NEIGHBOURS)
    }

    fn raise(settings: &'static [(&'static str, u64)]) -> Result<Self> {
        let _lock = machine_lock()?;
        let mut tuning = Tuning { before: Vec::new() };
        for (key, wanted) in settings {
            let now = read(key)?;
            if now < *wanted {
                write(key, *wanted)?;
                tuning.before.push((key, now));
            }
        }
        Ok(tuning)
    }
}

impl Drop for Tuning {
    fn drop(&mut self) {
        for (key, value) in self.before.drain(..).rev() {
            if let Err(error) = write(key, value) {
                eprintln!("rig: {error:#}");
            }
        }
    }
}

fn read(key: &str) -> Result<u64> {
    let path = format!("/proc/sys/net/{key}");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    text.trim().parse().with_context(|| format!("{path} holds {text:?}"))
}

fn write(key: &str, value: u64) -> Result<()> {
    let path = format!("/proc/sys/net/{key}");
    fs::write(&path, value.to_string()).with_context(|| format!("writing {value} to {path}"))
}
