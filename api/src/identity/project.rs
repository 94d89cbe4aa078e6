//! Tenants in the words of the Identity API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListLinks, SelfLink};

/// A tenant in the words of the Identity API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Project {
    /// The tenant's id.
    pub id: String,
    /// The tenant's name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Whether its tokens are accepted.
    pub enabled: bool,
    /// Always `default`.
    pub domain_id: String,
    /// Always false.
    pub is_domain: bool,
    /// Always `default`.
    pub parent_id: String,
    /// Labels.
    pub tags: Vec<String>,
    /// Always empty.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Where it is.
    pub links: SelfLink,
}

/// A tenant to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProjectCreate {
    /// 1 to 255 characters; no other tenant may have it.
    pub name: String,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_id: Option<String>,
    /// Only `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Only false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_domain: Option<bool>,
    /// Labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Changes to a tenant; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProjectUpdate {
    /// See [`ProjectCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`ProjectCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`ProjectCreate::enabled`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The whole new list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// One tenant in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProjectEnvelope {
    /// The tenant.
    pub project: Project,
}

/// Tenants in the words of the Identity API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProjectList {
    /// Those that the caller may see.
    pub projects: Vec<Project>,
    /// Where this is, and how it goes on.
    #[serde(default)]
    pub links: ListLinks,
}
