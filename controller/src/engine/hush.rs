//! How often the same is said of the same host in the log: one sick switch must not drown what is said of others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use weft_model::HostIndex;

/// How long after a line the same kind of line of the same host is left out.
const PAUSE: Duration = Duration::from_secs(10);
/// Of how many hosts and kinds it is remembered; beyond that nothing is said.
const MOST: usize = 8192;

/// Kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Connected,
    Disconnected,
    Fault,
    Stranger,
    Refused,
    Drift,
}

/// What was said lately.
#[derive(Debug, Default)]
pub(super) struct Hush {
    said: BTreeMap<(HostIndex, Kind), Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    left_out: u64,
}

impl Hush {
    /// Whether a line may be said now, and if so, how many of its kind were left out before it.
    pub(super) fn admit(&mut self, host: HostIndex, kind: Kind, now: Instant) -> Option<u64> {
        if let Some(said) = self.said.get_mut(&(host, kind)) {
            if now.saturating_duration_since(said.at) < PAUSE {
                said.left_out += 1;
                return None;
            }
            said.at = now;
            return Some(std::mem::take(&mut said.left_out));
        }
        if self.said.len() >= MOST {
            self.said.retain(|_, said| now.saturating_duration_since(said.at) < PAUSE);
        }
        if self.said.len() >= MOST {
            return None;
        }
        self.said.insert((host, kind), Said { at: now, left_out: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u32) -> HostIndex {
        HostIndex::new(n).unwrap()
    }

    #[test]
    fn one_line_of_a_kind_and_a_host_in_ten_seconds_says_how_many_were_left_out() {
        let (mut hush, begin) = (Hush::default(), Instant::now());
        let mut lines = Vec::new();
        for tenth in 0..300 {
            lines.extend(hush.admit(host(1), Kind::Refused, begin + Duration::from_millis(100) * tenth));
        }
        assert_eq!(lines, [0, 99, 99]);
        assert_eq!(hush.admit(host(1), Kind::Drift, begin), Some(0), "another kind");
        assert_eq!(hush.admit(host(2), Kind::Refused, begin), Some(0), "another host");
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let (mut hush, begin) = (Hush::default(), Instant::now());
        for n in 1..=9_000 {
            hush.admit(host(n), Kind::Connected, begin);
        }
        assert_eq!(hush.said.len(), MOST);
        assert_eq!(hush.admit(host(9_000), Kind::Connected, begin), None);
        assert_eq!(hush.admit(host(9_000), Kind::Connected, begin + PAUSE), Some(0));
        assert_eq!(hush.said.len(), 1, "what is past is dropped");
    }
}
