//! The audit log, as `GET /v1/audit` shows it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A part of the audit log, newest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AuditPage {
    /// What was done.
    pub entries: Vec<AuditEntry>,
    /// The `marker` that the next page is asked for with; null when there is none. A page may have fewer entries than the
    /// limit, or none, although there is a next one: entries that do not match are passed over so many at a time.
    pub next: Option<u64>,
}

/// What one request did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AuditEntry {
    /// Its number in the log.
    pub number: u64,
    /// When.
    pub time: String,
    /// The store's revision that it made; other requests may be in the same one.
    pub revision: u64,
    /// The id of the request, as its answer and the controller's log have it.
    pub request_id: String,
    /// Who it was.
    pub author: AuditAuthor,
    /// What became of which objects. A request with very many is told in several entries with the same request id.
    pub changes: Vec<AuditChange>,
}

/// Who did something. Tenants are shown the details of their own requests only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AuditAuthor {
    /// `admin`, `member` or `reader`.
    pub role: String,
    /// The handle of the token.
    pub token_id: Option<String>,
    /// The user that the token was given to.
    pub user_id: Option<String>,
    /// The tenant that the token speaks for.
    pub project_id: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AuditChange {
    /// The table of the store that it stands in: `networks`, `ports`, `security_rules`.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// `create`, `update` or `delete`.
    pub verb: String,
    /// The tenant that it belongs to; null for what is the operator's.
    pub project_id: Option<String>,
    /// The stored record before; null for what was new, and for records that are too large to tell.
    pub before: Option<Map<String, Value>>,
    /// The stored record after; null for what is gone.
    pub after: Option<Map<String, Value>>,
}
