//! Ranges of VNIs, as `/v2.0/network_segment_ranges` shows and takes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// VNIs that networks get when nobody chooses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NetworkSegmentRange {
    /// Its UUID.
    pub id: String,
    /// What the operator calls it; need not be unique.
    pub name: String,
    /// Whether it is one of those that are always there: all VNIs of an encapsulation. They count only while the operator has
    /// made no range for everybody.
    pub default: bool,
    /// Whether it is for every tenant that has no range of its own.
    pub shared: bool,
    /// The tenant whose networks get them, by the older name of the field; null for a shared one.
    pub tenant_id: Option<String>,
    /// The tenant whose networks get them; null for a shared one.
    pub project_id: Option<String>,
    /// `vxlan`, `geneve` or `gre`.
    pub network_type: String,
    /// Always null.
    pub physical_network: Option<String>,
    /// The first VNI.
    pub minimum: u32,
    /// The last VNI.
    pub maximum: u32,
    /// The VNIs that networks have, each with the network's tenant.
    pub used: BTreeMap<String, String>,
    /// The first 1000 VNIs that no network has.
    pub available: Vec<u32>,
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

/// A range to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NetworkSegmentRangeCreate {
    /// `vxlan`, `geneve` or `gre`.
    pub network_type: String,
    /// The first VNI, 1..=16777215.
    pub minimum: u32,
    /// The last VNI.
    pub maximum: u32,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The tenant whose networks get them; everybody's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Whether it is everybody's: what `project_id` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
}

/// Changes to a range; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NetworkSegmentRangeUpdate {
    /// See [`NetworkSegmentRangeCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`NetworkSegmentRangeCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`NetworkSegmentRangeCreate::minimum`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u32>,
    /// See [`NetworkSegmentRangeCreate::maximum`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<u32>,
}
