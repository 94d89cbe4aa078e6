//! API tokens, as `/v1/tenants/{id}/tokens` shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An API token. The secret itself is shown once, in the answer to its creation, and never stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Token {
    /// The handle by which it is listed and revoked.
    pub id: String,
    /// The secret to send as `X-Auth-Token` or `Authorization: Bearer`. Only in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The tenant that it speaks for; null for an administrator's.
    pub tenant_id: Option<String>,
    /// `admin`, `member` (reads and writes) or `reader`.
    pub role: String,
    /// What it is for, in its maker's words.
    pub description: String,
    /// When it was made, RFC 3339 in UTC.
    pub created_at: String,
    /// When it stops being accepted, RFC 3339 in UTC, or null for never.
    pub expires_at: Option<String>,
}

/// A token to create; what is absent takes its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TokenCreate {
    /// `member` (the default) or `reader`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// At most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// RFC 3339; never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}
