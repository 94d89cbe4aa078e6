//! Errors: the problem details of RFC 9457, and the error body of the OpenStack Networking API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Problem details (RFC 9457), the body of every error. Under `/v2.0` the same body also has a `NeutronError` member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Problem {
    /// The kind of error in one word, like `NetworkNotFound`; the same word as [`NeutronFault::kind`].
    #[serde(rename = "type")]
    pub kind: String,
    /// What the status code means.
    pub title: String,
    /// The status code.
    pub status: u16,
    /// What went wrong in this request.
    pub detail: String,
    /// The fields at fault, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The id of the request, as it stands in the controller's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FieldError {
    /// The field, with dots and list positions: `fixed_ips.0.ip_address`.
    pub field: String,
    /// The rule that it breaks.
    pub reason: String,
}

/// The error body under `/v2.0`: what OpenStack clients read, together with the problem details.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NeutronError {
    /// What OpenStack clients read.
    #[serde(rename = "NeutronError")]
    pub neutron_error: NeutronFault,
    /// The same, as problem details.
    #[serde(flatten)]
    pub problem: Problem,
}

/// What OpenStack clients read of an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NeutronFault {
    /// The kind of error in one word, like `NetworkNotFound`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What went wrong in this request.
    pub message: String,
    /// Always empty.
    pub detail: String,
}
