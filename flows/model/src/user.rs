//! Users, what they may do for which tenant, and the credentials that programs show in their name.

use std::collections::BTreeSet;
use std::fmt;

use crate::ids::{AppCredentialId, TenantId, UserId};
use crate::stamp::{Stamp, Timestamp};

/// What somebody may do for a tenant. Each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Read what belongs to the tenant.
    Reader,
    /// Read and write what belongs to the tenant.
    Member,
    /// Everything, for every tenant: as the field knows it, on whichever tenant the role was given.
    Admin,
}

impl Role {
    /// All roles, the strongest first.
    pub const ALL: [Role; 3] = [Role::Admin, Role::Member, Role::Reader];

    /// Its name in the API, which is its id as well.
    pub fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Member => "member",
            Role::Reader => "reader",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// This role and those that it includes, the strongest first.
    pub fn with_included(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| *role <= self)
    }
}

/// What is kept of a password: a PHC string (`$argon2id$...`). It never shows in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash from its text.
    pub fn new(text: impl Into<String>) -> PasswordHash {
        PasswordHash(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id; 32 hex digits when Weft made it.
    pub id: UserId,
    /// Name (unique among users), description, times.
    pub stamp: Stamp,
    /// Where to write to; Weft never does.
    pub email: String,
    /// A disabled user cannot log in, and its tokens are refused.
    pub enabled: bool,
    /// What it shows to log in; without one it cannot.
    pub password: Option<PasswordHash>,
    /// The tenant it acts for when it does not say.
    pub default_tenant: Option<TenantId>,
}

/// The roles that a user was given for a tenant; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Who.
    pub user: UserId,
    /// For which tenant.
    pub tenant: TenantId,
    /// What was given; what these include is not in it.
    pub roles: BTreeSet<Role>,
}

impl Assignment {
    /// The strongest of them, which includes all others.
    pub fn strongest(&self) -> Option<Role> {
        self.roles.last().copied()
    }
}

/// What is kept of the secret of an application credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSecret {
    /// SHA-256 of a secret that Weft drew: 256 random bits need no slow hash.
    Drawn([u8; 32]),
    /// The hash of a secret that somebody chose.
    Chosen(PasswordHash),
}

/// What its holder may do besides acting for the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialReach {
    /// No more.
    Restricted,
    /// Make and delete application credentials.
    Unrestricted,
}

/// An application credential: lets a program act for one tenant in a user's name, without the user's password. It ends with the
/// user, with the tenant, and with the user's role there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppCredential {
    /// Its id.
    pub id: AppCredentialId,
    /// In whose name.
    pub user: UserId,
    /// For which tenant.
    pub tenant: TenantId,
    /// What it may do there, at most; never more than the user.
    pub role: Role,
    /// What its user calls it; unique among the user's.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What it shows.
    pub secret: CredentialSecret,
    /// What it may do besides.
    pub reach: CredentialReach,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops being accepted, if ever.
    pub expires: Option<Timestamp>,
}
