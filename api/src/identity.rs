//! The OpenStack Identity API v3, as far as its clients need it: logging in, projects, users, roles, application credentials.

mod credential;
mod project;
mod role;
mod user;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Problem;
use crate::discovery::Link;

pub use credential::{
    AppCredential, AppCredentialCreate, AppCredentialEnvelope, AppCredentialList, RoleAsked,
};
pub use project::{Project, ProjectCreate, ProjectEnvelope, ProjectList, ProjectUpdate};
pub use role::{
    AssignedLink, AssignedScope, Named, Role, RoleAssignment, RoleAssignmentList, RoleEnvelope, RoleList,
};
pub use user::{PasswordChange, User, UserCreate, UserEnvelope, UserList, UserUpdate};

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
    /// Names of the token for logs: its handle.
    pub audit_ids: Vec<String>,
    /// Who logged in; for a token that an administrator made for a tenant, the token's handle.
    pub user: LoginUser,
    /// The tenant that the token speaks for; absent when it speaks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<LoginProject>,
    /// False where there is a project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_domain: Option<bool>,
    /// `admin`, `member`, `reader`: the role and those that it includes. Absent when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<LoginRole>,
    /// Where the APIs are. Absent when the token speaks for no tenant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub catalog: Vec<Service>,
}

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LoginUser {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Always the default domain.
    pub domain: Domain,
    /// Always null.
    pub password_expires_at: Option<String>,
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

/// The answer to `GET /v3/auth/catalog`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Catalog {
    /// Where the APIs are.
    pub catalog: Vec<Service>,
    /// Where this is.
    pub links: ListLinks,
}

/// The one domain, with what the Identity API says of domains.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DomainShown {
    /// `default`.
    pub id: String,
    /// `Default`.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Always true.
    pub enabled: bool,
    /// Where it is.
    pub links: SelfLink,
}

/// One domain in its envelope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DomainEnvelope {
    /// The domain.
    pub domain: DomainShown,
}

/// The domains, of which there is one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DomainList {
    /// Those that pass the filters.
    pub domains: Vec<DomainShown>,
    /// Where this is.
    pub links: ListLinks,
}

/// Where an object of the Identity API is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SelfLink {
    /// Its address.
    #[serde(rename = "self")]
    pub this: String,
}

/// Where a list of the Identity API is, and how it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ListLinks {
    /// Its address.
    #[serde(rename = "self")]
    pub this: String,
    /// The next page, if there is one.
    pub next: Option<String>,
    /// Always null.
    pub previous: Option<String>,
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
