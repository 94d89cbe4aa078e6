//! Whose tables are read now, and who is next: a limited number at a time, first contact before audits.
//!
//! Audits take a share of one core: after each, as much time passes as makes what it cost that share. Which of the switches
//! that are due comes next is decided by who has waited longest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use weft_model::HostIndex;

use crate::switch::{SessionId, Why};

/// How many of the readings under way may be audits.
const AUDITS_AT_ONCE: usize = 4;

/// Admission to reading.
#[derive(Debug)]
pub struct Reads {
    most: usize,
    share: f64,
    under_way: BTreeMap<HostIndex, (SessionId, Purpose)>,
    audits: usize,
    /// Switches that cannot go on before they are read.
    first: VecDeque<HostIndex>,
    is_first: BTreeSet<HostIndex>,
    /// Switches whose audit is due, the longest due first.
    due: BTreeSet<(Instant, HostIndex)>,
    /// No audit begins before.
    gate: Option<Instant>,
}

/// What a reading counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    First,
    Audit,
}

impl Reads {
    /// At most `most` readings at a time; audits take `share` of one core.
    pub fn new(most: usize, share: f64) -> Reads {
        let (under_way, first, is_first, due) = Default::default();
        Reads { most, share, under_way, audits: 0, first, is_first, due, gate: None }
    }

    /// True if the switch may be read now; else it waits, and [`Reads::next`] names it when it may.
    pub fn admit(&mut self, host: HostIndex, session: SessionId, why: Why, now: Instant) -> bool {
        let has_slot = self.under_way.len() < self.most;
        let purpose = match why {
            Why::Audit(due) => {
                if !has_slot || self.audits >= AUDITS_AT_ONCE || self.gate.is_some_and(|gate| now < gate) {
                    self.due.insert((due, host));
                    return false;
                }
                self.due.remove(&(due, host));
                self.audits += 1;
                Purpose::Audit
            }
            Why::Resync | Why::Suspicion => {
                if !has_slot {
                    if self.is_first.insert(host) {
                        self.first.push_back(host);
                    }
                    return false;
                }
                Purpose::First
            }
        };
        self.release(host, None);
        self.under_way.insert(host, (session, purpose));
        true
    }

    /// A reading is over: its answer was compared, or its session has ended. With a session, only if it was of that one.
    pub fn release(&mut self, host: HostIndex, session: Option<SessionId>) {
        let Some((of, purpose)) = self.under_way.get(&host).copied() else { return };
        if session.is_none_or(|session| session == of) {
            self.under_way.remove(&host);
            if purpose == Purpose::Audit {
                self.audits -= 1;
            }
        }
    }

    /// The next switch that may be read now; it is no longer waiting, and asks again by [`Reads::admit`].
    pub fn next(&mut self, now: Instant) -> Option<HostIndex> {
        if self.under_way.len() >= self.most {
            return None;
        }
        if let Some(host) = self.first.pop_front() {
            self.is_first.remove(&host);
            return Some(host);
        }
        if self.audits >= AUDITS_AT_ONCE || self.gate.is_some_and(|gate| now < gate) {
            return None;
        }
        self.due.pop_first().map(|(_, host)| host)
    }

    /// When the next audit may begin, if it is time that it waits for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.gate.filter(|_| !self.due.is_empty() && self.audits < AUDITS_AT_ONCE)
    }

    /// How long auditing one switch took.
    pub fn spent(&mut self, time: Duration, now: Instant) {
        let pause =
            if self.share > 0.0 { time.mul_f64((1.0 / self.share - 1.0).clamp(0.0, 1e6)) } else { PAUSE_MAX };
        self.gate = Some(self.gate.map_or(now, |gate| gate.max(now)) + pause.min(PAUSE_MAX));
    }
}

/// The longest time between two audits while any is due.
const PAUSE_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u32) -> HostIndex {
        HostIndex::new(n).unwrap()
    }

    #[test]
    fn first_contact_goes_before_audits_and_only_so_many_at_once() {
        let (mut reads, now, session) = (Reads::new(2, 0.02), Instant::now(), SessionId(1));
        assert!(reads.admit(host(1), session, Why::Resync, now));
        assert!(reads.admit(host(2), session, Why::Resync, now));
        assert!(!reads.admit(host(3), session, Why::Audit(now), now));
        assert!(!reads.admit(host(4), session, Why::Resync, now));
        assert_eq!(reads.next(now), None);
        reads.release(host(1), Some(session));
        assert_eq!((reads.next(now), reads.next(now)), (Some(host(4)), Some(host(3))));
    }

    #[test]
    fn audits_take_their_share_and_the_longest_due_goes_first() {
        let (mut reads, now, session) = (Reads::new(8, 0.02), Instant::now(), SessionId(1));
        assert!(reads.admit(host(1), session, Why::Audit(now), now));
        reads.release(host(1), Some(session));
        reads.spent(Duration::from_millis(2), now);
        let later = now + Duration::from_millis(1);
        assert!(!reads.admit(host(2), session, Why::Audit(later), now));
        assert!(!reads.admit(host(3), session, Why::Audit(now), now));
        let gate = reads.poll_timeout().unwrap();
        assert_eq!((gate - now).as_millis(), 98, "2 ms are two per cent of 100 ms");
        assert_eq!(reads.next(now), None);
        assert_eq!((reads.next(gate), reads.next(gate)), (Some(host(3)), Some(host(2))));
    }
}
