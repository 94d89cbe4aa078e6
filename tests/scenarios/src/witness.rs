//! Witnesses: captures that say whether, and how often, a certain frame came by.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, ensure};
use weft_rig::{Capture, Host, Workload, wait_until};

use crate::frames::{BROADCAST, End, udp};
use crate::site::LIMIT;

/// A capture of everything on one interface.
#[derive(Debug)]
pub struct Witness {
    name: String,
    capture: Capture,
}

impl Witness {
    /// Sees what a workload sends and receives.
    pub fn at(workload: &Workload) -> Result<Witness> {
        Ok(Witness {
            name: workload.name().to_owned(),
            capture: Capture::start(workload.netns(), "eth0", "")?,
        })
    }

    /// Sees what a host sends to the underlay and receives from it: tenants' frames at the end of outer ones.
    pub fn underlay(host: &Host) -> Result<Witness> {
        let name = format!("the underlay at {}", host.name());
        Ok(Witness { name, capture: Capture::start(host.netns(), "eth0", "")? })
    }

    /// Where it stands, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often the frame has been seen so far, by itself or carried by another one.
    pub fn times(&self, frame: &[u8]) -> Result<usize> {
        self.count(|seen| seen.ends_with(frame))
    }

    /// How many frames of a kind have been seen so far.
    pub fn count(&self, wanted: impl Fn(&[u8]) -> bool) -> Result<usize> {
        Ok(self.capture.frames()?.iter().filter(|seen| wanted(seen)).count())
    }

    /// The frames so far.
    pub fn frames(&self) -> Result<Vec<Vec<u8>>> {
        self.capture.frames()
    }

    /// Waits until the frame has been seen.
    pub fn wait_for(&self, frame: &[u8]) -> Result<()> {
        wait_until(&format!("a frame to reach {}", self.name), LIMIT, || Ok(self.times(frame)? > 0))
    }

    /// The capture itself, for what only it can do.
    pub fn capture(&mut self) -> &mut Capture {
        &mut self.capture
    }
}

/// Sends frames from a workload, then a broadcast as a sign, twice; when every witness has seen both signs, whatever
/// was to arrive of the frames has arrived. Witnesses stand at workloads of the sender's network or in the underlay.
///
/// A datapath handles the packets of one interface in the order in which they come, but sorts the ones that it takes
/// at once by flow: that is why the second sign waits for the first one.
pub fn send_and_settle(from: &Workload, frames: &[Vec<u8>], witnesses: &[&Witness]) -> Result<()> {
    for frame in frames {
        from.send_frame(frame)?;
    }
    for _ in 0..2 {
        let sign = sign(from);
        from.send_frame(&sign)?;
        for witness in witnesses {
            witness.wait_for(&sign)?;
        }
    }
    Ok(())
}

/// An honest broadcast that there has not been before.
fn sign(from: &Workload) -> Vec<u8> {
    /// The port for what is to be discarded (RFC 863).
    const DISCARD: u16 = 9;
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let everybody = End::new(BROADCAST, Ipv4Addr::BROADCAST);
    udp(End::v4(from), everybody, (DISCARD, DISCARD), format!("sign {number}").as_bytes())
}

/// Fails unless the witness saw the frame exactly that often.
pub fn expect_times(witness: &Witness, frame: &[u8], times: usize, what: &str) -> Result<()> {
    let seen = witness.times(frame)?;
    ensure!(seen == times, "{} saw {what} {seen} times and not {times}", witness.name());
    Ok(())
}
