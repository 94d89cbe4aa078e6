//! What is wrong with a host by its own state: it is connected only by half, or it has owed something for too long.
//!
//! Derived from what every report of a host says, and from one timer per host that owes; a host about which nothing
//! changes is not looked at. The words are made once, so what is shown changes only when something does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use weft_model::{HostIndex, Revision, Timestamp};

use crate::clock;

/// How long a connected switch may owe the same oldest revision before that is shown.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How many characters of a reason are shown.
const REASON_MAX: usize = 200;

/// What one report says of a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// Its integration bridge has a session.
    pub(super) openflow: bool,
    /// Its `ovsdb-server` has a session.
    pub(super) ovsdb: bool,
    /// The oldest revision that it owes.
    pub(super) owed: Option<Revision>,
}

/// A moment by both clocks: the one that timers go by, and the one that people read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) instant: Instant,
    pub(super) wall: Timestamp,
}

/// Everyone's.
#[derive(Debug, Default)]
pub(super) struct Ailments {
    cases: BTreeMap<HostIndex, Case>,
    timers: BTreeSet<(Instant, HostIndex)>,
}

#[derive(Debug, Default)]
struct Case {
    signs: Signs,
    /// Since when the switch has been connected and owed what it owes now.
    owes_since: Option<Instant>,
    is_timed: bool,
    /// Why its switch's last session ended.
    last_end: Option<String>,
    half: Option<String>,
    late: Option<String>,
}

impl Ailments {
    /// Takes a report. True if what is wrong with the host may have changed by it.
    pub(super) fn observe(&mut self, host: HostIndex, signs: Signs, now: Moment) -> bool {
        let case = self.cases.entry(host).or_default();
        let before = std::mem::replace(&mut case.signs, signs);
        let mut is_news = false;
        if (before.openflow, before.ovsdb) != (signs.openflow, signs.ovsdb) {
            case.half = case.half_connected(now.wall);
            is_news = true;
        }
        if (before.openflow, before.owed) != (signs.openflow, signs.owed) {
            is_news |= case.late.take().is_some();
            case.owes_since = signs.owed.filter(|_| signs.openflow).map(|_| now.instant);
        }
        // One timer per host, set anew only when it fires: most of what is owed is confirmed long before.
        if case.owes_since.is_some() && case.late.is_none() && !case.is_timed {
            case.is_timed = true;
            self.timers.insert((now.instant + PATIENCE, host));
        }
        is_news
    }

    /// Why a switch's session ended. It is told with its bridge being away.
    pub(super) fn ended(&mut self, host: HostIndex, reason: &str) {
        let case = self.cases.entry(host).or_default();
        case.last_end = Some(reason.chars().take(REASON_MAX).collect());
    }

    /// Drops what is kept of a host.
    pub(super) fn forget(&mut self, host: HostIndex) {
        self.cases.remove(&host);
    }

    /// When [`Ailments::handle_timeout`] wants to be called next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// The hosts with which something is wrong since now.
    pub(super) fn handle_timeout(&mut self, now: Moment) -> Vec<HostIndex> {
        let mut late = Vec::new();
        while let Some((time, host)) = self.timers.first().copied().filter(|(time, _)| *time <= now.instant) {
            self.timers.remove(&(time, host));
            let Some(case) = self.cases.get_mut(&host) else { continue };
            case.is_timed = false;
            let (Some(since), Some(owed)) = (case.owes_since, case.signs.owed) else { continue };
            let age = now.instant.saturating_duration_since(since);
            if age < PATIENCE {
                case.is_timed = true;
                self.timers.insert((since + PATIENCE, host));
                continue;
            }
            let began = clock::text(Timestamp(now.wall.0.saturating_sub(age.as_secs())));
            case.late = Some(match owed {
                Revision(0) => format!("it is not known yet what it holds, since {began}"),
                owed => format!("it owes revision {owed} since {began}"),
            });
            late.push(host);
        }
        late
    }

    /// What is wrong with a host.
    pub(super) fn of(&self, host: HostIndex) -> Vec<String> {
        self.cases
            .get(&host)
            .map_or_else(Vec::new, |case| case.half.iter().chain(&case.late).cloned().collect())
    }
}

impl Case {
    fn half_connected(&self, wall: Timestamp) -> Option<String> {
        let since = clock::text(wall);
        match (self.signs.ovsdb, self.signs.openflow) {
            (true, false) => Some(match &self.last_end {
                Some(reason) => {
                    format!("its integration bridge is not connected since {since}; last reason: {reason}")
                }
                None => format!(
                    "its integration bridge is not connected since {since}; no connection of it has got through \
                     its handshake"
                ),
            }),
            (false, true) => Some(format!("its ovsdb-server is not connected since {since}")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: u64 = 1_795_220_000;

    fn host() -> HostIndex {
        HostIndex::new(1).unwrap()
    }

    struct Case {
        ailments: Ailments,
        begin: Instant,
    }

    impl Case {
        fn new() -> Case {
            Case { ailments: Ailments::default(), begin: Instant::now() }
        }

        fn at(&self, seconds: u64) -> Moment {
            Moment { instant: self.begin + Duration::from_secs(seconds), wall: Timestamp(WALL + seconds) }
        }

        fn see(&mut self, seconds: u64, (openflow, ovsdb): (bool, bool), owed: Option<u64>) -> Vec<String> {
            let now = self.at(seconds);
            self.ailments.handle_timeout(now);
            self.ailments.observe(host(), Signs { openflow, ovsdb, owed: owed.map(Revision) }, now);
            self.ailments.of(host())
        }

        fn wait(&mut self, seconds: u64) -> Vec<String> {
            let now = self.at(seconds);
            self.ailments.handle_timeout(now);
            self.ailments.of(host())
        }
    }

    const BOTH: (bool, bool) = (true, true);

    #[test]
    fn what_is_owed_for_long_is_shown_until_it_is_confirmed() {
        let mut case = Case::new();
        assert_eq!(case.see(0, BOTH, Some(7)), [""; 0]);
        assert_eq!(case.wait(9), [""; 0]);
        assert_eq!(case.wait(10), ["it owes revision 7 since 2026-11-21T00:13:20Z"]);
        assert_eq!(case.see(20, BOTH, Some(7)), ["it owes revision 7 since 2026-11-21T00:13:20Z"]);
        assert_eq!(case.ailments.poll_timeout(), None, "what is shown needs no timer");
        assert_eq!(case.see(25, BOTH, Some(8)), [""; 0], "it gets on");
        assert_eq!(case.wait(34), [""; 0]);
        assert_eq!(case.wait(36), ["it owes revision 8 since 2026-11-21T00:13:45Z"]);
        assert_eq!(case.see(40, BOTH, None), [""; 0]);
        assert_eq!(case.wait(100), [""; 0]);
        assert_eq!(case.ailments.poll_timeout(), None);
    }

    #[test]
    fn a_switch_that_confirms_again_and_again_needs_one_timer_and_shows_nothing() {
        let mut case = Case::new();
        for second in 0..100 {
            assert_eq!(case.see(second, BOTH, Some(second + 1)), [""; 0]);
            assert!(case.ailments.timers.len() <= 1);
        }
        case.ailments.forget(host());
        assert_eq!(case.wait(200), [""; 0]);
        assert!(case.ailments.timers.is_empty() && case.ailments.cases.is_empty());
    }

    #[test]
    fn half_a_connection_has_a_reason_and_nothing_else_has() {
        let mut case = Case::new();
        let first = case.see(0, (false, true), Some(3));
        assert!(first.len() == 1 && first[0].contains("no connection of it has got through"), "{first:?}");
        assert_eq!(case.wait(100), first, "without a switch only that is wrong");
        assert_eq!(case.see(101, BOTH, None), [""; 0]);
        case.ailments.ended(host(), "the switch is silent");
        let since = "its integration bridge is not connected since 2026-11-21T00:15:02Z";
        assert_eq!(
            case.see(102, (false, true), None),
            [format!("{since}; last reason: the switch is silent")]
        );
        assert_eq!(case.see(103, (false, false), None), [""; 0], "then it is down");
        let other = case.see(104, (true, false), None);
        assert_eq!(other, ["its ovsdb-server is not connected since 2026-11-21T00:15:04Z"]);
    }
}
