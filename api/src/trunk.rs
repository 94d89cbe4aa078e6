//! Trunks, as `/v2.0/trunks` shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A port behind a tag of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubPort {
    /// The port.
    pub port_id: String,
    /// Always `vlan`.
    pub segmentation_type: String,
    /// Its tag, 1 to 4094.
    pub segmentation_id: u16,
}

/// A port that is taken from a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubPortRemoved {
    /// The port.
    pub port_id: String,
}

/// A parent port whose interface also carries the frames of its subports, each under a VLAN tag.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Trunk {
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
    /// When false, nothing about the trunk can be changed; its ports work.
    pub admin_state_up: bool,
    /// `ACTIVE` when its ports are, `BUILD` while some subports are not yet, `DOWN` when the parent is not.
    pub status: String,
    /// The parent, whose frames have no tag.
    pub port_id: String,
    /// The subports, by tag.
    pub sub_ports: Vec<SubPort>,
    /// Labels for filtering.
    pub tags: Vec<String>,
    /// When it was created, RFC 3339 in UTC.
    pub created_at: String,
    /// When it was last changed, RFC 3339 in UTC.
    pub updated_at: String,
    /// Grows by one with every change of the object.
    pub revision_number: u64,
}

/// A trunk to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TrunkCreate {
    /// The parent.
    pub port_id: String,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whose it is to be: the parent's tenant when absent; only an administrator may name another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// Its first subports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_ports: Option<Vec<SubPort>>,
}

/// Changes to a trunk; its subports change by `add_subports` and `remove_subports`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TrunkUpdate {
    /// See [`TrunkCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`TrunkCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`Trunk::admin_state_up`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
}

/// Subports to add.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubPorts {
    /// All of them.
    pub sub_ports: Vec<SubPort>,
}

/// Subports to remove.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubPortsRemoved {
    /// All of them.
    pub sub_ports: Vec<SubPortRemoved>,
}

/// What a trunk's parent shows of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TrunkDetails {
    /// The trunk.
    pub trunk_id: String,
    /// Its subports, by tag.
    pub sub_ports: Vec<SubPortDetails>,
}

/// What a trunk's parent shows of a subport.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SubPortDetails {
    /// The port.
    pub port_id: String,
    /// Its Ethernet address, which its workload sends from under the tag.
    pub mac_address: String,
    /// Always `vlan`.
    pub segmentation_type: String,
    /// Its tag.
    pub segmentation_id: u16,
}
