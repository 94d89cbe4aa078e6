//! Quotas in the state, and how much tenants have of what is counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Map, Snapshot};
use crate::change::Record;
use crate::{Port, Quota, QuotaKind, TenantId};

/// Limits and use.
impl Snapshot {
    /// The limits of a tenant, if it has any.
    pub fn quota(&self, tenant: &TenantId) -> Option<&Arc<Quota>> {
        self.quotas.get(tenant)
    }

    /// All limits, by tenant.
    pub fn quotas(&self) -> impl Iterator<Item = &Arc<Quota>> {
        self.quotas.values()
    }

    /// How much a tenant has of a kind: looked up, not counted.
    pub fn quota_used(&self, tenant: &TenantId, kind: QuotaKind) -> u32 {
        self.usage.counts.get(&(tenant.clone(), kind)).copied().unwrap_or(0)
    }
}

/// How much every tenant has of every kind; what it has nothing of has no entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Usage {
    counts: Map<(TenantId, QuotaKind), u32>,
}

impl Usage {
    /// What is in a state of which everything else is there.
    pub(super) fn of(state: &Snapshot) -> Usage {
        let mut counts: BTreeMap<(&TenantId, QuotaKind), u32> = BTreeMap::new();
        let ports = state.ports().filter(|port| is_own(port)).map(|r| (&r.tenant, QuotaKind::Port));
        let groups = state.security_groups().map(|r| (&r.tenant, QuotaKind::SecurityGroup));
        let rules = state.security_rules().map(|r| (&r.tenant, QuotaKind::SecurityRule));
        let each = ports
            .chain(state.networks().map(|r| (&r.tenant, QuotaKind::Network)))
            .chain(state.subnets().map(|r| (&r.tenant, QuotaKind::Subnet)))
            .chain(state.routers().map(|r| (&r.tenant, QuotaKind::Router)))
            .chain(state.floating_ips().map(|r| (&r.tenant, QuotaKind::FloatingIp)))
            .chain(groups)
            .chain(rules)
            .chain(state.trunks().map(|r| (&r.tenant, QuotaKind::Trunk)))
            .chain(state.subnet_pools().map(|r| (&r.tenant, QuotaKind::SubnetPool)))
            .chain(state.rbac_policies().map(|r| (&r.tenant, QuotaKind::RbacPolicy)));
        for counted in each {
            *counts.entry(counted).or_default() += 1;
        }
        let owned = counts.into_iter().map(|((tenant, kind), count)| ((tenant.clone(), kind), count));
        Usage { counts: Map::from_sorted(owned.collect::<Vec<_>>().into_iter()) }
    }

    /// Takes in a record that is new.
    pub(super) fn gained(&mut self, record: &Record) {
        let Some((tenant, kind)) = counted(record) else { return };
        let key = (tenant.clone(), kind);
        let count = self.counts.get(&key).copied().unwrap_or(0);
        self.counts.insert(key, count + 1);
    }

    /// Takes a record away that was there.
    pub(super) fn lost(&mut self, record: &Record) {
        let Some((tenant, kind)) = counted(record) else { return };
        let key = (tenant.clone(), kind);
        match self.counts.get(&key).copied().unwrap_or(0) {
            0 | 1 => self.counts.remove(&key),
            count => self.counts.insert(key, count - 1),
        }
    }
}

/// Whose quota a record is held against, and as what.
pub(crate) fn counted(record: &Record) -> Option<(&TenantId, QuotaKind)> {
    Some(match record {
        Record::Network(r) => (&r.tenant, QuotaKind::Network),
        Record::Subnet(r) => (&r.tenant, QuotaKind::Subnet),
        Record::Port(r) if is_own(r) => (&r.tenant, QuotaKind::Port),
        Record::Router(r) => (&r.tenant, QuotaKind::Router),
        Record::FloatingIp(r) => (&r.tenant, QuotaKind::FloatingIp),
        Record::SecurityGroup(r) => (&r.tenant, QuotaKind::SecurityGroup),
        Record::SecurityRule(r) => (&r.tenant, QuotaKind::SecurityRule),
        Record::Trunk(r) => (&r.tenant, QuotaKind::Trunk),
        Record::SubnetPool(r) => (&r.tenant, QuotaKind::SubnetPool),
        Record::RbacPolicy(r) => (&r.tenant, QuotaKind::RbacPolicy),
        _ => return None,
    })
}

/// False for ports that come and go with a gateway or a floating IP.
fn is_own(port: &Port) -> bool {
    port.gateway_of().is_none() && port.floating_ip().is_none()
}
