//! The little of the OpenStack Identity API v3 that clients need to log in: they show a Weft token as a password.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Problem;
use crate::discovery::Link;

/// The answer to `GET /v3`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct IdentityVersion {
    /// The version.
    pub version: IdentityVersionDetail,
}

/// What there is of the Identity API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct IdentityVersionDetail {
    /// Like `v3.14`.
    pub id: String,
    /// `stable`.
    pub status: String,
    /// When its definition last changed, RFC 3339.
    pub updated: String,
    /// Where it begins.
    pub links: Vec<Link>,
}

/// The answer to a login. The token itself is in the header `X-Subject-Token`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Login {
    /// What the token stands for.
    pub token: LoginToken,
}

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LoginToken {
    /// How the caller logged in.
    pub methods: Vec<String>,
    /// When it was issued, RFC 3339 in UTC.
    pub issued_at: String,
    /// When to log in again, RFC 3339 in UTC.
    pub expires_at: String,
    /// Who logged in: the token's handle.
    pub user: LoginUser,
    /// The tenant that the token speaks for; absent for an administrator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<LoginProject>,
    /// `admin`, `member` or `reader`.
    pub roles: Vec<LoginRole>,
    /// Where the APIs are.
    pub catalog: Vec<Service>,
}

/// A user, of whom there is one per token.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LoginUser {
    /// The token's handle.
    pub id: String,
    /// The same.
    pub name: String,
    /// Always the default domain.
    pub domain: Domain,
}

/// A tenant in the words of the Identity API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LoginProject {
    /// The tenant's id.
    pub id: String,
    /// The tenant's name.
    pub name: String,
    /// Always the default domain.
    pub domain: Domain,
}

/// The one domain that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Domain {
    /// `default`.
    pub id: String,
    /// `Default`.
    pub name: String,
}

impl Default for Domain {
    fn default() -> Domain {
        Domain { id: "default".into(), name: "Default".into() }
    }
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LoginRole {
    /// The role's name.
    pub id: String,
    /// The same.
    pub name: String,
}

/// An API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// Its type.
    pub id: String,
    /// `network` or `identity`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `weft`.
    pub name: String,
    /// Where it is.
    pub endpoints: Vec<Endpoint>,
}

/// Where an API is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// Its name.
    pub id: String,
    /// For whom: `public`, `internal`, `admin`; all the same here.
    pub interface: String,
    /// Always `RegionOne`.
    pub region: String,
    /// Always `RegionOne`.
    pub region_id: String,
    /// The address.
    pub url: String,
}

/// Tenants in the words of the Identity API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProjectList {
    /// All that the caller may see.
    pub projects: Vec<Project>,
}

/// One tenant in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProjectEnvelope {
    /// The tenant.
    pub project: Project,
}

/// A tenant in the words of the Identity API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
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
}

/// The error body under `/v3`: what OpenStack clients read, together with the problem details.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct IdentityError {
    /// What OpenStack clients read.
    pub error: IdentityFault,
    /// The same, as problem details.
    #[serde(flatten)]
    pub problem: Problem,
}

/// What OpenStack clients read of an error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct IdentityFault {
    /// The status code.
    pub code: u16,
    /// What the status code means.
    pub title: String,
    /// What went wrong in this request.
    pub message: String,
}
