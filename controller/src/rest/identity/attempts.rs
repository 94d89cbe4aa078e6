//! Logins that failed: whoever guesses passwords is held back, by user name and address and by address alone, and without
//! remembering more than there is room for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many guesses at one user from one address, before the next has to wait.
const FOR_USER: u32 = 10;
/// How many guesses from one address.
const FROM_ADDRESS: u32 = 100;
/// After how long the count begins again.
const WINDOW: Duration = Duration::from_secs(300);
/// How many pairs of user and address are remembered.
const REMEMBERED: usize = 8192;

/// What is counted: guesses from an address, at one user or at any.
type Place = (IpAddr, Option<String>);

/// Failed logins; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts(Arc<Mutex<HashMap<Place, Failed>>>);

#[derive(Debug, Clone, Copy)]
struct Failed {
    count: u32,
    since: Instant,
}

impl Attempts {
    /// How long whoever wants to log in has to wait first, if at all.
    pub(super) fn wait(&self, user: &str, address: IpAddr, now: Instant) -> Option<Duration> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = places(user, address).into_iter().filter_map(|(place, most)| {
            let failed = table.get(&place).filter(|failed| failed.count >= most)?;
            (failed.since + WINDOW).checked_duration_since(now).filter(|wait| !wait.is_zero())
        });
        waits.max()
    }

    /// Notes a login that failed.
    pub(super) fn failed(&self, user: &str, address: IpAddr, now: Instant) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, _) in places(user, address) {
            make_room(&mut table, now);
            let failed = table.entry(place).or_insert(Failed { count: 0, since: now });
            if now.duration_since(failed.since) >= WINDOW {
                *failed = Failed { count: 0, since: now };
            }
            failed.count = failed.count.saturating_add(1);
        }
    }

    /// Forgets the failures of a user who could log in. Those of the address stay: else whoever knows one password could guess
    /// others for ever.
    pub(super) fn succeeded(&self, user: &str, address: IpAddr) {
        let [(place, _), _] = places(user, address);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&place);
    }
}

/// The two counts that a login concerns, with their limits. An IPv6 site has as many addresses as it likes, so its prefix
/// counts.
fn places(user: &str, address: IpAddr) -> [(Place, u32); 2] {
    let address = match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
        v4 => v4,
    };
    let user: String = user.chars().take(255).collect();
    [((address, Some(user)), FOR_USER), ((address, None), FROM_ADDRESS)]
}

/// Makes room for one more: what is over goes first, else what is oldest.
fn make_room(table: &mut HashMap<Place, Failed>, now: Instant) {
    if table.len() < REMEMBERED {
        return;
    }
    table.retain(|_, failed| now.duration_since(failed.since) < WINDOW);
    if table.len() >= REMEMBERED
        && let Some(oldest) =
            table.iter().min_by_key(|(_, failed)| failed.since).map(|(place, _)| place.clone())
    {
        table.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn guesses_are_held_back_by_user_and_address() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..FOR_USER {
            assert_eq!(attempts.wait("ann", HERE, now), None);
            attempts.failed("ann", HERE, now);
        }
        assert_eq!(attempts.wait("ann", HERE, now + Duration::from_secs(1)), Some(Duration::from_secs(299)));
        assert_eq!(attempts.wait("bob", HERE, now), None, "another user");
        assert_eq!(attempts.wait("ann", IpAddr::from([192, 0, 2, 2]), now), None, "from elsewhere");
        assert_eq!(attempts.wait("ann", HERE, now + WINDOW), None, "later");
        attempts.failed("ann", HERE, now + WINDOW);
        assert_eq!(attempts.wait("ann", HERE, now + WINDOW), None, "and counted from the beginning");
        for _ in 0..FOR_USER {
            attempts.failed("ann", HERE, now + WINDOW);
        }
        attempts.succeeded("ann", HERE);
        assert_eq!(attempts.wait("ann", HERE, now + WINDOW), None, "who knows the password is forgiven");
    }

    #[test]
    fn many_users_from_one_address_count_together_and_so_does_a_prefix() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..FROM_ADDRESS {
            attempts.failed(&format!("user{number}"), HERE, now);
        }
        assert!(attempts.wait("somebody", HERE, now).is_some());
        let site = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        for last in 0..10 {
            attempts.failed("ann", site(last), now);
        }
        assert!(attempts.wait("ann", site(99), now).is_some());
        assert_eq!(attempts.wait("ann", IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]), now), None);
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let (attempts, begin) = (Attempts::default(), Instant::now());
        for number in 0..2 * REMEMBERED as u32 {
            let now = begin + Duration::from_micros(number.into());
            attempts.failed("ann", IpAddr::from(number.to_be_bytes()), now);
        }
        assert!(attempts.0.lock().expect("fine").len() <= REMEMBERED + 1);
    }
}
