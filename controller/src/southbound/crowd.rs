//! How often an idle fleet is probed: the larger it is, the more seldom.
//!
//! A fleet of a thousand that probes every 5 s costs the controller hundreds of answers a second, and while it is busy with
//! something else those that get none in time dial all at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Up to how many hosts a fleet is small, and from how many on it is large.
const SIZES: (u32, u32) = (100, 1_000);

/// How long one waits in a fleet of so many hosts: from the first in a small one to the second in a large one.
pub fn wait(hosts: u32, (small, large): (Duration, Duration)) -> Duration {
    let beyond = hosts.clamp(SIZES.0, SIZES.1) - SIZES.0;
    small + (large - small) * beyond / (SIZES.1 - SIZES.0)
}

/// How many switches are connected.
#[derive(Debug, Clone, Default)]
pub struct Crowd(Arc<AtomicU32>);

impl Crowd {
    /// One more, as long as the place is held.
    pub fn join(&self) -> Place {
        self.0.fetch_add(1, Ordering::Relaxed);
        Place(self.clone())
    }

    /// After how much quiet one of them is probed, if a single one would be after `quiet`. Bridges probe as well, from 5 s
    /// in a small fleet to 30 s in a large one; where ours came sooner, two of three messages of an idle fleet would be ours.
    pub fn stretch(&self, quiet: Duration) -> Duration {
        wait(self.0.load(Ordering::Relaxed), (quiet, 4 * quiet))
    }
}

/// One of a [`Crowd`].
#[derive(Debug)]
pub struct Place(Crowd);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_probed_less_often() {
        let (crowd, quiet) = (Crowd::default(), Duration::from_secs(10));
        let mut places: Vec<Place> = (0..100).map(|_| crowd.join()).collect();
        assert_eq!(crowd.stretch(quiet), quiet);
        places.extend((0..450).map(|_| crowd.join()));
        assert_eq!(crowd.stretch(quiet), Duration::from_secs(25));
        places.extend((0..9000).map(|_| crowd.join()));
        assert_eq!(crowd.stretch(quiet), Duration::from_secs(40));
        drop(places);
        assert_eq!(crowd.stretch(quiet), quiet);
    }
}
