//! Ports, as `/v2.0/ports` shows and takes them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::security::AddressPair;
use crate::trunk::TrunkDetails;

/// One address of a port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct FixedIp {
    /// The subnet that it is taken from.
    pub subnet_id: String,
    /// The address.
    pub ip_address: String,
}

/// One address that a port asks for; at least one of the two is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FixedIpAsked {
    /// From which subnet; found by the address when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    /// Which address; a free one of the subnet's pools when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
}

/// The name under which one address of a port is to be found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DnsAssignment {
    /// The address.
    pub ip_address: String,
    /// The name without the domain.
    pub hostname: String,
    /// The name with the domain.
    pub fqdn: String,
}

/// A tenant's attachment point to a network.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Port {
    /// Its UUID; what `external_ids:iface-id` of an interface names.
    pub id: String,
    /// What the tenant calls it; need not be unique.
    pub name: String,
    /// The network it belongs to.
    pub network_id: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// Its Ethernet address.
    pub mac_address: String,
    /// When false, the port neither sends nor receives.
    pub admin_state_up: bool,
    /// `ACTIVE` when an interface is plugged and its host has all that the port needs, else `DOWN`.
    pub status: String,
    /// What uses the port, in its user's words.
    pub device_id: String,
    /// Which kind of user.
    pub device_owner: String,
    /// Its addresses.
    pub fixed_ips: Vec<FixedIp>,
    /// What it may send from besides its own addresses.
    pub allowed_address_pairs: Vec<AddressPair>,
    /// What DHCP tells it besides what its subnets say, or instead of it.
    pub extra_dhcp_opts: Vec<ExtraDhcpOpt>,
    /// The security groups that it wears.
    pub security_groups: Vec<String>,
    /// Free text.
    pub description: String,
    /// Whether its sources are checked.
    pub port_security_enabled: bool,
    /// Its own QoS policy, which counts instead of its network's, or null.
    pub qos_policy_id: Option<String>,
    /// Its network's QoS policy, or null.
    pub qos_network_policy_id: Option<String>,
    /// The trunk whose parent the port is; absent for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk_details: Option<TrunkDetails>,
    /// Always false.
    pub propagate_uplink_status: bool,
    /// Its host name for DNS; may be empty.
    pub dns_name: String,
    /// The names of its addresses.
    pub dns_assignment: Vec<DnsAssignment>,
    /// Always empty; the network's domain counts.
    pub dns_domain: String,
    /// Always null.
    pub device_profile: Option<String>,
    /// `immediate`, or `none` for a port without addresses.
    pub ip_allocation: String,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the object.
    pub revision_number: u64,
    /// Always `normal`.
    #[serde(rename = "binding:vnic_type")]
    pub binding_vnic_type: String,
    /// The host that its user asked for, or on which it is bound. Shown to administrators only.
    #[serde(rename = "binding:host_id", skip_serializing_if = "Option::is_none")]
    pub binding_host_id: Option<String>,
    /// `ovs` for a bound port, else `unbound`. Shown to administrators only.
    #[serde(rename = "binding:vif_type", skip_serializing_if = "Option::is_none")]
    pub binding_vif_type: Option<String>,
    /// Always empty. Shown to administrators only.
    #[serde(rename = "binding:profile", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub binding_profile: Option<Map<String, Value>>,
    /// For a bound port, what it is plugged into. Shown to administrators only.
    #[serde(rename = "binding:vif_details", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub binding_vif_details: Option<Map<String, Value>>,
}

/// A DHCP option of a port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ExtraDhcpOpt {
    /// Its name or number.
    pub opt_name: String,
    /// Its value; null takes the option away.
    pub opt_value: Option<String>,
    /// 4 (the default) or 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_version: Option<u8>,
}

/// A port to create; what is absent takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PortCreate {
    /// The network it is to belong to.
    pub network_id: String,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be: the network's tenant when absent; only an administrator may name another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// A unicast Ethernet address; made up when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    /// One address per family that the network has when absent; none when empty; at most 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_ips: Option<Vec<FixedIpAsked>>,
    /// The network's default when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_security_enabled: Option<bool>,
    /// Security groups of the port's tenant, at most 32; the tenant's default group when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_groups: Option<Vec<String>>,
    /// What it may send from besides its own addresses, at most 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_address_pairs: Option<Vec<AddressPair>>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_owner: Option<String>,
    /// Its host name for DNS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// Its own QoS policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos_policy_id: Option<String>,
    /// DHCP options by name (as dnsmasq spells them) or number; at most 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_dhcp_opts: Option<Vec<ExtraDhcpOpt>>,
    /// The host that it is meant for; a hint, what counts is where an interface is plugged. Administrators only.
    #[serde(rename = "binding:host_id", skip_serializing_if = "Option::is_none")]
    pub binding_host_id: Option<String>,
    /// At most 50 of at most 60 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Changes to a port; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PortUpdate {
    /// See [`PortCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`PortCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`PortCreate::admin_state_up`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// Refused for a bound port unless an administrator asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    /// The whole new list; an entry that names only a subnet keeps the port's address from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_ips: Option<Vec<FixedIpAsked>>,
    /// See [`PortCreate::port_security_enabled`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_security_enabled: Option<bool>,
    /// The whole new list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_groups: Option<Vec<String>>,
    /// The whole new list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_address_pairs: Option<Vec<AddressPair>>,
    /// See [`PortCreate::device_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// See [`PortCreate::device_owner`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_owner: Option<String>,
    /// See [`PortCreate::dns_name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// See [`PortCreate::qos_policy_id`]; null takes it off.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::envelope::nullable")]
    #[schema(value_type = Option<String>)]
    pub qos_policy_id: Option<Option<String>>,
    /// What is chosen anew, or no longer (a value of null); other options stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_dhcp_opts: Option<Vec<ExtraDhcpOpt>>,
    /// See [`PortCreate::binding_host_id`]; null clears it.
    #[serde(
        rename = "binding:host_id",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::envelope::nullable"
    )]
    #[schema(value_type = Option<String>)]
    pub binding_host_id: Option<Option<String>>,
}
