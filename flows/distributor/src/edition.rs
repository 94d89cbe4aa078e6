//! What is kept of a scope: how much it wants and a digest of that, never the flows themselves.
//!
//! Compiling is pure, so what a scope wanted before a change is compiled again from the snapshot before it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use weft_compiler::{Compiled, Delta, GroupDelta, Scope, Tally, diff, tally_scope};
use weft_model::{HostIndex, Snapshot};

use crate::late::{LateGroup, LateId};

/// Every scope that somebody has.
#[derive(Debug, Default)]
pub struct Scopes(BTreeMap<Scope, Subscribed>);

/// One scope with everyone who has it.
#[derive(Debug, Default)]
pub struct Subscribed {
    /// The hosts that have it, connected or not.
    pub hosts: BTreeSet<HostIndex>,
    /// What it wants; `None` until somebody connected needs it.
    pub edition: Option<Edition>,
}

/// What a scope wants, as its subscribers were told.
#[derive(Debug, Default)]
pub struct Edition {
    /// How much it is, and the digest of it.
    pub tally: Tally,
    /// When the digest was last held against compiling from scratch.
    pub checked: Option<Instant>,
    /// Switches that could not take a change.
    pub late: BTreeMap<LateId, LateGroup>,
}

impl Scopes {
    /// A scope, if anybody has it.
    pub fn get(&self, scope: Scope) -> Option<&Subscribed> {
        self.0.get(&scope)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, scope: Scope) -> Option<&mut Subscribed> {
        self.0.get_mut(&scope)
    }

    /// A scope that somebody has from now on.
    pub fn enter(&mut self, scope: Scope) -> &mut Subscribed {
        self.0.entry(scope).or_default()
    }

    /// Nobody has a scope any more.
    pub fn remove(&mut self, scope: Scope) {
        self.0.remove(&scope);
    }

    /// What a scope wants, if that is known.
    pub fn edition(&self, scope: Scope) -> Option<&Edition> {
        self.get(scope)?.edition.as_ref()
    }

    /// The same, to be changed.
    pub fn edition_mut(&mut self, scope: Scope) -> Option<&mut Edition> {
        self.get_mut(scope)?.edition.as_mut()
    }
}

/// Adds up what a scope wants; says of how many owners.
pub fn count(scope: Scope, snapshot: &Snapshot) -> (Tally, u64) {
    let (mut tally, mut owners) = (Tally::default(), 0);
    tally_scope(scope, snapshot, |_, its| {
        tally.merge(its);
        owners += 1;
    });
    (tally, owners)
}

/// `tally` without `before` and with `after`.
pub fn moved(tally: Tally, before: &Compiled, after: &Compiled) -> Tally {
    let (before, after) = (before.tally(), after.tally());
    Tally {
        digest: tally.digest + after.digest - before.digest,
        flows: (tally.flows + after.flows).saturating_sub(before.flows),
        groups: (tally.groups + after.groups).saturating_sub(before.groups),
    }
}

/// As [`diff`], but all flows that are wanted are added, whether they differ or not.
pub fn rewrite(before: &Compiled, after: &Compiled) -> Delta {
    if before.is_empty() {
        return diff(before, after);
    }
    let mut delta = diff(before, after);
    delta.add = after.flows.clone();
    delta
}

/// What takes all of it away.
pub fn removal(had: &Compiled) -> Delta {
    let flows = had.flows.iter().map(weft_compiler::Flow::key).collect();
    let groups = had.groups.iter().map(|group| GroupDelta::Delete { id: group.id }).collect();
    Delta { delete: flows, groups, ..Delta::default() }
}
