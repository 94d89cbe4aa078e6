//! Traffic that runs while something is broken on purpose, and a full account of what was lost.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use weft_rig::{Netns, Process, Workload, wait_until};

use crate::site::LIMIT;

/// An echo request every 10 ms from one workload to an address, each with its number.
#[derive(Debug)]
pub struct Traffic {
    process: Process,
}

impl Traffic {
    /// Starts it and waits for the first answers.
    pub fn start(from: &Workload, to: IpAddr) -> Result<Traffic> {
        let process = from.spawn(&["ping", "-D", "-n", "-i", "0.01", &to.to_string()])?;
        let traffic = Traffic { process };
        traffic.wait_more(10)?;
        Ok(traffic)
    }

    /// The same from a namespace that is no workload.
    pub fn from(netns: &Netns, to: IpAddr) -> Result<Traffic> {
        let process = netns.spawn(&["ping", "-D", "-n", "-i", "0.01", &to.to_string()])?;
        let traffic = Traffic { process };
        traffic.wait_more(10)?;
        Ok(traffic)
    }

    /// Waits until this many more answers have come than had when this was called.
    pub fn wait_more(&self, more: usize) -> Result<()> {
        let before = self.answered()?.len();
        wait_until("traffic to go on", LIMIT, || {
            let now = self.answered()?.len();
            ensure!(now >= before + more, "{} answers of {more}", now - before);
            Ok(true)
        })
    }

    /// The numbers of requests that stayed without an answer although a later one was answered. A request that is under
    /// way at this moment is not among them.
    pub fn lost(&self) -> Result<Vec<u32>> {
        let answered = self.answered()?;
        let last = answered.last().copied().unwrap_or_default();
        Ok((1..=last).filter(|number| !answered.contains(number)).collect())
    }

    /// How many requests were answered.
    pub fn answers(&self) -> Result<usize> {
        Ok(self.answered()?.len())
    }

    /// The longest time without an answer between two answers, the first `before` of them left out.
    pub fn longest_silence(&self, before: usize) -> Result<Duration> {
        let log = self.process.log()?;
        let times: Vec<f64> = log.lines().filter(|line| number(line).is_some()).filter_map(time).collect();
        let gaps = times.windows(2).skip(before.saturating_sub(1)).map(|pair| pair[1] - pair[0]);
        Ok(Duration::from_secs_f64(gaps.fold(0.0, f64::max)))
    }

    fn answered(&self) -> Result<BTreeSet<u32>> {
        Ok(self.process.log()?.lines().filter_map(number).collect())
    }
}

/// The number in a line like `64 bytes from 10.0.0.3: icmp_seq=7 ttl=64 time=0.5 ms`.
fn number(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once("bytes from")?.1.split_once("icmp_seq=")?;
    rest.split(' ').next()?.parse().ok()
}

/// When a line like `[1700000000.123456] 64 bytes from ...` was written, in seconds.
fn time(line: &str) -> Option<f64> {
    line.strip_prefix('[')?.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_have_a_number() {
        assert_eq!(number("64 bytes from 10.0.0.3: icmp_seq=7 ttl=64 time=0.5 ms"), Some(7));
        assert_eq!(number("64 bytes from fd00::3: icmp_seq=65536 ttl=64 time=0.5 ms"), Some(65536));
        assert_eq!(time("[1700000000.25] 64 bytes from 10.0.0.3: icmp_seq=7"), Some(1_700_000_000.25));
        assert_eq!(number("no answer yet for icmp_seq=7"), None);
        assert_eq!(number("From 10.0.0.1 icmp_seq=1 Destination Host Unreachable"), None);
    }
}
