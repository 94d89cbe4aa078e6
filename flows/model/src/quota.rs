//! Quotas: how much a tenant may have.

use std::collections::BTreeMap;

use crate::ids::TenantId;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaKind {
    /// Networks.
    Network,
    /// Subnets.
    Subnet,
    /// Ports, also those that are interfaces of routers; not those of gateways and floating IPs.
    Port,
    /// Routers.
    Router,
    /// Floating IPs.
    FloatingIp,
    /// Security groups, the default one among them.
    SecurityGroup,
    /// Rules of security groups.
    SecurityRule,
    /// Trunks.
    Trunk,
    /// Subnet pools.
    SubnetPool,
    /// RBAC policies.
    RbacPolicy,
}

impl QuotaKind {
    /// All that is counted, in the order in which it is told.
    pub const ALL: [QuotaKind; 10] = [
        QuotaKind::Network,
        QuotaKind::Subnet,
        QuotaKind::Port,
        QuotaKind::Router,
        QuotaKind::FloatingIp,
        QuotaKind::SecurityGroup,
        QuotaKind::SecurityRule,
        QuotaKind::Trunk,
        QuotaKind::SubnetPool,
        QuotaKind::RbacPolicy,
    ];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            QuotaKind::Network => "network",
            QuotaKind::Subnet => "subnet",
            QuotaKind::Port => "port",
            QuotaKind::Router => "router",
            QuotaKind::FloatingIp => "floatingip",
            QuotaKind::SecurityGroup => "security_group",
            QuotaKind::SecurityRule => "security_group_rule",
            QuotaKind::Trunk => "trunk",
            QuotaKind::SubnetPool => "subnetpool",
            QuotaKind::RbacPolicy => "rbac_policy",
        }
    }

    /// The kind that the API calls so.
    pub fn from_name(name: &str) -> Option<QuotaKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The limits of one tenant. What has none is not limited; a tenant without any has no such record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Whose they are.
    pub tenant: TenantId,
    /// The most that it may have of each kind.
    pub limits: BTreeMap<QuotaKind, u32>,
}
