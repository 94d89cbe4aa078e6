//! What the engine wants of one host's OVSDB: a slip between the engine and the host's session. The newest wish wins, and
//! the tunnels to look at pile up by tunnel, so that neither side ever waits for the other.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use weft_compiler::tunnels::TunnelId;
use weft_model::{HostIndex, Revision};

/// How many tunnels may pile up before all of them are to be looked at.
const TUNNELS_MAX: usize = 1024;

/// Which tunnels may differ from what was wanted before. What is wanted of each follows from the newest snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concerned {
    /// Every one.
    All,
    /// These.
    Only(BTreeSet<TunnelId>),
}

impl Concerned {
    /// Adds what else is concerned.
    pub fn add(&mut self, tunnels: impl IntoIterator<Item = TunnelId>) {
        if let Concerned::Only(known) = self {
            known.extend(tunnels);
            if known.len() > TUNNELS_MAX {
                *self = Concerned::All;
            }
        }
    }

    /// Whether there is nothing to look at.
    pub fn is_none(&self) -> bool {
        matches!(self, Concerned::Only(tunnels) if tunnels.is_empty())
    }
}

impl Default for Concerned {
    fn default() -> Self {
        Concerned::Only(BTreeSet::new())
    }
}

/// What a host's OVSDB should follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The host's number.
    pub index: HostIndex,
    /// The revision since which it is wanted.
    pub revision: Revision,
    /// The tunnels that may differ since the last wish was taken.
    pub concerned: Concerned,
}

#[derive(Debug, Default)]
struct Slip {
    newest: Option<Wish>,
    is_news: bool,
    is_over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    slip: Mutex<Slip>,
    bell: Notify,
}

impl Shared {
    fn slip(&self) -> MutexGuard<'_, Slip> {
        self.slip.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slip, nothing written on it: the engine's end and the session's.
pub fn slip() -> (Pen, Slate) {
    let shared = Arc::new(Shared::default());
    (Pen { shared: Arc::clone(&shared) }, Slate { shared })
}

/// The engine's end. Letting go of it tells the session that it is over.
#[derive(Debug)]
pub struct Pen {
    shared: Arc<Shared>,
}

impl Pen {
    /// The host's number and the revision that were last written.
    pub fn newest(&self) -> Option<(HostIndex, Revision)> {
        self.shared.slip().newest.as_ref().map(|wish| (wish.index, wish.revision))
    }

    /// Wants all tunnels looked at.
    pub fn want_all(&self, index: HostIndex, revision: Revision) {
        self.write(|_| Wish { index, revision, concerned: Concerned::All });
    }

    /// Wants these tunnels looked at; all of them if the host has another number by now.
    pub fn want(&self, index: HostIndex, revision: Revision, tunnels: impl IntoIterator<Item = TunnelId>) {
        self.write(|had| {
            let mut concerned = match had {
                Some(wish) if wish.index == index => wish.concerned,
                _ => Concerned::All,
            };
            concerned.add(tunnels);
            Wish { index, revision, concerned }
        });
    }

    fn write(&self, wish: impl FnOnce(Option<Wish>) -> Wish) {
        let mut slip = self.shared.slip();
        let had = slip.newest.take();
        (slip.newest, slip.is_news) = (Some(wish(had)), true);
        drop(slip);
        self.shared.bell.notify_one();
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.shared.slip().is_over = true;
        self.shared.bell.notify_one();
    }
}

/// The session's end.
#[derive(Debug)]
pub struct Slate {
    shared: Arc<Shared>,
}

/// The engine has let go of the session: the host was forgotten, or another session has its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has let go of the session")]
pub struct Over;

impl Slate {
    /// Waits until there is a wish that was not taken. Dropping the wait loses nothing.
    ///
    /// # Errors
    /// [`Over`] once the engine has let go.
    pub async fn changed(&self) -> Result<(), Over> {
        loop {
            match self.look() {
                (true, _) => return Err(Over),
                (_, true) => return Ok(()),
                _ => self.shared.bell.notified().await,
            }
        }
    }

    fn look(&self) -> (bool, bool) {
        let slip = self.shared.slip();
        (slip.is_over, slip.is_news)
    }

    /// Takes the newest wish, with all tunnels that are concerned since the last time.
    pub fn take(&self) -> Option<Wish> {
        let mut slip = self.shared.slip();
        if !std::mem::take(&mut slip.is_news) {
            return None;
        }
        let wish = slip.newest.as_mut()?;
        let concerned = std::mem::take(&mut wish.concerned);
        Some(Wish { concerned, ..wish.clone() })
    }
}

#[cfg(test)]
mod tests {
    use weft_model::Encap;

    use super::*;

    fn tunnel(peer: u32) -> TunnelId {
        TunnelId { encap: Encap::Vxlan, peer: HostIndex::new(peer).unwrap() }
    }

    fn only(peers: &[u32]) -> Concerned {
        Concerned::Only(peers.iter().map(|peer| tunnel(*peer)).collect())
    }

    #[tokio::test]
    async fn wishes_pile_up_by_tunnel_and_the_newest_revision_counts() {
        let (pen, slate) = slip();
        let index = HostIndex::MIN;
        assert_eq!(slate.take(), None);
        pen.want_all(index, Revision(1));
        slate.changed().await.unwrap();
        assert_eq!(slate.take().unwrap().concerned, Concerned::All);
        assert_eq!(slate.take(), None, "it was taken");
        pen.want(index, Revision(2), [tunnel(7), tunnel(8)]);
        pen.want(index, Revision(3), [tunnel(8)]);
        let wish = slate.take().unwrap();
        assert_eq!((wish.revision, wish.concerned), (Revision(3), only(&[7, 8])));
        pen.want(HostIndex::MAX, Revision(4), [tunnel(8)]);
        assert_eq!(slate.take().unwrap().concerned, Concerned::All, "another number, other tunnels");
        pen.want(HostIndex::MAX, Revision(5), (1..=2000).map(tunnel));
        assert_eq!(slate.take().unwrap().concerned, Concerned::All, "bounded");
        drop(pen);
        assert_eq!(slate.changed().await, Err(Over));
    }
}
