//! What is expected of this worker's hosts, and the stamps of those that have come to it.

use std::sync::mpsc::Sender;
use std::time::Instant;

use crate::expect::{Condition, Hosts, Stamp};
use crate::openflow::depot::Depot;
use crate::openflow::watch::WatchId;

use super::host::Host;

/// One expectation.
#[derive(Debug)]
struct Armed {
    id: WatchId,
    condition: Condition,
    /// Which hosts have not met it yet.
    waiting: Vec<bool>,
    left: usize,
    stamps: Vec<Stamp>,
    sender: Sender<Vec<Stamp>>,
}

/// All of them.
#[derive(Debug)]
pub struct Expected {
    stride: (u32, u32),
    hosts: usize,
    next: u32,
    armed: Vec<Armed>,
}

impl Expected {
    /// Nothing is expected of so many hosts.
    pub fn new(stride: (u32, u32), hosts: usize) -> Expected {
        Expected { stride, hosts, next: 0, armed: Vec::new() }
    }

    /// True when nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    /// Expects something of some hosts from now on.
    pub fn arm(
        &mut self,
        hosts: &[Host],
        wanted: &Hosts,
        condition: Condition,
        sender: Sender<Vec<Stamp>>,
        depot: &mut Depot,
    ) {
        let (workers, index) = self.stride;
        let mut waiting = vec![false; self.hosts];
        for number in wanted.numbers(u32::try_from(self.hosts).unwrap_or(0) * workers + index) {
            let at = (number / workers) as usize;
            if number % workers == index && at < self.hosts {
                waiting[at] = true;
            }
        }
        let id = WatchId(self.next);
        self.next = self.next.wrapping_add(1);
        if let Condition::Sees(sign) = condition {
            depot.watches.arm(id, sign);
        }
        let left = waiting.iter().filter(|waits| **waits).count();
        let mut armed = Armed { id, condition, waiting, left, stamps: Vec::new(), sender };
        let now = Instant::now();
        for (at, host) in hosts.iter().enumerate() {
            if armed.waiting[at] && holds(&armed.condition, host) {
                armed.meet(at, host.number, now);
            }
        }
        self.armed.push(armed);
    }

    /// Looks what a host has come to with the bytes that it has just taken.
    pub fn look(&mut self, at: usize, host: &Host, depot: &mut Depot, read_at: Instant) {
        let met = depot.watches.take_met();
        for armed in self.armed.iter_mut().filter(|armed| armed.waiting[at]) {
            if met.contains(&armed.id) || holds(&armed.condition, host) {
                armed.meet(at, host.number, read_at);
            }
        }
        if self.armed.iter().any(|armed| armed.left == 0) {
            for done in self.armed.iter().filter(|armed| armed.left == 0) {
                depot.watches.disarm(done.id);
            }
            self.deliver();
            self.armed.retain(|armed| armed.left > 0);
        }
    }

    /// Tells whoever waits. Expectations that nobody waits for any more, or that are met, are dropped.
    pub fn deliver(&mut self) {
        self.armed.retain_mut(|armed| {
            let stamps = std::mem::take(&mut armed.stamps);
            let heard = stamps.is_empty() || armed.sender.send(stamps).is_ok();
            heard && armed.left > 0
        });
    }

    /// Which watches are still somebody's.
    pub fn forget_unheard(&mut self, depot: &mut Depot) {
        // A receiver that is gone shows only when something is sent: an empty message tells.
        self.armed.retain(|armed| {
            let heard = armed.sender.send(Vec::new()).is_ok();
            if !heard {
                depot.watches.disarm(armed.id);
            }
            heard
        });
    }
}

impl Armed {
    fn meet(&mut self, at: usize, host: u32, read_at: Instant) {
        self.waiting[at] = false;
        self.left -= 1;
        self.stamps.push(Stamp { host, read_at, answered_at: Instant::now() });
    }
}

/// True if the host has come to a condition that is a state.
fn holds(condition: &Condition, host: &Host) -> bool {
    match condition {
        Condition::Sees(_) => false,
        Condition::Connected => super::is_connected(host),
        Condition::Flows(count) => {
            host.switch.as_ref().is_some_and(|switch| switch.tables().flow_count() as u64 == *count)
        }
        Condition::Holds(digests) => {
            let (Some(wanted), Some(switch)) = (digests.get(&host.number), &host.switch) else {
                return false;
            };
            // The count is there already; the digest has to be made.
            switch.tables().flow_count() as u64 == wanted.flows() && switch.digest() == *wanted
        }
    }
}
