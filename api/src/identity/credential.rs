//! Application credentials in the words of the Identity API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ListLinks, Role, SelfLink};

/// What a program shows to act for one tenant in a user's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AppCredential {
    /// Its id.
    pub id: String,
    /// What its user calls it.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The secret: in the answer that made it, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// In whose name it acts.
    pub user_id: String,
    /// For which tenant.
    pub project_id: String,
    /// With which roles there.
    pub roles: Vec<Role>,
    /// When it stops being accepted; null if never.
    pub expires_at: Option<String>,
    /// Whether it may make and delete application credentials.
    pub unrestricted: bool,
    /// Always null.
    pub system: Option<String>,
    /// Where it is.
    pub links: SelfLink,
}

/// A role, by id or name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RoleAsked {
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An application credential to create, for the tenant that the token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AppCredentialCreate {
    /// 1 to 255 characters; unique among the user's.
    pub name: String,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Drawn when absent, which is better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Those of the token when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<RoleAsked>>,
    /// When it stops being accepted; never when absent. Without a zone it is UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrestricted: Option<bool>,
}

/// One application credential in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AppCredentialEnvelope {
    /// The application credential.
    pub application_credential: AppCredential,
}

/// Application credentials.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AppCredentialList {
    /// Those that pass the filters.
    pub application_credentials: Vec<AppCredential>,
    /// Where this is.
    #[serde(default)]
    pub links: ListLinks,
}
