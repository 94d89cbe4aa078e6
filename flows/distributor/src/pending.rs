//! What was committed and is not distributed yet: dirty owners by scope, and whose turn is next.
//!
//! Work is taken in slices, in turns between tenants, so that one tenant's storm delays another's change by no more than
//! a few slices. Every dirty owner keeps the snapshot that switches were last sent it from, so whatever is committed
//! meanwhile, a slice is the step from there to the newest state. Snapshots are persistent: keeping one costs what
//! changed since.
//!
//! A scope that is taken whole is sent as exact differences. One that is taken in several slices is *rewritten*: all
//! wanted flows of its owners are added again. Between two slices one owner may already have replaced a flow of another
//! that moves away only in a later slice; if the first then moves back, the second did not change and its difference
//! would be empty, although its flow is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use weft_compiler::{Owner, Scope};
use weft_model::{HostIndex, Revision, Snapshot, TenantId};

/// Between whom turns are taken: tenants, and what belongs to none.
pub type Class = Option<TenantId>;

/// Everything that waits.
#[derive(Debug, Default)]
pub struct Pending {
    dirty: BTreeMap<Scope, Dirty>,
    by_age: BTreeSet<(Revision, Scope)>,
    queues: BTreeMap<Class, VecDeque<Scope>>,
    turns: VecDeque<Class>,
}

/// What changed in one scope.
#[derive(Debug)]
struct Dirty {
    /// The oldest revision of which something waits.
    since: Revision,
    /// Each owner with the snapshot that switches have it from.
    owners: BTreeMap<Owner, Arc<Snapshot>>,
    /// Hosts that may have joined or left.
    members: BTreeSet<HostIndex>,
    /// Some of it was taken already.
    is_split: bool,
    /// In whose queues it stands.
    classes: Vec<Class>,
}

/// A commit, as far as it matters for what waits.
#[derive(Debug, Clone, Copy)]
pub struct Mark<'a> {
    /// The state before it.
    pub base: &'a Arc<Snapshot>,
    /// The first revision in it.
    pub since: Revision,
    /// Whose turn it takes.
    pub class: &'a Class,
}

/// A piece of work.
#[derive(Debug)]
pub struct Slice {
    /// Where it belongs.
    pub scope: Scope,
    /// The oldest revision in it.
    pub since: Revision,
    /// Owners with the snapshot that switches have them from.
    pub owners: Vec<(Owner, Arc<Snapshot>)>,
    /// Add all that is wanted, not only what differs.
    pub is_rewrite: bool,
    /// Hosts that may have joined or left; only with the scope's last slice.
    pub members: BTreeSet<HostIndex>,
}

impl Pending {
    /// Notes that an owner changed.
    pub fn mark(&mut self, owner: Owner, mark: Mark<'_>) {
        let dirty = self.enter(owner.scope(), mark);
        dirty.owners.entry(owner).or_insert_with(|| mark.base.clone());
    }

    /// Notes that a host may have joined or left a scope.
    pub fn mark_member(&mut self, scope: Scope, host: HostIndex, mark: Mark<'_>) {
        self.enter(scope, mark).members.insert(host);
    }

    fn enter(&mut self, scope: Scope, mark: Mark<'_>) -> &mut Dirty {
        let Pending { dirty, by_age, queues, turns } = self;
        let dirty = dirty.entry(scope).or_insert_with(|| {
            by_age.insert((mark.since, scope));
            let (owners, members, classes) = Default::default();
            Dirty { since: mark.since, owners, members, is_split: false, classes }
        });
        if !dirty.classes.contains(mark.class) {
            dirty.classes.push(mark.class.clone());
            let queue = queues.entry(mark.class.clone()).or_default();
            if queue.is_empty() {
                turns.push_back(mark.class.clone());
            }
            queue.push_back(scope);
        }
        dirty
    }

    /// The next piece of work, of about `most` owners, from the tenant whose turn it is.
    pub fn next(&mut self, most: usize) -> Option<Slice> {
        loop {
            let class = self.turns.pop_front()?;
            let Some(queue) = self.queues.get_mut(&class) else { continue };
            let scope = queue.pop_front();
            let slice = scope.and_then(|scope| self.take(scope, most));
            let queue = self.queues.entry(class.clone()).or_default();
            if let Some(slice) = slice.as_ref().filter(|slice| self.dirty.contains_key(&slice.scope)) {
                // There is more of it.
                queue.push_front(slice.scope);
            }
            if queue.is_empty() {
                self.queues.remove(&class);
            } else {
                self.turns.push_back(class);
            }
            if slice.is_some() {
                return slice;
            }
        }
    }

    /// About `most` owners of one scope, out of turn.
    pub fn take(&mut self, scope: Scope, most: usize) -> Option<Slice> {
        let dirty = self.dirty.get_mut(&scope)?;
        let since = dirty.since;
        if dirty.owners.len() > most && matches!(scope, Scope::Network(_)) {
            dirty.is_split = true;
            let owners = dirty.first(most);
            if !dirty.owners.is_empty() {
                return Some(Slice { scope, since, owners, is_rewrite: true, members: BTreeSet::new() });
            }
            return self.last(scope, owners);
        }
        let owners = std::mem::take(&mut dirty.owners).into_iter().collect();
        self.last(scope, owners)
    }

    fn last(&mut self, scope: Scope, owners: Vec<(Owner, Arc<Snapshot>)>) -> Option<Slice> {
        let Dirty { since, is_split, members, .. } = self.dirty.remove(&scope)?;
        self.by_age.remove(&(since, scope));
        Some(Slice { scope, since, owners, is_rewrite: is_split, members })
    }

    /// The snapshot that switches have a dirty owner from.
    pub fn base(&self, owner: Owner) -> Option<&Arc<Snapshot>> {
        self.dirty.get(&owner.scope())?.owners.get(&owner)
    }

    /// The oldest revision of which something waits.
    pub fn oldest(&self) -> Option<Revision> {
        self.by_age.first().map(|(since, _)| *since)
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.dirty.is_empty()
    }
}

impl Dirty {
    /// Takes all that is not a port, because flows of one such owner may use groups of another, and ports up to `most`.
    fn first(&mut self, most: usize) -> Vec<(Owner, Arc<Snapshot>)> {
        let mut room = most;
        let mut chosen = Vec::new();
        for owner in self.owners.keys() {
            if !matches!(owner, Owner::Port(..)) {
                chosen.push(*owner);
            } else if room > 0 {
                room -= 1;
                chosen.push(*owner);
            }
        }
        chosen.into_iter().filter_map(|owner| Some((owner, self.owners.remove(&owner)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weft_model::{PortKey, Vni};

    fn vni(n: u32) -> Vni {
        Vni::new(n).unwrap()
    }

    fn port(network: u32, key: u32) -> Owner {
        Owner::Port(vni(network), PortKey::new(key).unwrap())
    }

    #[test]
    fn one_tenants_storm_does_not_delay_another_tenants_change() {
        let base = Arc::new(Snapshot::new());
        let mut pending = Pending::default();
        let (red, blue): (Class, Class) = (Some("red".parse().unwrap()), Some("blue".parse().unwrap()));
        let red = Mark { base: &base, since: Revision(1), class: &red };
        for n in 1..=10_000 {
            pending.mark(port(1 + n % 50, n), red);
        }
        let blue = Mark { base: &base, since: Revision(2), class: &blue };
        pending.mark(port(100, 1), blue);
        let before =
            std::iter::from_fn(|| pending.next(64)).take_while(|slice| slice.scope != port(100, 1).scope());
        let (slices, owners) = before.fold((0, 0), |(n, sum), slice| (n + 1, sum + slice.owners.len()));
        assert!(slices <= 1 && owners <= 64, "{slices} slices with {owners} owners went before it");
        assert_eq!(pending.oldest(), Some(Revision(1)), "what waits is not distributed");
        let rest: usize = std::iter::from_fn(|| pending.next(64)).map(|slice| slice.owners.len()).sum();
        assert_eq!((rest + owners, pending.is_empty(), pending.oldest()), (10_000, true, None));
    }

    #[test]
    fn an_owner_keeps_the_snapshot_that_switches_have_it_from() {
        let (old, new) = (Arc::new(Snapshot::new()), Arc::new(Snapshot::new()));
        let mut pending = Pending::default();
        pending.mark(port(1, 1), Mark { base: &old, since: Revision(1), class: &None });
        pending.mark(port(1, 1), Mark { base: &new, since: Revision(2), class: &None });
        assert!(Arc::ptr_eq(pending.base(port(1, 1)).unwrap(), &old));
        let slice = pending.next(10).unwrap();
        assert!(Arc::ptr_eq(&slice.owners[0].1, &old));
        assert_eq!((slice.since, slice.is_rewrite, pending.next(10).is_none()), (Revision(1), false, true));
    }

    #[test]
    fn what_is_taken_in_slices_is_rewritten_and_membership_comes_last() {
        let base = Arc::new(Snapshot::new());
        let mark = Mark { base: &base, since: Revision(1), class: &None };
        let mut pending = Pending::default();
        (1..=5).for_each(|n| pending.mark(port(1, n), mark));
        pending.mark(Owner::Network(vni(1)), mark);
        let host = HostIndex::new(1).unwrap();
        pending.mark_member(Scope::Network(vni(1)), host, mark);
        let slices = Vec::from_iter(std::iter::from_fn(|| pending.next(2)));
        let seen = Vec::from_iter(slices.iter().map(|s| (s.owners.len(), s.is_rewrite, s.members.len())));
        assert_eq!(seen, [(3, true, 0), (2, true, 0), (1, true, 1)]);
    }
}
