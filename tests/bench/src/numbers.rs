//! Percentiles of measured times, and processor time of a process.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

/// The distribution of a measured time, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Spread {
    /// Of at least one sample.
    pub fn of(mut samples: Vec<Duration>) -> Spread {
        samples.sort();
        let at = |share: f64| {
            let rank = ((samples.len() as f64 * share).ceil() as usize).clamp(1, samples.len());
            samples[rank - 1].as_secs_f64() * 1000.0
        };
        Spread { p50_ms: at(0.50), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

/// User and system time that a process has used so far (`/proc/PID/stat`, fields 14 and 15, in ticks of 10 ms).
pub fn cpu(pid: i32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("no command name in stat")?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|t| t.parse::<u64>().ok()).context("stat is too short");
    Ok(Duration::from_millis(10 * (ticks()? + ticks()?)))
}

/// Resident memory of a process in KiB.
pub fn resident_kib(pid: i32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
