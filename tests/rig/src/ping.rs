//! Pings, awaited or running in the background while something is broken on purpose.
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::command::Cmd;
use crate::netns::Netns;
use crate::process::Process;

/// How many echo requests left and how many answers came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingResult {
    /// Echo requests sent.
    pub sent: u32,
    /// Answers received, duplicates not counted.
    pub received: u32,
}

impl PingResult {
    /// Every request was answered (and there was one).
    pub fn all(&self) -> bool {
        self.sent > 0 && self.received == self.sent
    }

    /// No request was answered (and there was one).
    pub fn none(&self) -> bool {
        self.sent > 0 && self.received == 0
    }

    /// Requests without an answer.
    pub fn lost(&self) -> u32 {
        self.sent - self.received
    }
}

/// A ping that runs until it is asked how it went.
#[derive(Debug)]
pub struct Ping {
    process: Process,
}

impl Ping {
    /// Starts one echo request per `interval` from a namespace.
    pub fn start(netns: &Netns, to: IpAddr, interval: Duration) -> Result<Self> {
        let interval = format!("{:.3}", interval.as_secs_f64());
        let to = to.to_string();
        Ok(Ping { process: netns.spawn(&["ping", "-n", "-O", "-i", &interval, &to])? })
    }

    /// How many answers have come so far.
    pub fn received(&self) -> Result<usize> {
        Ok(self.process.log()?.lines().filter(|l| l.contains("bytes from")).count())
    }

    /// Ends it and tells what was lost. A request that is under way when this is called counts as sent.
    pub fn finish(mut self) -> Result<PingResult> {
        self.process.signal(Signal::SIGINT)?;
        self.process.wait(Duration::from_secs(10))?;
        parse(&self.process.log()?)
    }
}

/// Sends `count` echo requests at once and waits at most one second for the last answer.
///
/// Once an answer has come, `ping` gives the others only twice that round trip or one interval, whatever `-W` says; with
/// a short interval a busy machine would look like a lossy network. So the interval is a second, and no pause is left
/// for it to lie in.
pub(crate) fn ping(netns: &Netns, to: IpAddr, count: u32) -> Result<PingResult> {
    let (count, to) = (count.to_string(), to.to_string());
    let argv = ["ping", "-n", "-q", "-i", "1", "-l", &count, "-W", "1", "-c", &count, &to];
    let finished = Cmd::from_argv(&argv)?.within(netns).output()?;
    parse(&finished.stdout).with_context(|| format!("ping {to} in {}: {}", netns.name(), finished.stderr))
}

fn parse(text: &str) -> Result<PingResult> {
    let line = text.lines().find(|l| l.contains("packets transmitted")).context("ping printed no summary")?;
    let before = |word: &str| {
        let words: Vec<&str> = line.split([' ', ',']).filter(|w| !w.is_empty()).collect();
        let at = words.iter().position(|w| *w == word)?;
        words[..at].iter().rev().find_map(|w| w.parse::<u32>().ok())
    };
    let sent = before("transmitted").context("no count of requests")?;
    let received = before("received").context("no count of answers")?;
    Ok(PingResult { sent, received })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_read() {
        let check =
            |line: &str, sent, received| assert_eq!(parse(line).expect(line), PingResult { sent, received });
        check("3 packets transmitted, 3 received, 0% packet loss, time 5ms", 3, 3);
        check("3 packets transmitted, 0 received, +3 errors, 100% packet loss, time 20ms", 3, 0);
        check("5 packets transmitted, 4 received, +1 duplicates, 20% packet loss", 5, 4);
        assert!(parse("ping: connect: Network is unreachable").is_err());
    }
}
