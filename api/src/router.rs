//! Routers, as `/v2.0/routers` shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::envelope::nullable;
use crate::port::{FixedIp, FixedIpAsked};
use crate::subnet::HostRoute;

/// Where a router leads to the outside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ExternalGateway {
    /// The external network.
    pub network_id: String,
    /// Whether IPv4 connections leave with the gateway's address.
    pub enable_snat: bool,
    /// Its addresses there.
    pub external_fixed_ips: Vec<FixedIp>,
    /// Always null.
    pub qos_policy_id: Option<String>,
}

/// A gateway that a router is to have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct GatewayAsked {
    /// The external network; without one, the router is to have no gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_id: Option<String>,
    /// Default true; only administrators may say false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_snat: Option<bool>,
    /// Its addresses, one per family when absent; administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_fixed_ips: Option<Vec<FixedIpAsked>>,
}

/// What joins a tenant's networks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Router {
    /// Its UUID.
    pub id: String,
    /// What the tenant calls it; need not be unique.
    pub name: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// When false, it forwards nothing.
    pub admin_state_up: bool,
    /// Always `ACTIVE`: a router is in force wherever its networks are.
    pub status: String,
    /// Where it leads to the outside; null when it does not.
    pub external_gateway_info: Option<ExternalGateway>,
    /// Free text.
    pub description: String,
    /// Always empty.
    pub availability_zones: Vec<String>,
    /// Always empty.
    pub availability_zone_hints: Vec<String>,
    /// Static routes. Several with one destination share its traffic; the nexthop `blackhole` drops it.
    pub routes: Vec<HostRoute>,
    /// Always null.
    pub flavor_id: Option<String>,
    /// Always empty.
    pub conntrack_helpers: Vec<String>,
    /// Always false.
    pub enable_ndp_proxy: bool,
    /// Always true, for administrators: every host routes for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distributed: Option<bool>,
    /// Always false, for administrators: hosts that serve a gateway need no ports of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ha: Option<bool>,
    /// The hosts that may serve its gateway, the preferred one first; for administrators.
    #[serde(rename = "weft:gateway_hosts", skip_serializing_if = "Option::is_none")]
    pub weft_gateway_hosts: Option<Vec<String>>,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the object.
    pub revision_number: u64,
}

/// A router to create; what is absent takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RouterCreate {
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be; an administrator must name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// Where it is to lead to the outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_gateway_info: Option<GatewayAsked>,
    /// At most 50 of at most 60 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Changes to a router; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RouterUpdate {
    /// See [`RouterCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`RouterCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`RouterCreate::admin_state_up`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// The whole new list of static routes, at most 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<HostRoute>>,
    /// Where it is to lead to the outside; null or `{}` for nowhere.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<GatewayAsked>)]
    pub external_gateway_info: Option<Option<GatewayAsked>>,
}

/// Static routes to add to or remove from those that a router has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RouterRoutes {
    /// The routes.
    pub routes: Vec<HostRoute>,
}

/// An interface to add to or remove from a router: one of the two for adding, at least one for removing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct InterfaceAsked {
    /// The subnet whose gateway address the router has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// The port that is the interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_id: Option<String>,
}

/// An interface that was added or removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RouterInterface {
    /// The router's UUID.
    pub id: String,
    /// Whose the router is, by the older name of the field.
    pub tenant_id: String,
    /// Whose the router is.
    pub project_id: String,
    /// The port that is the interface.
    pub port_id: String,
    /// The network that it is in.
    pub network_id: String,
    /// The first of its subnets.
    pub subnet_id: String,
    /// All of its subnets.
    pub subnet_ids: Vec<String>,
}
