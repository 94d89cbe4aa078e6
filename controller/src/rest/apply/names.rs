//! What the names in a file stand for: objects of the file, else objects that are there.

use std::collections::BTreeMap;

use uuid::Uuid;
use weft_model::intent::Fault;
use weft_model::{Snapshot, Stamp, TenantId};

use crate::rest::scope;

/// The kinds of objects that are found by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Network,
    Subnet,
    Group,
    AddressGroup,
    Router,
    Port,
    FloatingIp,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Sort::Network => "network",
            Sort::Subnet => "subnet",
            Sort::Group => "security group",
            Sort::AddressGroup => "address group",
            Sort::Router => "router",
            Sort::Port => "port",
            Sort::FloatingIp => "floating IP",
        }
    }
}

/// Names of one file, for one tenant.
pub(super) struct Names<'a> {
    snapshot: &'a Snapshot,
    tenant: &'a TenantId,
    /// What stands in the file; subnets by `network/subnet`.
    own: BTreeMap<(Sort, String), Uuid>,
    pub(super) faults: Vec<Fault>,
}

/// The tag in which a floating IP keeps its name, for lack of another place.
pub(super) fn name_tag(name: &str) -> String {
    format!("weft-name={name}")
}

impl<'a> Names<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, tenant: &'a TenantId) -> Names<'a> {
        Names { snapshot, tenant, own: BTreeMap::new(), faults: Vec::new() }
    }

    pub(super) fn fault(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.faults.push(Fault { path: path.into(), reason: reason.into() });
    }

    /// The id of an object of the file: that of the tenant's object which is called so, or a new one.
    pub(super) fn declare(
        &mut self,
        (sort, within): (Sort, Option<(&str, Uuid)>),
        name: &str,
        path: &str,
    ) -> Uuid {
        let word = sort.word();
        let full = within.map_or_else(|| name.to_owned(), |(network, _)| format!("{network}/{name}"));
        let found = self.existing(sort, name, within.map(|(_, network)| network));
        if found.len() > 1 {
            let reason = format!("is what {} {word}s are called: rename all but one", found.len());
            self.fault(format!("{path}.name"), reason);
        }
        let id = found.first().copied().unwrap_or_else(Uuid::new_v4);
        if self.own.insert((sort, full), id).is_some() {
            self.fault(format!("{path}.name"), format!("is the name of an earlier {word}"));
        }
        id
    }

    /// The object that a name or an id in the file stands for.
    pub(super) fn find(&mut self, sort: Sort, text: &str, path: &str) -> Option<Uuid> {
        let own: Vec<Uuid> = match (sort, text.contains('/')) {
            (Sort::Subnet, false) => {
                let ends = |full: &str| full.rsplit('/').next() == Some(text);
                self.own.iter().filter(|((s, full), _)| *s == sort && ends(full)).map(|(_, id)| *id).collect()
            }
            _ => self.own.get(&(sort, text.to_owned())).copied().into_iter().collect(),
        };
        let found = if own.is_empty() { self.existing(sort, text, None) } else { own };
        match (found.as_slice(), scope::uuid(text)) {
            ([only], _) => Some(*only),
            ([], Some(id)) => Some(id),
            ([], None) => {
                self.fault(path, format!("names no {} of the file or the tenant: {text:?}", sort.word()));
                None
            }
            (several, _) => {
                let reason = format!("names {} {}s: {text:?}", several.len(), sort.word());
                self.fault(path, reason);
                None
            }
        }
    }

    /// The subnet of a network that a name or an id stands for.
    pub(super) fn subnet_of(&mut self, network: &str, text: &str, path: &str) -> Option<Uuid> {
        let full = format!("{network}/{text}");
        if self.own.contains_key(&(Sort::Subnet, full.clone())) {
            return self.find(Sort::Subnet, &full, path);
        }
        self.find(Sort::Subnet, text, path)
    }

    /// The tenant's objects that are called so; of networks also those that everybody sees.
    fn existing(&self, sort: Sort, name: &str, within: Option<Uuid>) -> Vec<Uuid> {
        let (state, tenant) = (self.snapshot, self.tenant);
        let is = |stamp: &Stamp| stamp.name == name;
        match sort {
            Sort::Network => {
                let own: Vec<Uuid> =
                    state.networks_of_tenant(tenant).filter(|n| is(&n.stamp)).map(|n| n.id.0).collect();
                let public = state.external_networks().filter(|n| is(&n.stamp)).map(|n| n.id.0);
                if own.is_empty() { public.collect() } else { own }
            }
            Sort::Subnet => {
                let subnets = state.subnets_of_tenant(tenant).filter(|subnet| is(&subnet.stamp));
                let here = subnets.filter(|subnet| within.is_none_or(|network| subnet.network.0 == network));
                here.map(|subnet| subnet.id.0).collect()
            }
            Sort::Group => {
                let groups = state.security_groups_of_tenant(tenant).filter(|group| is(&group.stamp));
                groups.map(|group| group.id.0).collect()
            }
            Sort::AddressGroup => {
                let groups = state.address_groups_of_tenant(tenant).filter(|group| is(&group.stamp));
                groups.map(|group| group.id.0).collect()
            }
            Sort::Router => {
                state.routers_of_tenant(tenant).filter(|r| is(&r.stamp)).map(|r| r.id.0).collect()
            }
            Sort::Port => {
                let ports =
                    state.ports_of_tenant(tenant).filter(|port| is(&port.stamp) && !port.is_virtual());
                ports.map(|port| port.id.0).collect()
            }
            Sort::FloatingIp => {
                let tag = name_tag(name);
                let named = state.floating_ips_of_tenant(tenant).filter(|ip| ip.stamp.tags.contains(&tag));
                named.map(|ip| ip.id.0).collect()
            }
        }
    }
}
