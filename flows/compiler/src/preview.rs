//! What a change would do to the flows of each switch, counted and not sent.
//!
//! Only the owners that impact names are compiled, before and after, and whole scopes for the hosts that begin or stop
//! to need them: the work that the change itself would make.

use std::collections::{BTreeMap, BTreeSet};

use weft_model::{HostIndex, Key, Snapshot};

use crate::compile::{compile, tally_scope};
use crate::diff::order;
use crate::flow::Compiled;
use crate::impact::impact;
use crate::owner::{Owner, Scope};
use crate::subscribe::subscribes;

/// How many flows of a switch are other ones after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowChange {
    /// Flows where there was none.
    pub added: u64,
    /// Flows that do something else than before.
    pub changed: u64,
    /// Flows that are not there any more.
    pub removed: u64,
}

impl FlowChange {
    /// True when all flows stay as they are.
    pub fn is_empty(&self) -> bool {
        *self == FlowChange::default()
    }

    /// Adds what another change does.
    pub fn merge(&mut self, other: FlowChange) {
        self.added += other.added;
        self.changed += other.changed;
        self.removed += other.removed;
    }
}

/// What turning `before` into `after` does to every host's switch, for the hosts of which anything changes, when exactly
/// the records under `touched` differ. Nothing when that means to look at more than `most` owners and scopes.
pub fn preview(
    before: &Snapshot,
    after: &Snapshot,
    touched: &BTreeSet<Key>,
    most: usize,
) -> Option<BTreeMap<HostIndex, FlowChange>> {
    let impact = impact(before, after, touched);
    let moves: BTreeSet<Scope> = impact.began.iter().chain(&impact.ended).map(|(_, scope)| *scope).collect();
    if impact.owners.len() + moves.len() > most {
        return None;
    }
    let mut hosts: BTreeMap<HostIndex, FlowChange> = BTreeMap::new();
    for (scope, change) in by_scope(before, after, &impact.owners) {
        for host in subscribers(scope, after).filter(|host| !impact.began.contains(&(*host, scope))) {
            hosts.entry(host).or_default().merge(change);
        }
    }
    let mut sizes = [before, after].map(|snapshot| (snapshot, BTreeMap::new()));
    for (host, scope) in &impact.ended {
        hosts.entry(*host).or_default().removed += size(*scope, &mut sizes[0]);
    }
    for (host, scope) in &impact.began {
        hosts.entry(*host).or_default().added += size(*scope, &mut sizes[1]);
    }
    hosts.retain(|_, change| !change.is_empty());
    Some(hosts)
}

/// What changes for everyone who has a scope before and after.
fn by_scope(before: &Snapshot, after: &Snapshot, owners: &BTreeSet<Owner>) -> BTreeMap<Scope, FlowChange> {
    let mut scopes: BTreeMap<Scope, FlowChange> = BTreeMap::new();
    for owner in owners {
        let change = between(&compile(*owner, before), &compile(*owner, after));
        if !change.is_empty() {
            scopes.entry(owner.scope()).or_default().merge(change);
        }
    }
    scopes
}

fn between(before: &Compiled, after: &Compiled) -> FlowChange {
    let mut change = FlowChange::default();
    let (mut old, mut new) = (before.flows.iter().peekable(), after.flows.iter().peekable());
    while let Some(order) = order(old.peek().map(|flow| flow.place()), new.peek().map(|flow| flow.place())) {
        let had = old.next_if(|_| order.is_le());
        let wanted = new.next_if(|_| order.is_ge());
        match (had, wanted) {
            (Some(had), Some(wanted)) => change.changed += u64::from(had != wanted),
            (Some(_), None) => change.removed += 1,
            (None, _) => change.added += 1,
        }
    }
    change
}

/// The hosts whose switches have a scope.
fn subscribers(scope: Scope, snapshot: &Snapshot) -> Box<dyn Iterator<Item = HostIndex> + '_> {
    match scope {
        Scope::Host(host) => Box::new(snapshot.host_by_index(host).map(|host| host.index).into_iter()),
        _ => {
            let hosts = snapshot.hosts().map(|host| host.index);
            Box::new(hosts.filter(move |host| subscribes(*host, scope, snapshot)))
        }
    }
}

/// How many flows a scope has.
fn size(scope: Scope, (snapshot, known): &mut (&Snapshot, BTreeMap<Scope, u64>)) -> u64 {
    *known.entry(scope).or_insert_with(|| {
        let mut flows = 0;
        tally_scope(scope, snapshot, |_, tally| flows += u64::from(tally.flows));
        flows
    })
}
