//! How a host's tunnels stand: a few bytes for each that is as it should be, words only for those that are not.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_compiler::{TunnelId, tunnel_ofport};

/// How one tunnel stands in a host's OVSDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TunnelState {
    /// It is not wanted.
    Absent,
    /// It has the number that it should have, and nothing is wrong.
    Right,
    /// Anything else.
    Odd {
        /// The number Open vSwitch gave it; none while it has not.
        ofport: Option<i64>,
        /// What Open vSwitch says is wrong with it.
        error: Option<String>,
    },
}

/// What a session found out about its host's tunnels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TunnelNews {
    /// These are all.
    All(BTreeMap<TunnelId, TunnelState>),
    /// Of these; the others stand as they did.
    Some(BTreeMap<TunnelId, TunnelState>),
}

impl Default for TunnelNews {
    /// No news.
    fn default() -> Self {
        TunnelNews::Some(BTreeMap::new())
    }
}

impl TunnelNews {
    /// Whether it says nothing.
    pub fn is_none(&self) -> bool {
        matches!(self, TunnelNews::Some(states) if states.is_empty())
    }
}

/// The number and the error that Open vSwitch shows for a tunnel that is not right.
type Oddity = (Option<i64>, Option<String>);

/// A host's tunnels as they stand in its OVSDB. Names, peers and addresses follow from the identifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tunnels {
    /// In order.
    right: Arc<Vec<TunnelId>>,
    odd: Arc<BTreeMap<TunnelId, Oddity>>,
}

impl Tunnels {
    /// Takes news in.
    pub fn follow(&mut self, news: TunnelNews) {
        let states = match news {
            TunnelNews::Some(states) => states,
            TunnelNews::All(states) => {
                *self = Tunnels::default();
                let right = states.iter().filter(|(_, state)| **state == TunnelState::Right);
                self.right = Arc::new(right.map(|(id, _)| *id).collect());
                states.into_iter().filter(|(_, state)| matches!(state, TunnelState::Odd { .. })).collect()
            }
        };
        for (id, state) in states {
            match (self.right.binary_search(&id), state == TunnelState::Right) {
                (Ok(at), false) => drop(Arc::make_mut(&mut self.right).remove(at)),
                (Err(at), true) => Arc::make_mut(&mut self.right).insert(at, id),
                _ => {}
            }
            match state {
                TunnelState::Odd { ofport, error } => {
                    Arc::make_mut(&mut self.odd).insert(id, (ofport, error));
                }
                _ if self.odd.contains_key(&id) => drop(Arc::make_mut(&mut self.odd).remove(&id)),
                _ => {}
            }
        }
    }

    /// Each with its number and what is wrong with it, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (TunnelId, Option<i64>, Option<&String>)> {
        let pinned = |id: &TunnelId| tunnel_ofport(id.encap, id.peer).map(i64::from);
        let right = self.right.iter().map(move |id| (*id, pinned(id), None));
        right.chain(self.odd.iter().map(|(id, (ofport, error))| (*id, *ofport, error.as_ref())))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.right.len() + self.odd.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use weft_model::{Encap, HostIndex};

    use super::*;

    #[test]
    fn news_are_followed_one_by_one_and_all_at_once() {
        let id = |peer| TunnelId { encap: Encap::Vxlan, peer: HostIndex::new(peer).unwrap() };
        let odd = |ofport| TunnelState::Odd { ofport, error: None };
        let mut tunnels = Tunnels::default();
        let shown = |tunnels: &Tunnels| {
            let mut list: Vec<_> = tunnels.iter().map(|(id, ofport, _)| (id.peer.get(), ofport)).collect();
            list.sort();
            list
        };
        tunnels.follow(TunnelNews::All([(id(1), TunnelState::Right), (id(2), odd(None))].into()));
        assert_eq!(shown(&tunnels), [(1, Some(33_001)), (2, None)]);
        let next = [(id(1), odd(Some(7))), (id(2), TunnelState::Right), (id(3), TunnelState::Right)];
        tunnels.follow(TunnelNews::Some(next.into()));
        assert_eq!(shown(&tunnels), [(1, Some(7)), (2, Some(33_002)), (3, Some(33_003))]);
        tunnels.follow(TunnelNews::Some([(id(1), TunnelState::Absent), (id(3), TunnelState::Absent)].into()));
        assert_eq!(shown(&tunnels), [(2, Some(33_002))]);
        tunnels.follow(TunnelNews::All(BTreeMap::new()));
        assert!(tunnels.is_empty());
    }
}
