//! Users in the words of the Identity API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListLinks, SelfLink};

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct User {
    /// Its id.
    pub id: String,
    /// What it is called; unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Where to write to.
    pub email: String,
    /// When false, it cannot log in, and its tokens are refused.
    pub enabled: bool,
    /// Always `default`.
    pub domain_id: String,
    /// The tenant it acts for when it does not say.
    pub default_project_id: Option<String>,
    /// Always null.
    pub password_expires_at: Option<String>,
    /// Always empty.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Where it is.
    pub links: SelfLink,
}

/// A user to create.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserCreate {
    /// 1 to 255 characters.
    pub name: String,
    /// What it shows to log in; without one it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_id: Option<String>,
    /// The tenant it acts for when it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_project_id: Option<String>,
}

/// Changes to a user; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserUpdate {
    /// See [`UserCreate::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`UserCreate::password`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// See [`UserCreate::description`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// See [`UserCreate::email`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// See [`UserCreate::enabled`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// See [`UserCreate::default_project_id`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_project_id: Option<String>,
}

/// A new password, and the old one as a proof.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct PasswordChange {
    /// The new password.
    pub password: String,
    /// The old one.
    pub original_password: String,
}

/// One user in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct UserEnvelope {
    /// The user.
    pub user: User,
}

/// Users.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    /// Those that pass the filters.
    pub users: Vec<User>,
    /// Where this is, and how it goes on.
    #[serde(default)]
    pub links: ListLinks,
}
