//! What a switch shows, added up while it is being read: a digest per owner instead of the flows themselves.
//!
//! A tally is kept per [`Subject`], which flows name by their cookie and groups by their number, so nothing but the
//! entries is needed while reading. Comparing happens afterwards, by scope or by owner; for what differs the flows are
//! read again (by cookie and mask, [`Subject::cookies`]) and compared one by one with [`crate::read_back()`].

use std::collections::BTreeMap;

use weft_model::{HostIndex, Snapshot};
use weft_openflow::DecodeError;
use weft_openflow::message::multipart::{FlowEntry, GroupDesc};

use crate::cookie::{Cookie, Subject, is_learned};
use crate::digest::{Digest, FlowContent};
use crate::flow::Compiled;
use crate::group_id::GroupUse;
use crate::owner::{Owner, Scope};
use crate::read_back::{SeenFlow, SeenGroup};

/// How much there is of something, and a digest of all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// The digest of its flows and groups.
    pub digest: Digest,
    /// How many flows.
    pub flows: u32,
    /// How many groups.
    pub groups: u32,
}

/// The tallies of everything that a switch has shown so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tallies {
    subjects: BTreeMap<Subject, Tally>,
    /// Flows and groups whose cookie or number is not of ours.
    strangers: Tally,
    /// Flows that had to be decoded.
    decoded: u64,
}

/// The tallies of one switch, by what they belong to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ByScope {
    /// What belongs to a scope that exists. Which of them the switch should have is not asked here.
    pub scopes: BTreeMap<Scope, Tally>,
    /// What belongs to nothing that exists: strangers, and subjects that are gone.
    pub foreign: Tally,
}

impl Tally {
    /// True when there is nothing.
    pub fn is_empty(&self) -> bool {
        self.flows == 0 && self.groups == 0
    }

    fn flow(&mut self, digest: Digest) {
        self.digest += digest;
        self.flows += 1;
    }

    fn group(&mut self, digest: Digest) {
        self.digest += digest;
        self.groups += 1;
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: Tally) {
        self.digest += other.digest;
        self.flows += other.flows;
        self.groups += other.groups;
    }
}

impl Tallies {
    /// Takes a flow as it stands in a switch's answer. What the switch has learned by itself does not count.
    ///
    /// # Errors
    /// When its match or its instructions do not decode.
    pub fn take(&mut self, entry: &FlowEntry<'_>) -> Result<(), DecodeError> {
        if is_learned(entry.table, entry.cookie, entry.hard_timeout) {
            return Ok(());
        }
        let expires = entry.idle_timeout != 0 || entry.hard_timeout != 0;
        let is_plain = !expires && entry.flags.is_empty() && entry.importance == 0;
        match FlowContent::hash_of_entry(entry).filter(|_| is_plain) {
            Some(content) => {
                let cookie = entry.cookie.0;
                self.slot(Cookie(cookie).describe()).flow(Digest::of_flow(content, cookie));
            }
            None => {
                self.decoded += 1;
                self.take_flow(&SeenFlow::from_entry(entry)?);
            }
        }
        Ok(())
    }

    /// Takes a flow.
    pub fn take_flow(&mut self, seen: &SeenFlow) {
        if seen.is_learned() {
            return;
        }
        self.slot(Cookie(seen.cookie()).describe()).flow(seen.digest());
    }

    /// Takes a group as it stands in a switch's answer.
    pub fn take_desc(&mut self, desc: &GroupDesc) {
        self.take_group(&SeenGroup::from_desc(desc));
    }

    /// Takes a group.
    pub fn take_group(&mut self, seen: &SeenGroup) {
        self.slot(GroupUse::describe(seen.id()).map(Subject::from)).group(seen.digest());
    }

    fn slot(&mut self, subject: Option<Subject>) -> &mut Tally {
        match subject {
            Some(subject) => self.subjects.entry(subject).or_default(),
            None => &mut self.strangers,
        }
    }

    /// Every subject that was seen, with its tally.
    pub fn subjects(&self) -> impl Iterator<Item = (Subject, Tally)> {
        self.subjects.iter().map(|(subject, tally)| (*subject, *tally))
    }

    /// How many flows had to be decoded because their bytes alone did not say what they mean. Few, unless a switch
    /// shows flows in a form of its own.
    pub fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Everything whose cookie or number is not of ours.
    pub fn strangers(&self) -> Tally {
        self.strangers
    }

    /// What was seen of one subject.
    pub fn subject(&self, subject: Subject) -> Tally {
        self.subjects.get(&subject).copied().unwrap_or_default()
    }

    /// Everything added up by scope, as the switch of `host` has it.
    pub fn by_scope(&self, host: HostIndex, snapshot: &Snapshot) -> ByScope {
        let mut out = ByScope { foreign: self.strangers, ..ByScope::default() };
        for (subject, tally) in self.subjects() {
            match subject.owner(host, snapshot) {
                Some(owner) => out.scopes.entry(owner.scope()).or_default().merge(tally),
                None => out.foreign.merge(tally),
            }
        }
        out
    }
}

impl Compiled {
    /// The tally that a switch shows that has exactly this.
    pub fn tally(&self) -> Tally {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Tally { digest: self.digest(), flows: count(self.flows.len()), groups: count(self.groups.len()) }
    }
}

impl Subject {
    /// The owner that a subject is on the switch of `host`; `None` when what it names does not exist (any more).
    pub fn owner(self, host: HostIndex, snapshot: &Snapshot) -> Option<Owner> {
        match self {
            Subject::Network(vni) => snapshot.network_by_vni(vni).map(|_| Owner::Network(vni)),
            Subject::Flood(vni, shard) => snapshot.network_by_vni(vni).map(|_| Owner::Flood(vni, shard)),
            Subject::Port(key) => {
                let network = snapshot.network(&snapshot.port_by_key(key)?.network)?;
                Some(Owner::Port(network.vni, key))
            }
            Subject::HostBase(index) => (index == host).then_some(Owner::HostBase(host)),
            Subject::LocalFlood(vni) => Some(Owner::LocalFlood(host, vni)),
            Subject::Policy(key) => snapshot.policy(key).map(|_| Owner::Policy(key)),
            Subject::LocalPort(key) => Some(Owner::LocalPort(host, key)),
            Subject::Gateway(key) => Some(Owner::Gateway(host, key)),
            Subject::Floating(key) => Some(Owner::Floating(host, key)),
            Subject::Router(key) => snapshot.router_by_key(key).map(|_| Owner::Router(key)),
            Subject::Outward(transit) => {
                snapshot.router_of_transit(transit).map(|router| Owner::Router(router.key))
            }
            Subject::Standing(transit) => {
                snapshot.router_of_transit(transit).map(|router| Owner::Gateway(host, router.key))
            }
            Subject::Interface(key) => Some(Owner::Interface(host, key)),
        }
    }
}

/// The scope to which a flow with this cookie belongs on the switch of `host`; `None` when it is nobody's.
pub fn scope_of(cookie: Cookie, host: HostIndex, snapshot: &Snapshot) -> Option<Scope> {
    cookie.describe()?.owner(host, snapshot).map(Owner::scope)
}
