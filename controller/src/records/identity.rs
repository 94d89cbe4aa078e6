//! How users, roles, application credentials and tokens look on disk. Of secrets there is only what checks them.

use serde::{Deserialize, Serialize};
use weft_model::{
    AppCredential, Assignment, CredentialReach, CredentialSecret, PasswordHash, Role, Session, Timestamp,
    Token, TokenRole, User,
};

use super::{Names, StoredStamp, id};

#[derive(Serialize, Deserialize)]
pub(super) struct StoredToken {
    id: String,
    role: String,
    tenant: Option<String>,
    digest: [u8; 32],
    description: String,
    created: u64,
    expires: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<StoredSession>,
}

#[derive(Serialize, Deserialize)]
struct StoredSession {
    user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

impl From<&Token> for StoredToken {
    fn from(t: &Token) -> Self {
        let role = match &t.role {
            TokenRole::Admin => "admin",
            TokenRole::Member(_) => "member",
            TokenRole::Reader(_) => "reader",
            TokenRole::Unscoped => "unscoped",
        };
        let session = t.session.as_ref().map(|session| StoredSession {
            user: session.user.to_string(),
            project: session.project.as_ref().map(ToString::to_string),
            credential: session.credential.map(|id| id.to_string()),
        });
        StoredToken {
            id: t.id.to_string(),
            role: role.into(),
            tenant: t.role.tenant().map(ToString::to_string),
            digest: t.digest,
            description: t.description.clone(),
            created: t.created.0,
            expires: t.expires.map(|at| at.0),
            session,
        }
    }
}

impl StoredToken {
    pub(super) fn parse(self, names: &mut Names) -> Result<Token, String> {
        let role = match (self.role.as_str(), self.tenant) {
            ("admin", None) => TokenRole::Admin,
            ("unscoped", None) => TokenRole::Unscoped,
            ("member", Some(tenant)) => TokenRole::Member(names.tenant(&tenant)?),
            ("reader", Some(tenant)) => TokenRole::Reader(names.tenant(&tenant)?),
            (role, _) => return Err(format!("role {role:?} is not one of admin, member, reader, unscoped")),
        };
        let session = self.session.map(|session| {
            Ok::<_, String>(Session {
                user: id(&session.user)?,
                project: session.project.map(|project| names.tenant(&project)).transpose()?,
                credential: session.credential.map(|credential| id(&credential)).transpose()?,
            })
        });
        Ok(Token {
            id: id(&self.id)?,
            role,
            digest: self.digest,
            description: self.description,
            created: Timestamp(self.created),
            expires: self.expires.map(Timestamp),
            session: session.transpose()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredUser<'a> {
    id: String,
    #[serde(borrow)]
    stamp: StoredStamp<'a>,
    #[serde(default)]
    email: String,
    enabled: bool,
    password: Option<String>,
    default_tenant: Option<String>,
}

impl<'a> From<&'a User> for StoredUser<'a> {
    fn from(u: &'a User) -> Self {
        StoredUser {
            id: u.id.to_string(),
            stamp: (&u.stamp).into(),
            email: u.email.clone(),
            enabled: u.enabled,
            password: u.password.as_ref().map(|password| password.as_str().to_owned()),
            default_tenant: u.default_tenant.as_ref().map(ToString::to_string),
        }
    }
}

impl StoredUser<'_> {
    pub(super) fn parse(self, names: &mut Names) -> Result<User, String> {
        Ok(User {
            id: id(&self.id)?,
            stamp: self.stamp.into(),
            email: self.email,
            enabled: self.enabled,
            password: self.password.map(PasswordHash::new),
            default_tenant: self.default_tenant.map(|tenant| names.tenant(&tenant)).transpose()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredAssignment {
    user: String,
    tenant: String,
    roles: Vec<String>,
}

impl From<&Assignment> for StoredAssignment {
    fn from(a: &Assignment) -> Self {
        StoredAssignment {
            user: a.user.to_string(),
            tenant: a.tenant.to_string(),
            roles: a.roles.iter().map(|role| role.name().to_owned()).collect(),
        }
    }
}

impl StoredAssignment {
    pub(super) fn parse(self, names: &mut Names) -> Result<Assignment, String> {
        let roles = self.roles.iter().map(|name| role(name)).collect::<Result<_, _>>()?;
        Ok(Assignment { user: id(&self.user)?, tenant: names.tenant(&self.tenant)?, roles })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredAppCredential {
    id: String,
    user: String,
    tenant: String,
    role: String,
    name: String,
    description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<[u8; 32]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    unrestricted: bool,
    created: u64,
    expires: Option<u64>,
}

impl From<&AppCredential> for StoredAppCredential {
    fn from(c: &AppCredential) -> Self {
        let (digest, hash) = match &c.secret {
            CredentialSecret::Drawn(digest) => (Some(*digest), None),
            CredentialSecret::Chosen(hash) => (None, Some(hash.as_str().to_owned())),
        };
        StoredAppCredential {
            id: c.id.to_string(),
            user: c.user.to_string(),
            tenant: c.tenant.to_string(),
            role: c.role.name().into(),
            name: c.name.clone(),
            description: c.description.clone(),
            digest,
            hash,
            unrestricted: c.reach == CredentialReach::Unrestricted,
            created: c.created.0,
            expires: c.expires.map(|at| at.0),
        }
    }
}

impl StoredAppCredential {
    pub(super) fn parse(self, names: &mut Names) -> Result<AppCredential, String> {
        let secret = match (self.digest, self.hash) {
            (Some(digest), None) => CredentialSecret::Drawn(digest),
            (None, Some(hash)) => CredentialSecret::Chosen(PasswordHash::new(hash)),
            _ => return Err("must have either a digest or a hash".into()),
        };
        let reach =
            if self.unrestricted { CredentialReach::Unrestricted } else { CredentialReach::Restricted };
        Ok(AppCredential {
            id: id(&self.id)?,
            user: id(&self.user)?,
            tenant: names.tenant(&self.tenant)?,
            role: role(&self.role)?,
            name: self.name,
            description: self.description,
            secret,
            reach,
            created: Timestamp(self.created),
            expires: self.expires.map(Timestamp),
        })
    }
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| format!("role {name:?} is not one of admin, member, reader"))
}
