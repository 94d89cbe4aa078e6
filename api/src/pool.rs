//! Subnet pools and address scopes, as `/v2.0/subnetpools` and `/v2.0/address-scopes` show and take them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Prefixes that subnets are cut from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubnetPool {
    /// Its UUID.
    pub id: String,
    /// What the tenant calls it; need not be unique.
    pub name: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// What there is to cut from.
    pub prefixes: Vec<String>,
    /// 4 or 6.
    pub ip_version: u8,
    /// The length of a subnet's prefix when nobody says, as a text.
    pub default_prefixlen: String,
    /// The shortest prefix that a subnet may have, as a text.
    pub min_prefixlen: String,
    /// The longest prefix that a subnet may have, as a text.
    pub max_prefixlen: String,
    /// How much of it one tenant may have, in addresses of IPv4 or /64 prefixes of IPv6; null for no limit.
    pub default_quota: Option<u32>,
    /// The address scope that it is in, or null.
    pub address_scope_id: Option<String>,
    /// Whether it is meant by those who ask for the default pool of its family.
    pub is_default: bool,
    /// Whether every tenant may cut from it.
    pub shared: bool,
    /// Free text.
    pub description: String,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the object.
    pub revision_number: u64,
}

/// A subnet pool to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubnetPoolCreate {
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be; an administrator must name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// What there is to cut from: 1 to 256 prefixes of one family.
    pub prefixes: Vec<String>,
    /// The shortest length when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_prefixlen: Option<u8>,
    /// Default 8, for IPv6 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_prefixlen: Option<u8>,
    /// Default 32, for IPv6 128.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_prefixlen: Option<u8>,
    /// Default no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_quota: Option<u32>,
    /// Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_scope_id: Option<String>,
    /// Default false; administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
    /// Default false; administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
    /// At most 50 of at most 60 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Changes to a subnet pool; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubnetPoolUpdate {
    /// See [`SubnetPoolCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`SubnetPoolCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The whole new list, which must contain the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefixes: Option<Vec<String>>,
    /// See [`SubnetPoolCreate::default_prefixlen`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_prefixlen: Option<u8>,
    /// See [`SubnetPoolCreate::min_prefixlen`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_prefixlen: Option<u8>,
    /// See [`SubnetPoolCreate::max_prefixlen`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_prefixlen: Option<u8>,
    /// Null for no limit.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::envelope::nullable")]
    #[schema(value_type = Option<u32>)]
    pub default_quota: Option<Option<u32>>,
    /// Null for none.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::envelope::nullable")]
    #[schema(value_type = Option<String>)]
    pub address_scope_id: Option<Option<String>>,
    /// Administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
}

/// A space of addresses of one family: no two subnet pools in it meet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AddressScope {
    /// Its UUID.
    pub id: String,
    /// What the tenant calls it; need not be unique.
    pub name: String,
    /// Whose it is, by the older name of the field.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// 4 or 6.
    pub ip_version: u8,
    /// Whether every tenant may have subnet pools in it.
    pub shared: bool,
    /// Free text.
    pub description: String,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the object.
    pub revision_number: u64,
}

/// An address scope to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AddressScopeCreate {
    /// 4 or 6.
    pub ip_version: u8,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be; an administrator must name one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Default false; administrators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
}

/// Changes to an address scope; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AddressScopeUpdate {
    /// See [`AddressScopeCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`AddressScopeCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Administrators only; what is shared stays so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
}
