//! Waiting for the fleet: conditions that are armed before something is done, and stamps of when each host met them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::openflow::digest::Digest;
use crate::openflow::watch::Sign;

/// Some hosts of a fleet.
#[derive(Debug, Clone)]
pub enum Hosts {
    /// All of them.
    All,
    /// One of them.
    One(u32),
    /// These.
    These(Arc<Vec<u32>>),
}

impl Hosts {
    /// Their numbers in a fleet of so many.
    pub fn numbers(&self, hosts: u32) -> Vec<u32> {
        match self {
            Hosts::All => (0..hosts).collect(),
            Hosts::One(one) => vec![*one],
            Hosts::These(these) => these.to_vec(),
        }
    }
}

impl FromIterator<u32> for Hosts {
    fn from_iter<I: IntoIterator<Item = u32>>(hosts: I) -> Hosts {
        Hosts::These(Arc::new(hosts.into_iter().collect()))
    }
}

/// What a host is expected to come to.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Something about one flow or one bundle happens after arming.
    Sees(Sign),
    /// The bridge has a controller and a connection to it that has asked for its features.
    Connected,
    /// The tables hold exactly so many flows.
    Flows(u64),
    /// The contents have these digests, by host.
    Holds(Arc<BTreeMap<u32, Digest>>),
}

/// When a host met its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which host.
    pub host: u32,
    /// When the bytes that did it had been read.
    pub read_at: Instant,
    /// When the answers to these bytes had been handed to the socket.
    pub answered_at: Instant,
}

/// A condition that is armed.
#[derive(Debug)]
pub struct Expectation {
    pub(crate) stamps: Receiver<Vec<Stamp>>,
    pub(crate) wanted: usize,
    pub(crate) met: Vec<Stamp>,
}

impl Expectation {
    /// Waits until every host has met the condition; gives what came until then or until the time is over.
    pub fn wait(mut self, within: Duration) -> Met {
        let end = Instant::now() + within;
        while self.met.len() < self.wanted {
            let left = end.saturating_duration_since(Instant::now());
            match self.stamps.recv_timeout(left) {
                Ok(stamps) => self.met.extend(stamps),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        Met { missing: self.wanted.saturating_sub(self.met.len()), stamps: self.met }
    }

    /// How many hosts have not met it so far, as far as that is known.
    pub fn left(&mut self) -> usize {
        while let Ok(stamps) = self.stamps.try_recv() {
            self.met.extend(stamps);
        }
        self.wanted.saturating_sub(self.met.len())
    }
}

/// What became of an expectation.
#[derive(Debug, Clone)]
pub struct Met {
    /// Who met it and when, in the order in which it was told.
    pub stamps: Vec<Stamp>,
    /// How many did not.
    pub missing: usize,
}

impl Met {
    /// When the first host had read what it takes.
    pub fn first(&self) -> Option<Instant> {
        self.stamps.iter().map(|stamp| stamp.read_at).min()
    }

    /// When the last host had read what it takes.
    pub fn last(&self) -> Option<Instant> {
        self.stamps.iter().map(|stamp| stamp.read_at).max()
    }

    /// When the last host had answered.
    pub fn last_answer(&self) -> Option<Instant> {
        self.stamps.iter().map(|stamp| stamp.answered_at).max()
    }

    /// True if every host met it.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }
}
