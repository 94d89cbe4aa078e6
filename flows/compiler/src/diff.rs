//! The difference between what an owner had and what it wants now.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::digest::Digest;
use crate::flow::{Compiled, Flow, FlowKey, Group, GroupKind};

/// The largest number of buckets that one message carries: a bucket takes at most 64 bytes and a message 65,535.
pub const MAX_BUCKETS_PER_MESSAGE: usize = 900;

/// What must be sent so that a switch that has the one has the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// Flows to add; one that stands in the same place is replaced and keeps its counters.
    pub add: Vec<Flow>,
    /// Flows to delete, each only if it still has the cookie that its key names.
    pub delete: Vec<FlowKey>,
    /// What happens to groups.
    pub groups: Vec<GroupDelta>,
    /// What the digest of those who have it grows by.
    pub change: Digest,
}

/// What happens to one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupDelta {
    /// Create the group, or replace all that is in it.
    Put(Group),
    /// Add buckets that it does not have.
    Insert {
        /// The group.
        id: u32,
        /// Encoded actions by bucket id.
        buckets: BTreeMap<u32, Bytes>,
    },
    /// Remove buckets that it has.
    Remove {
        /// The group.
        id: u32,
        /// Their ids.
        buckets: BTreeSet<u32>,
    },
    /// Remove the group. Open vSwitch removes flows that still use it along with it.
    Delete {
        /// The group.
        id: u32,
    },
}

impl Delta {
    /// True when nothing must be sent.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.delete.is_empty() && self.groups.is_empty()
    }

    /// How many flows and groups it touches.
    pub fn len(&self) -> usize {
        self.add.len() + self.delete.len() + self.groups.len()
    }
}

/// What turns `before` into `after`. Both are results of [`crate::compile()`] for the same owner, so they are sorted.
pub fn diff(before: &Compiled, after: &Compiled) -> Delta {
    let mut delta = Delta { change: after.digest() - before.digest(), ..Delta::default() };
    diff_flows(&before.flows, &after.flows, &mut delta);
    diff_groups(&before.groups, &after.groups, &mut delta);
    delta
}

fn diff_flows(before: &[Flow], after: &[Flow], delta: &mut Delta) {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match order(old.peek().map(|f| f.place()), new.peek().map(|f| f.place())) {
            None => return,
            Some(Ordering::Less) => delta.delete.extend(old.next().map(Flow::key)),
            Some(Ordering::Greater) => delta.add.extend(new.next().cloned()),
            Some(Ordering::Equal) => {
                let (had, wanted) = (old.next(), new.next());
                delta.add.extend(wanted.filter(|wanted| had != Some(*wanted)).cloned());
            }
        }
    }
}

fn diff_groups(before: &[Group], after: &[Group], delta: &mut Delta) {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match order(old.peek().map(|g| g.id), new.peek().map(|g| g.id)) {
            None => return,
            Some(Ordering::Less) => delta.groups.extend(old.next().map(|g| GroupDelta::Delete { id: g.id })),
            Some(Ordering::Greater) => delta.groups.extend(new.next().cloned().map(GroupDelta::Put)),
            Some(Ordering::Equal) => {
                if let (Some(had), Some(wanted)) = (old.next(), new.next()) {
                    diff_group(had, wanted, &mut delta.groups);
                }
            }
        }
    }
}

/// Buckets that come and go are sent one by one, so that one more member costs one bucket; a bucket that changes
/// under its id (a rare thing) replaces the group, because removing and inserting it would leave a gap. So does any
/// change of a group of few buckets whose order counts.
pub(crate) fn diff_group(had: &Group, wanted: &Group, deltas: &mut Vec<GroupDelta>) {
    let changed = |(id, actions): (&u32, &Bytes)| had.buckets.get(id).is_some_and(|old| old != actions);
    let is_ordered = wanted.kind == GroupKind::FastFailover && had.buckets != wanted.buckets;
    if had.kind != wanted.kind || is_ordered || wanted.buckets.iter().any(changed) {
        deltas.push(GroupDelta::Put(wanted.clone()));
        return;
    }
    let id = wanted.id;
    let missing = wanted.buckets.iter().filter(|(bucket, _)| !had.buckets.contains_key(bucket));
    let buckets: BTreeMap<u32, Bytes> = missing.map(|(bucket, actions)| (*bucket, actions.clone())).collect();
    if !buckets.is_empty() {
        deltas.push(GroupDelta::Insert { id, buckets });
    }
    let surplus = had.buckets.keys().filter(|bucket| !wanted.buckets.contains_key(bucket));
    let buckets: BTreeSet<u32> = surplus.copied().collect();
    if !buckets.is_empty() {
        deltas.push(GroupDelta::Remove { id, buckets });
    }
}

/// Which of two sorted sequences is behind; `None` when both are at their end.
pub(crate) fn order<K: Ord>(old: Option<K>, new: Option<K>) -> Option<Ordering> {
    match (old, new) {
        (None, None) => None,
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some(old), Some(new)) => Some(old.cmp(&new)),
    }
}
