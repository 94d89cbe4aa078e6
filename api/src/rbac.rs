//! RBAC policies, as `/v2.0/rbac-policies` shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A permission to use what is another tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RbacPolicy {
    /// Its UUID.
    pub id: String,
    /// Whose it is, by the older name of the field: the object's owner.
    pub tenant_id: String,
    /// Whose it is.
    pub project_id: String,
    /// What is shared: `network`, `security_group`, `address_group`, `subnetpool` or `address_scope`.
    pub object_type: String,
    /// Which one.
    pub object_id: String,
    /// `access_as_shared`, or for networks that lead outside `access_as_external`.
    pub action: String,
    /// The tenant that may use it; `*` for every one.
    pub target_tenant: String,
}

/// An RBAC policy to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RbacPolicyCreate {
    /// See [`RbacPolicy::object_type`].
    pub object_type: String,
    /// Which one; the caller must own it.
    pub object_id: String,
    /// See [`RbacPolicy::action`]; only administrators give access to the outside.
    pub action: String,
    /// The tenant that may use it; `*`, for every one, is for administrators only.
    pub target_tenant: String,
    /// Taken for the object's owner, whatever it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
}

/// Changes to an RBAC policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RbacPolicyUpdate {
    /// See [`RbacPolicyCreate::target_tenant`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_tenant: Option<String>,
}
