//! The words of a request about users, what they may do, and how they log in.

use super::LabelsPatch;
use crate::{
    AppCredentialId, CredentialReach, CredentialSecret, PasswordHash, Role, TenantId, Timestamp, UserId,
};

/// A user to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// What it is called, 1 to 255 characters; unique among users.
    pub name: String,
    /// Free text, at most 255 characters.
    pub description: String,
    /// Where to write to, at most 255 characters.
    pub email: String,
    /// Whether it can log in.
    pub enabled: bool,
    /// What it shows to log in.
    pub password: Option<PasswordHash>,
    /// The tenant it acts for when it does not say; must exist.
    pub default_tenant: Option<TenantId>,
}

/// Changes to a user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserPatch {
    /// Name and description; users have no tags.
    pub labels: LabelsPatch,
    /// See [`NewUser::email`].
    pub email: Option<String>,
    /// See [`NewUser::enabled`]. Disabling ends the user's tokens.
    pub enabled: Option<bool>,
    /// See [`NewUser::password`]. A new one ends the user's tokens.
    pub password: Option<Option<PasswordHash>>,
    /// See [`NewUser::default_tenant`].
    pub default_tenant: Option<Option<TenantId>>,
}

/// A user's new password, by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordChange {
    /// What the old one was when it was looked at.
    pub was: PasswordHash,
    /// The new one.
    pub becomes: PasswordHash,
}

/// An application credential to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAppCredential {
    /// Its id.
    pub id: AppCredentialId,
    /// In whose name.
    pub user: UserId,
    /// For which tenant; the user must have a role there.
    pub tenant: TenantId,
    /// What it may do there; at most what the user may.
    pub role: Role,
    /// What it is called, 1 to 255 characters; unique among the user's.
    pub name: String,
    /// Free text, at most 255 characters.
    pub description: String,
    /// What is kept of its secret.
    pub secret: CredentialSecret,
    /// What it may do besides.
    pub reach: CredentialReach,
    /// When it stops being accepted, if ever.
    pub expires: Option<Timestamp>,
}
