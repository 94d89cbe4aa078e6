//! How far things have got and who is asking: `/v1/applied`, `/healthz`, `/readyz`, `/v1/whoami`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a revision has got.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Applied {
    /// The largest revision that every switch concerned has confirmed.
    pub revision: u64,
    /// Whether the revision that was asked for is in force on every switch that it concerns. False when the time was up
    /// first: the answer is then 200 as well, because waiting longer is all there is to do.
    pub applied: bool,
    /// The hosts that have not confirmed it. Shown to administrators only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
}

/// Whether the controller is alive or ready.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Health {
    /// `ok`, or `starting` while the state loaded at start has not been compiled yet.
    pub status: String,
    /// The controller's version.
    pub version: String,
    /// The store's revision.
    pub revision: u64,
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Whoami {
    /// `admin`, `member` or `reader`.
    pub role: String,
    /// The user; null for a token that was made for a tenant.
    pub user_id: Option<String>,
    /// The user's name.
    pub user_name: Option<String>,
    /// The tenant; null for an administrator who speaks for none.
    pub tenant_id: Option<String>,
    /// The tenant's name.
    pub tenant_name: Option<String>,
    /// The handle of the token that was used; null when the API asks for no tokens.
    pub token_id: Option<String>,
}
