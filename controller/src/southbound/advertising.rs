//! Router advertisements that nobody asked for (RFC 4861 section 6.2.4): what hosts were told when they asked ends some
//! day, and most never ask again.
//!
//! Each session of a switch tells the ports of its own host, in rounds that are far apart and never of the same length, a
//! few ports at a time. What is told is derived from the newest state when a round begins, and it goes through table
//! `deliver`: a port that has gone, or an interface that is another port's by then, gets nothing.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use weft_compiler::{pipeline, registers};
use weft_model::{HostIndex, PortKey, Snapshot};
use weft_openflow::message::{Message, PacketOut};
use weft_openflow::{Action, PortNo, TableId};

use super::line::Line;
use super::questions::PACKETS;

/// How many ports are told at once,
const BATCH: usize = 16;
/// and how long until the next ones are.
const PAUSE: Duration = Duration::from_millis(100);
/// How many ports one round tells.
const MOST: usize = 8192;

/// How sessions advertise.
#[derive(Debug, Clone)]
pub struct Advertising {
    /// Where the newest state is; without one nothing is ever told.
    pub snapshots: Option<watch::Receiver<Snapshot>>,
    /// The longest time between two rounds; the shortest is half of it.
    pub interval: Duration,
}

impl Advertising {
    /// Nothing is ever told.
    pub fn never() -> Advertising {
        Advertising { snapshots: None, interval: Duration::MAX }
    }
}

/// One session's rounds.
#[derive(Debug)]
pub struct Rounds {
    host: HostIndex,
    advertising: Advertising,
    /// When something is to be done next; `None` when nothing ever is.
    due: Option<Instant>,
    /// What is left of the round: userdata as the flows of table `services` have it.
    left: VecDeque<(PortKey, Bytes)>,
    chance: RandomState,
    rounds: u64,
}

impl Rounds {
    /// The first round comes as late as every other: who has just been plugged in asks by itself.
    pub fn new(host: HostIndex, advertising: Advertising, now: Instant) -> Rounds {
        let left = VecDeque::new();
        let mut rounds = Rounds { host, advertising, due: None, left, chance: RandomState::new(), rounds: 0 };
        rounds.due = rounds.next(now);
        rounds
    }

    /// When [`Rounds::turn`] is to be called next.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Tells the next ports if it is time to. While the line has no room, nothing is told.
    pub fn turn(&mut self, line: &Line, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        if self.left.is_empty() {
            self.left = self.round();
        }
        for (port, userdata) in self.left.drain(..self.left.len().min(BATCH)) {
            let Some(frame) = weft_answers::unsolicited(&userdata) else { continue };
            if line.answer(to(port, frame).encode(PACKETS)).is_err() {
                break;
            }
        }
        self.due = if self.left.is_empty() { self.next(now) } else { Some(now + PAUSE) };
    }

    fn round(&self) -> VecDeque<(PortKey, Bytes)> {
        let Some(snapshots) = &self.advertising.snapshots else { return VecDeque::new() };
        let snapshot = snapshots.borrow().clone();
        let advertised = weft_compiler::advertisements(self.host, &snapshot);
        advertised.take(MOST).map(|(port, userdata)| (port, userdata.into())).collect()
    }

    /// The beginning of the next round: switches that connected together are not to be told together for ever.
    fn next(&mut self, now: Instant) -> Option<Instant> {
        self.advertising.snapshots.as_ref()?;
        self.rounds += 1;
        let share = (self.chance.hash_one((self.host, self.rounds)) % 1024) as u32;
        now.checked_add(self.advertising.interval / 2048 * (1024 + share))
    }
}

/// To the interface of a port, by the flow that knows it.
fn to(port: PortKey, frame: Vec<u8>) -> Message {
    let destination = Action::SetField(registers::DESTINATION.is(port.get()));
    let deliver = Action::resubmit_table(TableId(pipeline::DELIVER.number));
    Message::PacketOut(PacketOut::new(PortNo::CONTROLLER, vec![destination, deliver], frame.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rounds_are_spread_and_never_without_a_state() {
        let host = HostIndex::new(7).expect("in range");
        let now = Instant::now();
        assert_eq!(Rounds::new(host, Advertising::never(), now).due(), None);
        let (_sender, snapshots) = watch::channel(Snapshot::new());
        let interval = Duration::from_secs(1800);
        let advertising = Advertising { snapshots: Some(snapshots), interval };
        let mut rounds = Rounds::new(host, advertising, now);
        let times: Vec<Duration> = (0..50).map(|_| rounds.next(now).expect("a time") - now).collect();
        assert!(times.iter().all(|time| *time >= interval / 2 && *time <= interval), "{times:?}");
        let (first, last) = (times.iter().min(), times.iter().max());
        assert!(first.zip(last).is_some_and(|(first, last)| *last - *first > interval / 8), "{times:?}");
    }
}
