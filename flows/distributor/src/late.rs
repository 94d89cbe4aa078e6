//! Switches that could not take a change: what they have missed, shared by all that missed the same.
//!
//! A group holds the owners that changed since its switches were last sent something of the scope, each with the snapshot
//! that they have it from. Whatever changes further only adds owners, so a storm of changes of one port costs one entry,
//! and when a switch has room again it is sent what takes it from there to the newest state: encoded once per group.
//!
//! All wanted flows of these owners are sent, not only the difference: see [`crate::pending`] for the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weft_compiler::{Delta, Owner, Scope, compile};
use weft_model::{HostIndex, Revision, Snapshot};

use crate::edition::rewrite;
use crate::ledger::Distributor;
use crate::parcel::{Parcel, ParcelSize};
use crate::switch::Load;

/// How many groups one scope may have; the switches of the oldest are read back instead.
const GROUPS: usize = 8;
/// How many owners one group may miss, likewise.
const OWNERS: usize = 16_384;
/// For how many revisions a snapshot is kept for a group, likewise: it costs what changed since.
const REVISIONS: u64 = 100_000;

/// A group of late switches; later ones have larger ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LateId(pub u64);

/// Switches that are late with a scope in the same way.
#[derive(Debug)]
pub struct LateGroup {
    /// The first revision that they missed.
    pub since: Revision,
    /// What they missed, with the snapshot that they have it from.
    pub owners: BTreeMap<Owner, Arc<Snapshot>>,
    /// Who they are.
    pub hosts: BTreeSet<HostIndex>,
    /// What brings them up to date, as of the last change.
    parcels: Option<Vec<Arc<Parcel>>>,
}

/// What late switches miss.
#[derive(Debug, Clone, Copy)]
pub struct Missed<'a> {
    /// Of which scope.
    pub scope: Scope,
    /// The first revision in it.
    pub since: Revision,
    /// The owners with the snapshot that everybody had them from.
    pub owners: &'a [(Owner, Arc<Snapshot>)],
}

impl LateGroup {
    fn miss(&mut self, owners: &[(Owner, Arc<Snapshot>)]) {
        self.parcels = None;
        for (owner, base) in owners {
            self.owners.entry(*owner).or_insert_with(|| base.clone());
        }
    }
}

impl Distributor {
    /// Notes a change for all groups of its scope, and that `hosts` have had no room for it.
    pub(crate) fn miss(&mut self, missed: Missed<'_>, hosts: BTreeSet<HostIndex>) {
        let Missed { scope, since, owners } = missed;
        let newest = self.snapshot.revision();
        let Some(edition) = self.scopes.edition_mut(scope) else { return };
        edition.late.values_mut().for_each(|group| group.miss(owners));
        if !hosts.is_empty() {
            self.next_late = LateId(self.next_late.0 + 1);
            for host in &hosts {
                if let Some(switch) = self.switches.get_mut(*host) {
                    switch.set_late(scope, self.next_late, since);
                }
            }
            let owners = owners.iter().cloned().collect();
            edition.late.insert(self.next_late, LateGroup { since, owners, hosts, parcels: None });
        }
        let excess = edition.late.len().saturating_sub(GROUPS);
        let too_late = |(at, group): (usize, &LateGroup)| {
            at < excess || group.owners.len() > OWNERS || newest.0 - group.since.0.min(newest.0) > REVISIONS
        };
        let given_up = edition.late.values().enumerate().filter(|(at, group)| too_late((*at, group)));
        let given_up: Vec<HostIndex> = given_up.flat_map(|(_, group)| group.hosts.iter().copied()).collect();
        for host in given_up {
            if let Some(switch) = self.switches.get_mut(host) {
                switch.read_again();
            }
            self.note_left(host);
            self.attend(host);
        }
    }

    /// A switch has room again: gives it what it missed of a scope.
    pub(crate) fn catch_up(&mut self, host: HostIndex, scope: Scope, id: LateId) {
        let parcels = self.missed_parcels(scope, id);
        let Some(switch) = self.switches.get_mut(host) else { return };
        self.work.parcels_queued += parcels.len() as u64;
        switch.catch_up(scope, &parcels);
        self.leave_group(host, scope, id);
    }

    /// What brings a group up to date; encoded when the first of it asks.
    fn missed_parcels(&mut self, scope: Scope, id: LateId) -> Vec<Arc<Parcel>> {
        let Some(group) = self.scopes.edition(scope).and_then(|edition| edition.late.get(&id)) else {
            return Vec::new();
        };
        if let Some(parcels) = &group.parcels {
            return parcels.clone();
        }
        self.work.owners_compiled += group.owners.len() as u64;
        let step = |(owner, base): (&Owner, &Arc<Snapshot>)| {
            // What waits to be distributed is not what the others have yet.
            let now = self.pending.base(*owner).unwrap_or(&self.snapshot);
            rewrite(&compile(*owner, base), &compile(*owner, now))
        };
        let deltas: Vec<Delta> = group.owners.iter().map(step).collect();
        let parcels = self.print(&deltas, ParcelSize::Full);
        if let Some(group) = self.scopes.edition_mut(scope).and_then(|edition| edition.late.get_mut(&id)) {
            group.parcels = Some(parcels.clone());
        }
        parcels
    }

    /// Drops a switch from the groups that it left without catching up.
    pub(crate) fn note_left(&mut self, host: HostIndex) {
        let left = self.switches.get_mut(host).map(|switch| switch.take_left()).unwrap_or_default();
        for (scope, id) in left {
            self.leave_group(host, scope, id);
        }
    }

    fn leave_group(&mut self, host: HostIndex, scope: Scope, id: LateId) {
        let Some(edition) = self.scopes.edition_mut(scope) else { return };
        if let Some(group) = edition.late.get_mut(&id) {
            group.hosts.remove(&host);
            if group.hosts.is_empty() {
                edition.late.remove(&id);
            }
        }
    }

    /// Gives a switch that leaves a scope what it missed of it, so that what it has is known.
    pub(crate) fn catch_up_before_leaving(&mut self, host: HostIndex, scope: Scope) {
        if let Some(id) = self.switches.get(host).and_then(|switch| switch.late(scope)) {
            self.catch_up(host, scope, id);
        }
    }

    /// Queues parcels for a switch that joins or leaves a scope.
    pub(crate) fn move_over(&mut self, host: HostIndex, load: Load<'_>) {
        let Some(switch) = self.switches.get_mut(host) else { return };
        if switch.is_live() {
            self.work.parcels_queued += load.parcels.len() as u64;
        }
        switch.move_over(load);
        self.note_left(host);
        self.attend(host);
    }
}
