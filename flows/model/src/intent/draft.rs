//! A request being planned: the state so far, who asks, and what was written.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Actor, Context, Labels, LabelsPatch, Rejected};
use crate::{
    Change, Counters, Key, Network, NetworkId, Port, PortId, Record, Revision, Router, RouterId, Snapshot,
    Stamp, Subnet, SubnetId, TenantId, UserId,
};

/// The state as the intents so far leave it.
pub(super) struct Draft<'a> {
    base: &'a Snapshot,
    actor: &'a Actor,
    /// Time and configuration.
    pub(super) context: &'a Context,
    /// The state so far.
    pub(super) state: Snapshot,
    written: BTreeSet<Key>,
}

impl<'a> Draft<'a> {
    /// Nothing planned yet. A reader gets no further, nor does a tenant that is gone or disabled.
    pub(super) fn new(
        base: &'a Snapshot,
        actor: &'a Actor,
        context: &'a Context,
    ) -> Result<Draft<'a>, Rejected> {
        match actor {
            Actor::Admin => {}
            Actor::ReadOnly(_) => return Err(forbidden("writing")),
            Actor::Tenant(id) => match base.tenant(id) {
                None => return Err(Rejected::TenantNotFound(id.clone())),
                Some(tenant) if !tenant.enabled => return Err(forbidden("writing for a disabled tenant")),
                Some(_) => {}
            },
            Actor::User(id) => match base.user(id) {
                None => return Err(Rejected::UserNotFound(id.clone())),
                Some(user) if !user.enabled => return Err(forbidden("writing as a disabled user")),
                Some(_) => {}
            },
        }
        Ok(Draft { base, actor, context, state: base.clone(), written: BTreeSet::new() })
    }

    /// The state before the request.
    pub(super) fn base(&self) -> &Snapshot {
        self.base
    }

    /// The revision that the commit will have.
    pub(super) fn revision(&self) -> Revision {
        Revision(self.base.revision().0 + 1)
    }

    /// Creates or replaces a record.
    pub(super) fn put(&mut self, record: Record) -> Key {
        let key = record.key();
        self.write(Change::Put(record));
        key
    }

    /// Removes a record.
    pub(super) fn delete(&mut self, key: Key) -> Key {
        self.write(Change::Delete(key.clone()));
        key
    }

    /// True for what was not there when the request began.
    pub(super) fn is_new(&self, key: &Key) -> bool {
        self.base.record(key).is_none()
    }

    fn write(&mut self, change: Change) {
        self.written.insert(change.key());
        let revision = self.revision();
        self.state.apply(revision, std::slice::from_ref(&change));
    }

    /// What differs from where the request began, and the state it leads to.
    pub(super) fn finish(self) -> (Vec<Change>, Snapshot) {
        let difference = |key: Key| match (self.base.record(&key), self.state.record(&key)) {
            (before, after) if before == after => None,
            (_, Some(record)) => Some(Change::Put(record)),
            (_, None) => Some(Change::Delete(key)),
        };
        let changes: Vec<Change> = self.written.into_iter().filter_map(difference).collect();
        let state = if changes.is_empty() { self.base.clone() } else { self.state };
        (changes, state)
    }
}

/// Who may do what.
impl Draft<'_> {
    /// Who asks.
    pub(super) fn actor(&self) -> &Actor {
        self.actor
    }

    /// True for the operator.
    pub(super) fn is_admin(&self) -> bool {
        *self.actor == Actor::Admin
    }

    /// Refuses everybody but the operator.
    pub(super) fn admin_only(&self, what: &str) -> Result<(), Rejected> {
        if self.is_admin() { Ok(()) } else { Err(forbidden(what)) }
    }

    /// Refuses everybody but that user and the operator.
    pub(super) fn only_for(&self, user: &UserId, what: &str) -> Result<(), Rejected> {
        match self.actor {
            Actor::Admin => Ok(()),
            Actor::User(own) if own == user => Ok(()),
            _ => Err(forbidden(what)),
        }
    }

    /// True if the actor sees what belongs to `owner`.
    pub(super) fn sees(&self, owner: &TenantId) -> bool {
        match self.actor {
            Actor::Admin => true,
            Actor::Tenant(own) | Actor::ReadOnly(own) => own == owner,
            Actor::User(_) => false,
        }
    }

    /// Whose a new object is: the tenant asked for, else `default`, else the actor's own. `None` when nobody says.
    pub(super) fn owner_of_new(
        &self,
        asked: Option<&TenantId>,
        default: Option<&TenantId>,
    ) -> Result<Option<TenantId>, Rejected> {
        let own = match self.actor {
            Actor::Admin => None,
            Actor::Tenant(own) | Actor::ReadOnly(own) => Some(own),
            Actor::User(_) => return Err(forbidden("owning what belongs to tenants")),
        };
        let Some(owner) = asked.or(own).or(default) else { return Ok(None) };
        if !self.sees(owner) {
            return Err(forbidden("acting for another tenant"));
        }
        match self.state.tenant(owner) {
            Some(_) => Ok(Some(owner.clone())),
            None => Err(Rejected::TenantNotFound(owner.clone())),
        }
    }

    /// A network that the actor may change.
    pub(super) fn network(&self, id: NetworkId) -> Result<Arc<Network>, Rejected> {
        let network = self.seen_network(id)?;
        if self.sees(&network.tenant) {
            Ok(network)
        } else {
            Err(forbidden("changing another tenant's network"))
        }
    }

    /// A subnet that the actor may change.
    pub(super) fn subnet(&self, id: SubnetId) -> Result<Arc<Subnet>, Rejected> {
        let subnet = self.seen_subnet(id)?;
        match self.sees(&subnet.tenant) {
            true => Ok(subnet),
            false => Err(forbidden("changing another tenant's subnet")),
        }
    }

    /// A port that the actor may change.
    pub(super) fn port(&self, id: PortId) -> Result<Arc<Port>, Rejected> {
        let port = self.removable_port(id)?;
        match self.sees(&port.tenant) {
            true => Ok(port),
            false => Err(forbidden("changing another tenant's port")),
        }
    }

    /// A port that the actor may delete: its own, and those of guests on its networks.
    pub(super) fn removable_port(&self, id: PortId) -> Result<Arc<Port>, Rejected> {
        let is_guest = |port: &Port| {
            let network = self.state.network(&port.network);
            network.is_some_and(|network| self.sees(&network.tenant))
        };
        let found = self.state.port(&id).filter(|port| self.sees(&port.tenant) || is_guest(port));
        found.cloned().ok_or(Rejected::PortNotFound(id))
    }

    /// A router that the actor sees.
    pub(super) fn router(&self, id: RouterId) -> Result<Arc<Router>, Rejected> {
        let found = self.state.router(&id).filter(|router| self.sees(&router.tenant));
        found.cloned().ok_or(Rejected::RouterNotFound(id))
    }
}

/// Stamps and numbers.
impl Draft<'_> {
    /// The stamp of an object made now.
    pub(super) fn stamp(&self, labels: &Labels) -> Stamp {
        Stamp {
            name: labels.name.clone(),
            description: labels.description.clone(),
            tags: labels.tags.clone(),
            created: self.context.now,
            updated: self.context.now,
            number: 1,
        }
    }

    /// Counts one change of an object that differs from what it was.
    pub(super) fn restamp(&self, stamp: &mut Stamp) {
        stamp.updated = self.context.now;
        stamp.number += 1;
    }

    /// The first free number from `next` on within `1..=max`, going round once, and where the next search starts.
    pub(super) fn next_free(next: u32, max: u32, is_used: impl Fn(u32) -> bool) -> Option<(u32, u32)> {
        let start = if (1..=max).contains(&next) { next } else { 1 };
        let found = (start..=max).chain(1..start).find(|number| !is_used(*number))?;
        Some((found, if found == max { 1 } else { found + 1 }))
    }

    /// Changes the counters.
    pub(super) fn count(&mut self, change: impl FnOnce(&mut Counters)) {
        let mut counters = self.state.counters();
        change(&mut counters);
        self.put(Record::Counters(counters));
    }
}

/// Brings the descriptive part of an object up to date.
pub(super) fn relabel(stamp: &mut Stamp, patch: &LabelsPatch) {
    let LabelsPatch { name, description, tags } = patch.clone();
    set(&mut stamp.name, name);
    set(&mut stamp.description, description);
    set(&mut stamp.tags, tags);
}

/// Replaces a field if the patch has one.
pub(super) fn set<T>(field: &mut T, patch: Option<T>) {
    if let Some(value) = patch {
        *field = value;
    }
}

/// Refuses a request that was made for an older or newer object.
pub(super) fn expect_number(stamp: &Stamp, expected: Option<u64>) -> Result<(), Rejected> {
    match expected {
        Some(expected) if expected != stamp.number => {
            Err(Rejected::RevisionMismatch { expected, found: stamp.number })
        }
        _ => Ok(()),
    }
}

pub(super) fn forbidden(what: &str) -> Rejected {
    Rejected::Forbidden { what: what.to_owned() }
}
