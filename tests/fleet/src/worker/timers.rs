//! What has to happen later: dialling, probing, reading a byte, ending a fault.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use super::host::Side;

/// What has to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Dial.
    Dial,
    /// See whether the peer is there.
    Probe,
    /// Read on.
    Read,
    /// Read as always again.
    Release,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    when: Instant,
    /// Which host of the worker.
    pub at: usize,
    /// Which of its connections.
    pub side: Side,
    /// What has to happen.
    pub timer: Timer,
    /// For which connection in the course of time.
    pub epoch: u32,
}

/// All of them, by time.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<Due>>,
}

impl Timers {
    /// Something has to happen then.
    pub fn set(&mut self, when: Instant, at: usize, side: Side, timer: Timer, epoch: u32) {
        self.heap.push(Reverse(Due { when, at, side, timer, epoch }));
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(due)| due.when)
    }

    /// Takes one that is due.
    pub fn due(&mut self, now: Instant) -> Option<Due> {
        let is_due = self.heap.peek().is_some_and(|Reverse(due)| due.when <= now);
        if is_due { self.heap.pop().map(|Reverse(due)| due) } else { None }
    }
}
