//! Roles and who has them, in the words of the Identity API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Domain, ListLinks, SelfLink};

/// A role. There are three: `admin` includes `member`, which includes `reader`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Role {
    /// The role's name.
    pub id: String,
    /// The same.
    pub name: String,
    /// What it allows.
    pub description: String,
    /// Always null.
    pub domain_id: Option<String>,
    /// Always empty.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Where it is.
    pub links: SelfLink,
}

/// One role in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RoleEnvelope {
    /// The role.
    pub role: Role,
}

/// Roles.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RoleList {
    /// Those that pass the filters.
    pub roles: Vec<Role>,
    /// Where this is.
    #[serde(default)]
    pub links: ListLinks,
}

/// Something by its id and, where names were asked for, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The domain of users and projects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
}

/// Who has which role where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RoleAssignment {
    /// Which role.
    pub role: Named,
    /// Who.
    pub user: Named,
    /// Where.
    pub scope: AssignedScope,
    /// Where the assignment is.
    pub links: AssignedLink,
}

/// Where a role counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AssignedScope {
    /// For which tenant.
    pub project: Named,
}

/// Where an assignment is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AssignedLink {
    /// Its address.
    pub assignment: String,
}

/// Who has which role where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RoleAssignmentList {
    /// Those that pass the filters.
    pub role_assignments: Vec<RoleAssignment>,
    /// Where this is.
    #[serde(default)]
    pub links: ListLinks,
}
