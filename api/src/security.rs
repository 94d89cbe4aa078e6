//! Security groups, their rules and address groups, as `/v2.0/security-groups`, `/v2.0/security-group-rules` and
//! `/v2.0/address-groups` show and take them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A named set of rules that ports can wear.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SecurityGroup {
    /// Its UUID.
    pub id: String,
    /// What the tenant calls it; `default` is the one that every tenant has.
    pub name: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// Free text.
    pub description: String,
    /// True when connections are remembered, so that replies pass by themselves.
    pub stateful: bool,
    /// Whether every tenant's ports may wear it.
    pub shared: bool,
    /// Its rules.
    pub security_group_rules: Vec<SecurityGroupRule>,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it or one of its rules was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the group or of its rules.
    pub revision_number: u64,
}

/// A security group to create; it begins with two rules that let everything out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SecurityGroupCreate {
    /// At most 255 characters, and not `default`.
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
    pub stateful: Option<bool>,
    /// At most 50 of at most 60 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Changes to a security group; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SecurityGroupUpdate {
    /// See [`SecurityGroupCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`SecurityGroupCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Only while no port wears the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateful: Option<bool>,
}

/// One thing that a security group lets through.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SecurityGroupRule {
    /// Its UUID.
    pub id: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// The group that it belongs to.
    pub security_group_id: String,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    /// `ingress` or `egress`, seen from the port.
    pub direction: String,
    /// A name like `tcp`, or a number, or null for every protocol.
    pub protocol: Option<String>,
    /// The lowest destination port, or the ICMP type, or null.
    pub port_range_min: Option<u16>,
    /// The highest destination port, or the ICMP code, or null.
    pub port_range_max: Option<u16>,
    /// The other side by its address, or null.
    pub remote_ip_prefix: Option<String>,
    /// The same without host bits.
    pub normalized_cidr: Option<String>,
    /// The other side as whoever wears this group, or null.
    pub remote_group_id: Option<String>,
    /// The other side as the addresses of this address group, or null.
    pub remote_address_group_id: Option<String>,
    /// Whether the group is its tenant's default group.
    pub belongs_to_default_sg: bool,
    /// Free text.
    pub description: String,
    /// Always empty.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// The same: rules do not change.
    pub updated_at: String,
    /// Stays the same: rules do not change.
    pub revision_number: u64,
}

/// A rule to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SecurityGroupRuleCreate {
    /// The group that it is for.
    pub security_group_id: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` (the default) or `IPv6`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ethertype: Option<String>,
    /// A name like `tcp`, or a number as text; every protocol when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The lowest destination port (of tcp, udp, sctp), or the ICMP type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range_min: Option<u16>,
    /// The highest destination port, or the ICMP code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range_max: Option<u16>,
    /// The other side by its address. At most one of the three may be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip_prefix: Option<String>,
    /// The other side as whoever wears this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_group_id: Option<String>,
    /// The other side as the addresses of this address group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_address_group_id: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A named set of prefixes for rules to name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AddressGroup {
    /// Its UUID.
    pub id: String,
    /// What the tenant calls it; need not be unique.
    pub name: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// Free text.
    pub description: String,
    /// Whether every tenant may name it in rules.
    pub shared: bool,
    /// Its prefixes.
    pub addresses: Vec<String>,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the object.
    pub revision_number: u64,
}

/// An address group to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AddressGroupCreate {
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be; an administrator must name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Prefixes, at most 1024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<String>>,
}

/// Changes to an address group; its addresses change by `add_addresses` and `remove_addresses`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AddressGroupUpdate {
    /// See [`AddressGroupCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`AddressGroupCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Prefixes to add to or remove from an address group.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AddressGroupAddresses {
    /// The prefixes.
    pub addresses: Vec<String>,
}

/// An address that a port may send from besides its own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AddressPair {
    /// An address or a prefix.
    pub ip_address: String,
    /// The Ethernet source; the port's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
}
