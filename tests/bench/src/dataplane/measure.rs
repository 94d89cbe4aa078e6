//! One pair of workloads after the other, again and again: a TCP stream, pings, what the switches used for it.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use weft_rig::{Netns, Process, wait_until};
use weft_scenarios::simulated::usage::cpu;
use weft_scenarios::{LIMIT, Site};

use super::{Path, Place};

/// Round trips at the beginning of every turn that do not count.
const WARM: usize = 5;
/// Seconds between two pings.
const INTERVAL: &str = "0.002";

/// Two workloads with a path between them, and what was measured of it.
#[derive(Debug)]
pub struct Cell {
    pub path: Path,
    pub place: Place,
    /// Received by TCP, one number for each round.
    pub gbits: Vec<f64>,
    /// Round trips of all rounds.
    pub trips: Vec<Duration>,
    from: Netns,
    to: Netns,
    address: IpAddr,
    /// What the switches used for the streams, and how many packets the receiver got and sent.
    used: (Duration, u64),
    server: Process,
}

impl Cell {
    /// A path from one namespace to another, which has the address; a server listens there from now on.
    pub fn open(path: Path, place: Place, from: Netns, (to, address): (Netns, IpAddr)) -> Result<Cell> {
        let server = to.spawn(&["iperf3", "-s", "--forceflush"])?;
        let (gbits, trips, used) = Default::default();
        Ok(Cell { path, place, gbits, trips, from, to, address, used, server })
    }

    /// Processor time of the switches for one packet, in microseconds.
    pub fn us_per_packet(&self) -> f64 {
        self.used.0.as_secs_f64() * 1e6 / self.used.1 as f64
    }

    /// Waits until packets come through and the server listens.
    fn wait_ready(&mut self) -> Result<()> {
        self.server
            .wait_for("iperf3 to listen", LIMIT, |server| Ok(server.log()?.contains("Server listening")))?;
        let to = self.address.to_string();
        wait_until(&format!("{:?}, {:?}: {to} to answer", self.path, self.place), LIMIT, || {
            Ok(self.from.output(&["ping", "-n", "-c", "1", "-W", "1", &to])?.succeeded())
        })
    }

    fn stream(&mut self, site: &Site, seconds: u64) -> Result<()> {
        let before = (switches_cpu(site)?, packets(&self.to)?);
        let (to, seconds) = (self.address.to_string(), seconds.to_string());
        let report = self.from.exec(&["iperf3", "-c", &to, "-t", &seconds, "-J"])?;
        let after = (switches_cpu(site)?, packets(&self.to)?);
        self.used.0 += after.0.saturating_sub(before.0);
        self.used.1 += after.1 - before.1;
        let report: serde_json::Value = serde_json::from_str(&report)?;
        let bits = report["end"]["sum_received"]["bits_per_second"].as_f64();
        self.gbits.push(bits.context("iperf3 tells no throughput")? / 1e9);
        Ok(())
    }

    fn pings(&mut self, count: usize) -> Result<()> {
        let (to, all) = (self.address.to_string(), (count + WARM).to_string());
        let text = self.from.exec(&["ping", "-n", "-i", INTERVAL, "-c", &all, &to])?;
        let trips: Vec<Duration> = text.lines().filter_map(trip).collect();
        ensure!(trips.len() > WARM + count / 2, "{} of {all} pings to {to} came back", trips.len());
        self.trips.extend(&trips[WARM..]);
        Ok(())
    }
}

/// So many rounds over all cells; in each, a stream of so many seconds and so many pings.
pub fn rounds(site: &Site, cells: &mut [Cell], (rounds, seconds, pings): (usize, u64, usize)) -> Result<()> {
    cells.iter_mut().try_for_each(Cell::wait_ready)?;
    for round in 1..=rounds {
        // Every round begins with another one.
        cells.rotate_left(1);
        for cell in &mut *cells {
            cell.stream(site, seconds).with_context(|| format!("{:?}, {:?}", cell.path, cell.place))?;
            cell.pings(pings)?;
        }
        eprintln!("  dataplane: round {round} of {rounds}");
    }
    Ok(())
}

/// Processor time of the switches of all hosts so far.
fn switches_cpu(site: &Site) -> Result<Duration> {
    let pids = site.hosts.iter().map(|host| host.vswitchd_pid().context("ovs-vswitchd runs"));
    pids.map(|pid| cpu(pid?)).sum()
}

/// Packets that a workload has received and sent so far.
fn packets(netns: &Netns) -> Result<u64> {
    let text = netns.exec(&["cat", "/proc/net/dev"])?;
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("eth0:"));
    let numbers: Vec<u64> = line.unwrap_or_default().split_whitespace().flat_map(str::parse).collect();
    // Bytes and packets come first in each half of eight.
    ensure!(numbers.len() >= 16, "/proc/net/dev tells nothing of eth0:\n{text}");
    Ok(numbers[1] + numbers[9])
}

/// The time in a line of ping's.
fn trip(line: &str) -> Option<Duration> {
    let milliseconds: f64 = line.split_once("time=")?.1.strip_suffix(" ms")?.parse().ok()?;
    Some(Duration::from_secs_f64(milliseconds / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_pings_are_read() {
        let line = "64 bytes from 10.0.0.2: icmp_seq=3 ttl=64 time=0.125 ms";
        assert_eq!(trip(line), Some(Duration::from_micros(125)));
        assert_eq!(trip("rtt min/avg/max/mdev = 0.1/0.2/0.3/0.1 ms"), None);
    }
}
