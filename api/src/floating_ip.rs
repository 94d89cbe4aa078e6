//! Floating IPs and port forwardings, as `/v2.0/floatingips` shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::envelope::nullable;

/// What is told about the port behind a floating IP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PortDetails {
    /// The port's name.
    pub name: String,
    /// The network it belongs to.
    pub network_id: String,
    /// Its Ethernet address.
    pub mac_address: String,
    /// When false, it neither sends nor receives.
    pub admin_state_up: bool,
    /// `ACTIVE` or `DOWN`.
    pub status: String,
    /// What uses it.
    pub device_id: String,
    /// Which kind of user that is.
    pub device_owner: String,
}

/// A port forwarding as it stands in its floating IP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ForwardingOfFloatingIp {
    /// Its UUID.
    pub id: String,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The port of the floating IP, if it is one.
    pub external_port: Option<u16>,
    /// The ports of the floating IP, like `8000:8010`.
    pub external_port_range: String,
    /// The address that they lead to.
    pub internal_ip_address: String,
    /// The port there, if it is one.
    pub internal_port: Option<u16>,
    /// The ports there.
    pub internal_port_range: String,
}

/// An address of an external network that stands for a port's own one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FloatingIp {
    /// Its UUID.
    pub id: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// The address.
    pub floating_ip_address: String,
    /// The external network.
    pub floating_network_id: String,
    /// The router that leads to what it stands for or forwards to.
    pub router_id: Option<String>,
    /// The port that it stands for.
    pub port_id: Option<String>,
    /// The port's address that it stands for.
    pub fixed_ip_address: Option<String>,
    /// `ACTIVE` when it leads somewhere and a host serves its router's gateway, else `DOWN`.
    pub status: String,
    /// Free text.
    pub description: String,
    /// Always null.
    pub qos_policy_id: Option<String>,
    /// More about the port that it stands for.
    pub port_details: Option<PortDetails>,
    /// Always empty.
    pub dns_domain: String,
    /// Always empty.
    pub dns_name: String,
    /// Its port forwardings.
    pub port_forwardings: Vec<ForwardingOfFloatingIp>,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the object.
    pub revision_number: u64,
}

/// A floating IP to create; what is absent takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FloatingIpCreate {
    /// The external network; required.
    pub floating_network_id: String,
    /// Which address; administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floating_ip_address: Option<String>,
    /// From which subnet of the external network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// The port that it is to stand for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_id: Option<String>,
    /// Which IPv4 address of the port; its only one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_ip_address: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be; an administrator must name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// At most 50 of at most 60 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Changes to a floating IP; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FloatingIpUpdate {
    /// The port that it is to stand for; null for none.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub port_id: Option<Option<String>>,
    /// Which IPv4 address of the port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_ip_address: Option<String>,
    /// See [`FloatingIpCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Ports of a floating IP that lead to ports of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PortForwarding {
    /// Its UUID.
    pub id: String,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The port of the floating IP, if it is one.
    pub external_port: Option<u16>,
    /// The ports of the floating IP, like `8000:8010`.
    pub external_port_range: String,
    /// The tenant's port that they lead to.
    pub internal_port_id: String,
    /// Its address.
    pub internal_ip_address: String,
    /// The port there, if it is one.
    pub internal_port: Option<u16>,
    /// The ports there.
    pub internal_port_range: String,
    /// Free text.
    pub description: String,
}

/// A port forwarding to create. Of each side either the port or the range is given; both sides have as many ports.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PortForwardingCreate {
    /// `tcp` or `udp`; required.
    pub protocol: String,
    /// The port of the floating IP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_port: Option<u16>,
    /// The ports of the floating IP, like `8000:8010`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_port_range: Option<String>,
    /// The tenant's port that they lead to; required.
    pub internal_port_id: String,
    /// Which IPv4 address of it; its only one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_ip_address: Option<String>,
    /// The port there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_port: Option<u16>,
    /// The ports there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_port_range: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Changes to a port forwarding; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PortForwardingUpdate {
    /// `tcp` or `udp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// See [`PortForwardingCreate::external_port`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_port: Option<u16>,
    /// See [`PortForwardingCreate::external_port_range`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_port_range: Option<String>,
    /// See [`PortForwardingCreate::internal_port_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_port_id: Option<String>,
    /// See [`PortForwardingCreate::internal_ip_address`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_ip_address: Option<String>,
    /// See [`PortForwardingCreate::internal_port`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_port: Option<u16>,
    /// See [`PortForwardingCreate::internal_port_range`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_port_range: Option<String>,
    /// See [`PortForwardingCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
