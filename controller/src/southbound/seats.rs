//! Who speaks for which host: one session at a time. A second one with the same `system-id` is let in only when the first
//! no longer answers, so that two hosts that were given one name do not take turns for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use weft_model::HostId;

/// How long a session has to show that it is alive when another one wants its seat.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// All seats.
#[derive(Debug, Clone, Default)]
pub struct Seats {
    taken: Arc<Mutex<BTreeMap<HostId, Bells>>>,
}

/// How a newcomer and the one who sits reach each other.
#[derive(Debug, Clone)]
struct Bells {
    /// Who asks, and how many have.
    asked: Arc<watch::Sender<(u64, String)>>,
    /// How many were answered.
    answered: watch::Receiver<u64>,
}

/// The right to speak for a host, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    host: HostId,
    seats: Seats,
    asked: watch::Receiver<(u64, String)>,
    answered: watch::Sender<u64>,
}

impl Seats {
    /// Takes a host's seat. `who` is told to the session that has it, if one has. None if that one is alive.
    pub async fn take(&self, host: &HostId, who: &str) -> Option<Seat> {
        loop {
            let mut bells = match self.sit_down(host) {
                Ok(seat) => return Some(seat),
                Err(bells) => bells,
            };
            bells.asked.send_modify(|(count, asker)| {
                *count += 1;
                who.clone_into(asker);
            });
            bells.answered.mark_unchanged();
            // A little more than the other one's patience with its host.
            match tokio::time::timeout(PATIENCE * 2, bells.answered.changed()).await {
                // Its seat is free, or somebody else's by now.
                Ok(Err(_)) => {}
                Ok(Ok(())) | Err(_) => return None,
            }
        }
    }

    /// Whether a session speaks for this host.
    pub fn is_taken(&self, host: &HostId) -> bool {
        self.taken().contains_key(host)
    }

    fn sit_down(&self, host: &HostId) -> Result<Seat, Bells> {
        let mut taken = self.taken();
        if let Some(bells) = taken.get(host) {
            return Err(bells.clone());
        }
        let (asked_pen, asked) = watch::channel((0, String::new()));
        let (answered, answered_end) = watch::channel(0);
        taken.insert(host.clone(), Bells { asked: Arc::new(asked_pen), answered: answered_end });
        Ok(Seat { host: host.clone(), seats: self.clone(), asked, answered })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<HostId, Bells>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The host that it is for.
    pub fn host(&self) -> &HostId {
        &self.host
    }

    /// Waits until another session wants the seat, and says which.
    pub async fn asked(&mut self) -> String {
        match self.asked.changed().await {
            Ok(()) => self.asked.borrow_and_update().1.clone(),
            // Nobody can ask any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// Tells whoever asked that the host of this session is alive.
    pub fn stay(&self) {
        self.answered.send_modify(|count| *count += 1);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().remove(&self.host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_seat_is_kept_by_who_answers_and_lost_by_who_goes() {
        let (seats, host): (Seats, HostId) = (Seats::default(), "h1".parse().unwrap());
        let mut first = seats.take(&host, "a").await.unwrap();
        assert!(seats.take(&"h2".parse().unwrap(), "b").await.is_some(), "another host's");
        let (second, asker) = tokio::join!(seats.take(&host, "b"), async {
            let asker = first.asked().await;
            first.stay();
            asker
        });
        assert_eq!((second.is_none(), asker.as_str()), (true, "b"));
        let (third, ()) = tokio::join!(seats.take(&host, "d"), async {
            first.asked().await;
            drop(first);
        });
        assert!(third.is_some());
    }
}
