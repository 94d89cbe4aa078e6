//! Comparing what a switch has with what is wanted, scope by scope: by digest first, flow by flow where that differs.
//!
//! First contact, reconnection, drift and a controller's restart are this one path. A scope of which a switch has nothing
//! is sent as the same parcels to everyone, so a cold start encodes each network once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use weft_compiler::group_id::GroupUse;
use weft_compiler::{
    Compiled, Cookie, Delta, Scope, SeenFlow, SeenGroup, Subject, Tallies, compile_scope, differences,
    read_back, scope_of,
};
use weft_model::HostIndex;

use crate::edition::count;
use crate::ledger::{Distributor, Drift, ReadFrom, Worked};
use crate::parcel::ParcelSize;
use crate::switch::{Installed, ReadBack};

/// How many differences are put into words.
const DIFFERENCES_SHOWN: usize = 10;
/// How many findings may wait to be asked for; the oldest go first.
const DRIFTS: usize = 64;

/// Tables that were read and wait to be compared.
#[derive(Debug)]
pub struct Arrived {
    /// Which reading.
    pub from: ReadFrom,
    /// What it showed.
    pub installed: Installed,
    /// How long reading took.
    pub reading: Duration,
}

/// What one switch shows, and what it should have.
struct Comparison {
    host: HostIndex,
    purpose: ReadBack,
    scopes: BTreeSet<Scope>,
    now: Instant,
}

/// What the tallies of a switch say.
#[derive(Default)]
struct Verdict {
    /// Scopes of which it has nothing, a host's own first.
    absent: Vec<Scope>,
    /// Scopes of which it has something else than is wanted.
    different: BTreeSet<Scope>,
    /// It has something that it should not have at all.
    has_foreign: bool,
}

impl Distributor {
    /// Compares what a switch has with what is wanted, and queues what puts it right.
    pub(crate) fn compare(&mut self, arrived: Arrived, now: Instant) -> Worked {
        let ReadFrom { host, session, read } = arrived.from;
        let reading = arrived.reading;
        if !self.switches.get(host).is_some_and(|s| s.is_session(session) && s.is_last_read(read)) {
            return Worked::Resync;
        }
        self.reads.release(host, Some(session));
        let scopes = self.settled_scopes(host);
        let interval = self.tuning.audit_interval;
        let Some(switch) = self.switches.get_mut(host) else { return Worked::Resync };
        let purpose = switch.read_back(read, now, interval);
        self.note_left(host);
        self.attend(host);
        if purpose == ReadBack::Useless {
            return Worked::Audit { reading };
        }
        self.work.read_backs += 1;
        let comparison = Comparison { host, purpose, scopes, now };
        match arrived.installed {
            Installed::Tallies(tallies) => self.compare_tallies(&comparison, &tallies),
            Installed::Tables { flows, groups } => self.compare_tables(&comparison, flows, groups),
        }
        if purpose == ReadBack::Audit { Worked::Audit { reading } } else { Worked::Resync }
    }

    /// Distributes all that waits of the scopes that a host has, and names them.
    fn settled_scopes(&mut self, host: HostIndex) -> BTreeSet<Scope> {
        let had = self.switches.get(host).map(|switch| switch.subscriptions.clone()).unwrap_or_default();
        for scope in had {
            self.finish(scope);
        }
        self.switches.get(host).map(|switch| switch.subscriptions.clone()).unwrap_or_default()
    }

    fn compare_tallies(&mut self, comparison: &Comparison, tallies: &Tallies) {
        let Comparison { host, purpose, now, .. } = *comparison;
        if purpose == ReadBack::Audit {
            self.self_check(comparison);
        }
        let verdict = self.judge(comparison, tallies);
        // An audit says what differs, so it looks at what is missing, too.
        let is_unclear = !verdict.different.is_empty()
            || verdict.has_foreign
            || (purpose == ReadBack::Audit && !verdict.absent.is_empty());
        let Some(switch) = self.switches.get_mut(host) else { return };
        if is_unclear {
            switch.look_closer(purpose, now);
            return;
        }
        self.conclude(comparison, &verdict.absent, &Delta::default());
    }

    /// What tallies say about each scope.
    fn judge(&mut self, comparison: &Comparison, tallies: &Tallies) -> Verdict {
        let seen = tallies.by_scope(comparison.host, &self.snapshot);
        let mut verdict = Verdict { has_foreign: !seen.foreign.is_empty(), ..Verdict::default() };
        verdict.has_foreign |= seen.scopes.keys().any(|scope| !comparison.scopes.contains(scope));
        for scope in comparison.scopes.iter().rev() {
            self.work.scopes_visited += 1;
            match seen.scopes.get(scope) {
                Some(seen) if *seen != self.tally(*scope) => drop(verdict.different.insert(*scope)),
                Some(_) => {}
                None => verdict.absent.push(*scope),
            }
        }
        verdict
    }

    fn compare_tables(&mut self, comparison: &Comparison, flows: Vec<SeenFlow>, groups: Vec<SeenGroup>) {
        let mut tallies = Tallies::default();
        flows.iter().for_each(|flow| tallies.take_flow(flow));
        groups.iter().for_each(|group| tallies.take_group(group));
        let mut verdict = self.judge(comparison, &tallies);
        let is_picky = self.switches.get(comparison.host).is_some_and(|switch| switch.is_picky());
        if is_picky || comparison.purpose == ReadBack::Audit {
            verdict.different.extend(std::mem::take(&mut verdict.absent));
        }
        let is_right = |scope: Option<Scope>| {
            scope.is_some_and(|s| comparison.scopes.contains(&s) && !verdict.different.contains(&s))
        };
        let scope = |cookie| scope_of(Cookie(cookie), comparison.host, &self.snapshot);
        let group_scope = |id| {
            let subject = GroupUse::describe(id).map(Subject::from)?;
            subject.owner(comparison.host, &self.snapshot).map(weft_compiler::Owner::scope)
        };
        let flows = flows.into_iter().filter(|flow| !is_right(scope(flow.cookie()))).collect();
        let groups = groups.into_iter().filter(|group| !is_right(group_scope(group.id()))).collect();
        let wanted = self.compile_all(&verdict.different);
        let delta = read_back(&wanted, flows, groups);
        self.conclude(comparison, &verdict.absent, &delta);
    }

    fn compile_all(&mut self, scopes: &BTreeSet<Scope>) -> Vec<Compiled> {
        let mut wanted = Vec::new();
        for scope in scopes {
            compile_scope(*scope, &self.snapshot, |_, compiled| wanted.push(compiled));
        }
        self.work.owners_compiled += wanted.len() as u64;
        wanted
    }

    /// Queues what a switch lacks: the scopes of which it has nothing, as everybody gets them, and a difference.
    fn conclude(&mut self, comparison: &Comparison, absent: &[Scope], delta: &Delta) {
        let Comparison { host, purpose, .. } = *comparison;
        let mut parcels = Vec::new();
        for scope in absent {
            parcels.extend(self.full(*scope));
        }
        let is_picky = self.switches.get(host).is_some_and(|switch| switch.is_picky());
        let size = if is_picky { ParcelSize::Small } else { ParcelSize::Full };
        parcels.extend(self.print(std::slice::from_ref(delta), size));
        let revision = self.snapshot.revision();
        let Some(switch) = self.switches.get_mut(host) else { return };
        switch.compared();
        if purpose == ReadBack::Audit {
            switch.audits += 1;
            switch.drift_repaired += delta.len() as u64;
            if !delta.is_empty() {
                let first = differences(delta, DIFFERENCES_SHOWN);
                self.drifts.truncate(DRIFTS - 1);
                self.drifts.push_front(Drift { host, found: delta.len(), first });
            }
        }
        switch.repair(&parcels, revision);
        self.work.parcels_queued += parcels.len() as u64;
    }

    /// Compiles the scopes of a switch from scratch and holds them against what was kept change by change; each at most once
    /// per audit interval. What is wrong is replaced, and everyone who has it is audited.
    fn self_check(&mut self, comparison: &Comparison) {
        let Comparison { host, now, .. } = *comparison;
        for scope in &comparison.scopes {
            let interval = self.tuning.audit_interval;
            let Some(edition) = self.scopes.edition_mut(*scope) else { continue };
            if edition.checked.is_some_and(|checked| now < checked + interval) {
                continue;
            }
            edition.checked = Some(now);
            let kept = edition.tally;
            let (fresh, owners) = count(*scope, &self.snapshot);
            self.work.self_checks += 1;
            self.work.owners_compiled += owners;
            if fresh == kept {
                continue;
            }
            self.work.self_checks_failed += 1;
            self.set_edition(*scope, fresh);
            self.shelf.remove(*scope);
            let hosts: Vec<HostIndex> =
                self.scopes.get(*scope).into_iter().flat_map(|state| state.hosts.iter().copied()).collect();
            for other in hosts {
                let Some(switch) = self.switches.get_mut(other) else { continue };
                switch.self_check_failed += 1;
                if other != host {
                    switch.suspect(now);
                    self.attend(other);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
