//! Handing out what changed: compiled before and after, encoded once, the same bytes to everyone who has the scope.

use std::collections::BTreeSet;
use std::sync::Arc;

use weft_compiler::{Compiled, Delta, Scope, Tally, compile, compile_scope, diff, subscribes};
use weft_model::{HostIndex, Revision};

use crate::edition::{Edition, count, moved, removal, rewrite};
use crate::late::Missed;
use crate::ledger::Distributor;
use crate::parcel::{Parcel, ParcelSize};
use crate::pending::Slice;
use crate::switch::{Load, Offer};

/// How many owners of a scope are compiled before they are encoded, when it is all of them.
const OWNERS_AT_ONCE: usize = 4096;

impl Distributor {
    /// Compiles the owners of a slice as they were and as they are, gives what changed to everyone who has the scope, and
    /// lets hosts join and leave.
    pub(crate) fn publish(&mut self, slice: Slice) {
        self.work.scopes_visited += 1;
        self.publish_owners(&slice);
        for host in &slice.members {
            self.follow(*host, slice.scope, slice.since);
        }
    }

    /// Distributes all that waits of a scope.
    pub(crate) fn finish(&mut self, scope: Scope) {
        if let Some(slice) = self.pending.take(scope, usize::MAX) {
            self.publish(slice);
        }
    }

    fn publish_owners(&mut self, slice: &Slice) {
        let Slice { scope, since, .. } = *slice;
        let Some(state) = self.scopes.get_mut(scope).filter(|_| !slice.owners.is_empty()) else { return };
        let is_needed =
            state.hosts.iter().any(|host| self.switches.get(*host).is_some_and(|s| s.is_connected()));
        let Some(edition) = state.edition.as_mut().filter(|_| is_needed) else {
            // Nobody connected has it; those who are away will be compared with the newest state when they are back.
            self.drop_edition(scope);
            self.owe(scope, since);
            return;
        };
        let had = edition.tally.flows;
        let mut deltas: Vec<Delta> = Vec::with_capacity(slice.owners.len());
        for (owner, base) in &slice.owners {
            let (before, after) = (compile(*owner, base), compile(*owner, &self.snapshot));
            edition.tally = moved(edition.tally, &before, &after);
            let delta = if slice.is_rewrite { rewrite(&before, &after) } else { diff(&before, &after) };
            if !delta.is_empty() {
                deltas.push(delta);
            }
        }
        let has = edition.tally.flows;
        self.work.owners_compiled += slice.owners.len() as u64;
        if deltas.is_empty() {
            return;
        }
        self.shelf.remove(scope);
        let parcels = self.print(&deltas, ParcelSize::Full);
        self.hand_out(slice, &parcels, i64::from(has) - i64::from(had));
    }

    /// The same parcels to everyone who has the scope.
    fn hand_out(&mut self, slice: &Slice, parcels: &[Arc<Parcel>], flows: i64) {
        let Slice { scope, since, .. } = *slice;
        let hosts =
            self.scopes.get_mut(scope).map(|state| std::mem::take(&mut state.hosts)).unwrap_or_default();
        let load = Load { scope: Some(scope), parcels, revision: since };
        let mut late = BTreeSet::new();
        for host in &hosts {
            self.work.hosts_visited += 1;
            let Some(switch) = self.switches.get_mut(*host) else { continue };
            switch.count(flows);
            match switch.offer(load) {
                Offer::Taken => self.work.parcels_queued += parcels.len() as u64,
                Offer::NoRoom => drop(late.insert(*host)),
                Offer::NotNeeded | Offer::Absorbed => {}
            }
            self.attend(*host);
        }
        if let Some(state) = self.scopes.get_mut(scope) {
            state.hosts = hosts;
        }
        self.miss(Missed { scope, since, owners: &slice.owners }, late);
    }

    /// Everyone who has the scope owes a revision of which they were sent nothing.
    fn owe(&mut self, scope: Scope, revision: Revision) {
        let Some(state) = self.scopes.get(scope) else { return };
        for host in &state.hosts {
            self.work.hosts_visited += 1;
            let Some(switch) = self.switches.get_mut(*host) else { continue };
            switch.owe(revision);
            switch.update_owed();
            self.changed.insert(*host);
        }
    }

    /// Brings a host's subscription to a scope to what the snapshot says. Nothing of the scope waits any more.
    fn follow(&mut self, host: HostIndex, scope: Scope, revision: Revision) {
        self.work.hosts_visited += 1;
        let has = self.scopes.get(scope).is_some_and(|state| state.hosts.contains(&host));
        match (has, subscribes(host, scope, &self.snapshot)) {
            (false, true) => {
                let flows = self.known(scope).flows;
                let switch = self.switches.enter(host);
                switch.subscriptions.insert(scope);
                switch.count(i64::from(flows));
                let is_live = switch.is_live();
                self.scopes.enter(scope).hosts.insert(host);
                let parcels = if is_live { self.full(scope) } else { Vec::new() };
                self.move_over(host, Load { scope: Some(scope), parcels: &parcels, revision });
            }
            (true, false) => {
                self.catch_up_before_leaving(host, scope);
                let is_live = self.switches.get(host).is_some_and(|switch| switch.is_live());
                let parcels = if is_live { self.removal(scope) } else { Vec::new() };
                let flows = self.known(scope).flows;
                if let Some(switch) = self.switches.get_mut(host) {
                    switch.subscriptions.remove(&scope);
                    switch.count(-i64::from(flows));
                }
                self.move_over(host, Load { scope: Some(scope), parcels: &parcels, revision });
                self.leave(scope, host);
            }
            _ => {}
        }
        self.changed.insert(host);
        self.forget_if_gone(host);
    }

    /// A host has a scope no more.
    pub(crate) fn leave(&mut self, scope: Scope, host: HostIndex) {
        let Some(state) = self.scopes.get_mut(scope) else { return };
        state.hosts.remove(&host);
        if state.hosts.is_empty() {
            self.scopes.remove(scope);
            self.shelf.remove(scope);
        }
    }

    pub(crate) fn print(&mut self, deltas: &[Delta], size: ParcelSize) -> Vec<Arc<Parcel>> {
        let parcels = self.press.print(deltas, size);
        self.note_printed(&parcels);
        parcels
    }

    fn note_printed(&mut self, parcels: &[Arc<Parcel>]) {
        self.work.messages_encoded += parcels.iter().map(|p| p.messages as u64).sum::<u64>();
        self.work.bytes_encoded += parcels.iter().map(|p| p.bytes.len() as u64).sum::<u64>();
    }

    /// What is known of a scope without compiling anything.
    fn known(&self, scope: Scope) -> Tally {
        self.scopes.edition(scope).map(|edition| edition.tally).unwrap_or_default()
    }

    /// How much a scope wants; compiled if nobody has asked since it is of use. Nothing of it may wait.
    pub(crate) fn tally(&mut self, scope: Scope) -> Tally {
        if let Some(edition) = self.scopes.edition(scope) {
            return edition.tally;
        }
        let (tally, owners) = count(scope, &self.snapshot);
        self.work.owners_compiled += owners;
        self.set_edition(scope, tally);
        tally
    }

    /// Keeps how much a scope wants.
    pub(crate) fn set_edition(&mut self, scope: Scope, tally: Tally) {
        let had = self.known(scope).flows;
        let Some(state) = self.scopes.get_mut(scope) else { return };
        state.edition.get_or_insert_with(Edition::default).tally = tally;
        for host in &state.hosts {
            if let Some(switch) = self.switches.get_mut(*host) {
                switch.count(i64::from(tally.flows) - i64::from(had));
                self.changed.insert(*host);
            }
        }
    }

    fn drop_edition(&mut self, scope: Scope) {
        self.set_edition(scope, Tally::default());
        self.shelf.remove(scope);
        if let Some(state) = self.scopes.get_mut(scope) {
            state.edition = None;
        }
    }

    /// The parcels that give a switch the whole scope, the same for everyone. Nothing of it may wait.
    pub(crate) fn full(&mut self, scope: Scope) -> Vec<Arc<Parcel>> {
        if let Some(parcels) = self.shelf.get(scope) {
            return parcels;
        }
        let snapshot = self.snapshot.clone();
        let (mut tally, mut owners) = (Tally::default(), 0);
        let (mut batch, mut parcels): (Vec<Compiled>, Vec<Arc<Parcel>>) = Default::default();
        compile_scope(scope, &snapshot, |_, compiled| {
            tally.merge(compiled.tally());
            owners += 1;
            batch.push(compiled);
            if batch.len() == OWNERS_AT_ONCE {
                parcels.extend(self.press.print_full(&batch));
                batch.clear();
            }
        });
        parcels.extend(self.press.print_full(&batch));
        self.work.owners_compiled += owners;
        self.note_printed(&parcels);
        if self.scopes.get(scope).is_some_and(|state| state.edition.is_none()) {
            self.set_edition(scope, tally);
        }
        if !matches!(scope, Scope::Host(_)) {
            self.shelf.put(scope, parcels.clone());
        }
        parcels
    }

    /// The parcels that take the whole scope away from a switch.
    fn removal(&mut self, scope: Scope) -> Vec<Arc<Parcel>> {
        let mut deltas = Vec::new();
        compile_scope(scope, &self.snapshot, |_, compiled| deltas.push(removal(&compiled)));
        self.work.owners_compiled += deltas.len() as u64;
        self.print(&deltas, ParcelSize::Full)
    }
}
