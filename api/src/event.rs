//! What happened to an object: one event of `/v1/events`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What happened to one object. On the wire it is the data of a server-sent event, whose id is `REVISION.INDEX`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Event {
    /// The revision of the store that did it. Several objects may change in one.
    pub revision: u64,
    /// The kind of object, as it stands in envelopes: `network`, `security_group_rule`.
    pub kind: String,
    /// `created`, `updated` or `deleted`.
    pub verb: String,
    /// The object's id.
    pub id: String,
    /// Whose it is; null for what belongs to no tenant.
    pub project_id: Option<String>,
    /// The object as the API shows it; a deleted one as it was at last.
    #[schema(value_type = Object)]
    pub object: Value,
}
