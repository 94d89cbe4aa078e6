//! How many requests are answered: of a caller, and of an address before anyone knows who calls.
//!
//! Each has a bucket that fills at the rate and holds some requests at once. All that is kept of a bucket is the moment at
//! which it is full again (the generic cell rate algorithm), so one that is full needs no entry, and the table is bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use weft_model::TokenId;

use super::failure::Failure;

/// The most buckets of one kind that are kept. Whoever comes when there is no room shares one with all the others.
const BUCKETS: usize = 16_384;
/// How often at most a full table is searched for buckets that are full again.
const SWEEP: Duration = Duration::from_secs(1);

/// How many requests a second are answered, of each; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Of the holder of one token; twice as many at once.
    pub caller: u32,
    /// Of one address, before anyone looks for a token; twice as many at once.
    pub address: u32,
    /// Of one address, as long as they come without a valid token; ten times as many at once.
    pub refused: u32,
}

impl Default for Rates {
    /// Nobody is held up but those who guess.
    fn default() -> Rates {
        Rates { caller: 0, address: 0, refused: 10 }
    }
}

/// All limits of the API.
#[derive(Debug)]
pub(super) struct Limits {
    callers: Limit<TokenId>,
    addresses: Limit<IpAddr>,
    refused: Limit<IpAddr>,
}

impl Limits {
    pub(super) fn new(rates: Rates) -> Limits {
        Limits {
            callers: Limit::new(rates.caller, 2),
            addresses: Limit::new(rates.address, 2),
            refused: Limit::new(rates.refused, 10),
        }
    }

    /// Why a request is not even looked at.
    pub(super) fn before_any(&self, address: IpAddr, now: Instant) -> Option<Failure> {
        let site = site(address);
        let wait = self.refused.wait(&site, now).or_else(|| self.addresses.take(site, now));
        wait.map(Failure::too_many)
    }

    /// Notes that a request came without a valid token.
    pub(super) fn refused(&self, address: IpAddr, now: Instant) {
        self.refused.take(site(address), now);
    }

    /// Why a request of somebody known is not answered.
    pub(super) fn of_caller(&self, caller: TokenId, now: Instant) -> Option<Failure> {
        self.callers.take(caller, now).map(Failure::too_many)
    }
}

/// Who is held to be one: an IPv4 address, or an IPv6 network of the size that a single site gets.
fn site(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// One limit, and who is how near to it.
#[derive(Debug)]
struct Limit<K> {
    /// What one request takes; none for no limit.
    each: Option<Duration>,
    /// What a full bucket holds.
    burst: Duration,
    buckets: Mutex<Buckets<K>>,
}

/// When buckets are full again.
#[derive(Debug)]
struct Buckets<K> {
    full: HashMap<K, Instant>,
    /// The bucket of those for whom there was no room.
    others: Option<Instant>,
    swept: Option<Instant>,
}

impl<K: Eq + Hash> Limit<K> {
    fn new(rate: u32, seconds: u32) -> Limit<K> {
        let each = (rate > 0).then(|| Duration::from_secs(1) / rate);
        let burst = each.unwrap_or_default() * rate * seconds;
        let buckets = Buckets { full: HashMap::new(), others: None, swept: None };
        Limit { each, burst, buckets: Mutex::new(buckets) }
    }

    /// Takes one request out of a bucket; says how long to wait if it is empty.
    fn take(&self, who: K, now: Instant) -> Option<Duration> {
        let each = self.each?;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = buckets.of(who, now);
        let (after, wait) = self.one_more(*full, each, now);
        if wait.is_none() {
            *full = after;
        }
        wait
    }

    /// How long to wait until there is something in a bucket; takes nothing.
    fn wait(&self, who: &K, now: Instant) -> Option<Duration> {
        let each = self.each?;
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        self.one_more(*buckets.full.get(who)?, each, now).1
    }

    /// When a bucket is full again after one more request, and how long that one has to wait, if it has to.
    fn one_more(&self, full: Instant, each: Duration, now: Instant) -> (Instant, Option<Duration>) {
        let after = full.max(now) + each;
        let wait = after.saturating_duration_since(now).checked_sub(self.burst);
        (after, wait.filter(|wait| !wait.is_zero()))
    }
}

impl<K: Eq + Hash> Buckets<K> {
    fn of(&mut self, who: K, now: Instant) -> &mut Instant {
        if self.full.len() >= BUCKETS && !self.full.contains_key(&who) {
            if self.swept.is_none_or(|swept| now >= swept + SWEEP) {
                self.full.retain(|_, full| *full > now);
                self.swept = Some(now);
            }
            if self.full.len() >= BUCKETS {
                return self.others.get_or_insert(now);
            }
        }
        self.full.entry(who).or_insert(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_some_at_once_and_fills_at_the_rate() {
        let (limit, start) = (Limit::new(10, 2), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let taken = (0..100).filter(|_| limit.take("a", start).is_none()).count();
        assert_eq!(taken, 20);
        assert_eq!(limit.take("a", start), Some(Duration::from_millis(100)));
        assert_eq!(limit.take("b", start), None, "another's bucket");
        assert_eq!((limit.wait(&"a", at(99)).is_some(), limit.wait(&"a", at(100))), (true, None));
        assert_eq!((0..9).filter(|_| limit.take("a", at(500)).is_none()).count(), 5);
        assert_eq!(
            (0..99).filter(|_| limit.take("a", at(60_000)).is_none()).count(),
            20,
            "no more than full"
        );
        let none = Limit::new(0, 2);
        assert!((0..1000).all(|_| none.take("a", start).is_none()));
    }

    #[test]
    fn the_table_is_bounded_and_forgets_only_who_need_not_be_known() {
        let (limit, start) = (Limit::new(1, 2), Instant::now());
        for who in 0..BUCKETS {
            assert_eq!(limit.take(who, start), None);
        }
        // No room: all who come now share one bucket.
        let taken = (BUCKETS..BUCKETS + 100).filter(|who| limit.take(*who, start).is_none()).count();
        assert_eq!((taken, limit.buckets.lock().unwrap().full.len()), (2, BUCKETS));
        let later = start + Duration::from_secs(2);
        assert_eq!(limit.take(BUCKETS, later), None);
        assert_eq!(limit.buckets.lock().unwrap().full.len(), 1);
    }

    #[test]
    fn a_site_is_one_whatever_addresses_it_takes() {
        let site = |text: &str| site(text.parse().unwrap()).to_string();
        assert_eq!(site("192.0.2.7"), "192.0.2.7");
        assert_eq!(
            (site("2001:db8::1:2:3:4"), site("2001:db8::9")),
            ("2001:db8::".into(), "2001:db8::".into())
        );
    }
}
