//! Networks, as `/v2.0/networks` shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant's network: one broadcast domain of ports on any hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Network {
    /// Its UUID.
    pub id: String,
    /// What the tenant calls it; need not be unique.
    pub name: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// When false, none of its ports sends or receives.
    pub admin_state_up: bool,
    /// The largest IP packet that its workloads may send, in bytes.
    pub mtu: u32,
    /// Always `ACTIVE`: a network needs nothing beyond its ports.
    pub status: String,
    /// The ids of its subnets.
    pub subnets: Vec<String>,
    /// Whether every tenant may have ports on it.
    pub shared: bool,
    /// Always empty.
    pub availability_zone_hints: Vec<String>,
    /// Always empty.
    pub availability_zones: Vec<String>,
    /// The address scope of its IPv4 subnets, or null.
    pub ipv4_address_scope: Option<String>,
    /// The address scope of its IPv6 subnets, or null.
    pub ipv6_address_scope: Option<String>,
    /// Whether routers of every tenant may have their gateway on it.
    #[serde(rename = "router:external")]
    pub router_external: bool,
    /// Free text.
    pub description: String,
    /// What new ports get for their port security when they do not say.
    pub port_security_enabled: bool,
    /// The QoS policy of its ports that have none of their own, or null.
    pub qos_policy_id: Option<String>,
    /// The DNS domain of its ports' names; may be empty.
    pub dns_domain: String,
    /// Always true: every port reaches every other one on layer 2.
    pub l2_adjacency: bool,
    /// Whether frames that already have a VLAN tag pass, from ports without port security.
    pub vlan_transparent: bool,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the object.
    pub revision_number: u64,
    /// How its packets travel: in tunnels (`vxlan`, `geneve`, `gre`), or on a physical network, untagged (`flat`) or tagged
    /// (`vlan`). Shown to administrators only.
    #[serde(rename = "provider:network_type", skip_serializing_if = "Option::is_none")]
    pub provider_network_type: Option<String>,
    /// The physical network of a flat or VLAN network, else null. Shown to administrators only.
    #[serde(rename = "provider:physical_network", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub provider_physical_network: Option<Option<String>>,
    /// The virtual network identifier of a tunnelled network, 1..=16777215, or the VLAN of a VLAN network, 1..=4094; null for
    /// a flat one. Shown to administrators only.
    #[serde(rename = "provider:segmentation_id", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub provider_segmentation_id: Option<Option<u32>>,
}

/// A network to create; what is absent takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NetworkCreate {
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be: the caller's own tenant when absent; only an administrator may and must name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// At most what the underlay carries, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_security_enabled: Option<bool>,
    /// Default empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_domain: Option<String>,
    /// Default false; for networks in tunnels only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan_transparent: Option<bool>,
    /// Default false; administrators only.
    #[serde(rename = "router:external", skip_serializing_if = "Option::is_none")]
    pub router_external: Option<bool>,
    /// Default false; administrators only. To share with some tenants, use RBAC policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
    /// `vxlan`, `geneve`, `gre`, `flat` or `vlan`; administrators only.
    #[serde(rename = "provider:network_type", skip_serializing_if = "Option::is_none")]
    pub provider_network_type: Option<String>,
    /// The physical network of a flat or VLAN network; administrators only.
    #[serde(rename = "provider:physical_network", skip_serializing_if = "Option::is_none")]
    pub provider_physical_network: Option<String>,
    /// The virtual network identifier, 1..=16777215, or the VLAN, 1..=4094; administrators only.
    #[serde(rename = "provider:segmentation_id", skip_serializing_if = "Option::is_none")]
    pub provider_segmentation_id: Option<u32>,
    /// The QoS policy of its ports; its tenant's default one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos_policy_id: Option<String>,
    /// At most 50 of at most 60 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Changes to a network; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NetworkUpdate {
    /// See [`NetworkCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`NetworkCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`NetworkCreate::qos_policy_id`]; null takes it off.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::envelope::nullable")]
    #[schema(value_type = Option<String>)]
    pub qos_policy_id: Option<Option<String>>,
    /// See [`NetworkCreate::admin_state_up`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// See [`NetworkCreate::mtu`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// See [`NetworkCreate::port_security_enabled`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_security_enabled: Option<bool>,
    /// See [`NetworkCreate::dns_domain`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_domain: Option<String>,
    /// See [`NetworkCreate::router_external`]; refused while gateways or floating IPs are on it.
    #[serde(rename = "router:external", skip_serializing_if = "Option::is_none")]
    pub router_external: Option<bool>,
    /// See [`NetworkCreate::shared`]; refused while those who would lose it are on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
}
