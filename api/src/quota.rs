//! Quotas, as `/v2.0/quotas` shows and takes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much a tenant may have; -1 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Quota {
    /// Networks.
    pub network: i64,
    /// Subnets.
    pub subnet: i64,
    /// Subnet pools.
    pub subnetpool: i64,
    /// Ports, also those that are interfaces of routers.
    pub port: i64,
    /// Always -1.
    pub router_route: i64,
    /// Routers.
    pub router: i64,
    /// Floating IPs.
    pub floatingip: i64,
    /// RBAC policies.
    pub rbac_policy: i64,
    /// Security groups, the default one among them.
    pub security_group: i64,
    /// Rules of all security groups.
    pub security_group_rule: i64,
    /// Trunks.
    pub trunk: i64,
}

impl Default for Quota {
    /// No limits.
    fn default() -> Quota {
        Quota {
            network: -1,
            subnet: -1,
            subnetpool: -1,
            port: -1,
            router_route: -1,
            router: -1,
            floatingip: -1,
            rbac_policy: -1,
            security_group: -1,
            security_group_rule: -1,
            trunk: -1,
        }
    }
}

/// Limits to set; what is absent stays as it is, -1 is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct QuotaUpdate {
    /// See [`Quota::network`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<i64>,
    /// See [`Quota::subnet`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<i64>,
    /// See [`Quota::port`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// See [`Quota::router`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<i64>,
    /// See [`Quota::floatingip`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floatingip: Option<i64>,
    /// See [`Quota::security_group`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_group: Option<i64>,
    /// See [`Quota::security_group_rule`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_group_rule: Option<i64>,
    /// See [`Quota::trunk`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<i64>,
    /// See [`Quota::subnetpool`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnetpool: Option<i64>,
    /// See [`Quota::rbac_policy`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rbac_policy: Option<i64>,
    /// When true, a limit below what the tenant has is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_limit: Option<bool>,
}

/// The limits of one tenant, in their envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct QuotaEnvelope {
    /// The limits.
    pub quota: Quota,
}

/// The limits of one tenant, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct QuotaOfTenant {
    /// Whose they are, by the older name of the field.
    pub tenant_id: String,
    /// Whose they are.
    pub project_id: String,
    /// The limits.
    #[serde(flatten)]
    pub quota: Quota,
}

/// The limits of all tenants that have any.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct QuotaList {
    /// All of them.
    pub quotas: Vec<QuotaOfTenant>,
}

/// How much of something a tenant may have and has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct QuotaDetail {
    /// How much it may have; -1 is no limit.
    pub limit: i64,
    /// How much it has.
    pub used: u64,
    /// Always 0: what is being created is created.
    pub reserved: u64,
}

/// How much a tenant may have and has, by kind, in the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct QuotaDetailsEnvelope {
    /// By kind.
    pub quota: BTreeMap<String, QuotaDetail>,
}
