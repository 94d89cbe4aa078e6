//! Planning users and what they may do.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::draft::{Draft, relabel, set};
use super::limits::Faults;
use super::{Labels, NewUser, PasswordChange, Rejected, UserPatch};
use crate::{Assignment, Key, PasswordHash, Record, Role, Snapshot, TenantId, TokenId, User, UserId};

impl Draft<'_> {
    pub(super) fn create_user(&mut self, new: &NewUser) -> Result<Key, Rejected> {
        self.admin_only("creating a user")?;
        if self.state.user(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "user", id: new.id.to_string() });
        }
        let labels =
            Labels { name: new.name.clone(), description: new.description.clone(), ..Labels::default() };
        self.put_user(User {
            id: new.id.clone(),
            stamp: self.stamp(&labels),
            email: new.email.clone(),
            enabled: new.enabled,
            password: new.password.clone(),
            default_tenant: new.default_tenant.clone(),
        })
    }

    pub(super) fn update_user(&mut self, id: &UserId, patch: &UserPatch) -> Result<Key, Rejected> {
        self.admin_only("changing a user")?;
        let before = self.user(id)?;
        let mut after = User::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.email, patch.email.clone());
        set(&mut after.enabled, patch.enabled);
        set(&mut after.password, patch.password.clone());
        set(&mut after.default_tenant, patch.default_tenant.clone());
        if after == *before {
            return Ok(Key::User(id.clone()));
        }
        if (before.enabled && !after.enabled) || before.password != after.password {
            self.end_sessions(id);
        }
        self.restamp(&mut after.stamp);
        let key = self.put_user(after)?;
        self.keep_an_administrator()?;
        Ok(key)
    }

    pub(super) fn change_password(&mut self, id: &UserId, change: &PasswordChange) -> Result<Key, Rejected> {
        self.only_for(id, "changing another user's password")?;
        let mut user = User::clone(&*self.user(id)?);
        if user.password.as_ref() != Some(&change.was) {
            return Err(Rejected::PasswordChanged(id.clone()));
        }
        user.password = Some(change.becomes.clone());
        self.restamp(&mut user.stamp);
        self.end_sessions(id);
        self.put_user(user)
    }

    /// With its roles, credentials and tokens.
    pub(super) fn delete_user(&mut self, id: &UserId) -> Result<Key, Rejected> {
        self.admin_only("deleting a user")?;
        self.user(id)?;
        let tenants: Vec<TenantId> = self.state.assignments_of(id).map(|a| a.tenant.clone()).collect();
        for tenant in tenants {
            self.delete(Key::Assignment(id.clone(), tenant));
        }
        let credentials: Vec<_> = self.state.app_credentials_of(id).map(|c| c.id).collect();
        for credential in credentials {
            self.delete(Key::AppCredential(credential));
        }
        self.end_sessions(id);
        let key = self.delete(Key::User(id.clone()));
        self.keep_an_administrator()?;
        Ok(key)
    }

    pub(super) fn assign(&mut self, user: &UserId, tenant: &TenantId, role: Role) -> Result<Key, Rejected> {
        self.admin_only("giving a role")?;
        self.user(user)?;
        if self.state.tenant(tenant).is_none() {
            return Err(Rejected::TenantNotFound(tenant.clone()));
        }
        let mut roles = self.roles(user, tenant);
        roles.insert(role);
        Ok(self.put_roles(user, tenant, roles))
    }

    pub(super) fn unassign(&mut self, user: &UserId, tenant: &TenantId, role: Role) -> Result<Key, Rejected> {
        self.admin_only("taking a role")?;
        let mut roles = self.roles(user, tenant);
        if !roles.remove(&role) {
            return Err(Rejected::RoleNotAssigned { user: user.clone(), tenant: tenant.clone(), role });
        }
        let key = self.put_roles(user, tenant, roles);
        self.keep_an_administrator()?;
        Ok(key)
    }

    /// What users may do for a tenant ends with it.
    pub(super) fn drop_assignments_on(&mut self, tenant: &TenantId) {
        let users: Vec<UserId> = self.state.assignments_on(tenant).map(|a| a.user.clone()).collect();
        for user in users {
            let credentials = self.state.app_credentials_of(&user).filter(|c| c.tenant == *tenant);
            let credentials: Vec<_> = credentials.map(|c| c.id).collect();
            for credential in credentials {
                self.delete(Key::AppCredential(credential));
            }
            self.delete(Key::Assignment(user, tenant.clone()));
        }
        let prefer = |user: &&Arc<User>| user.default_tenant.as_ref() == Some(tenant);
        let users: Vec<Arc<User>> = self.state.users().filter(prefer).cloned().collect();
        for user in users {
            self.put(Record::User(Arc::new(User { default_tenant: None, ..User::clone(&user) })));
        }
    }

    /// Refuses what would leave nobody who can be administrator, where there was somebody before.
    pub(super) fn keep_an_administrator(&self) -> Result<(), Rejected> {
        let has = |state: &Snapshot| state.administrators().next().is_some();
        if has(self.base()) && !has(&self.state) { Err(Rejected::LastAdministrator) } else { Ok(()) }
    }

    pub(super) fn user(&self, id: &UserId) -> Result<Arc<User>, Rejected> {
        self.state.user(id).cloned().ok_or_else(|| Rejected::UserNotFound(id.clone()))
    }

    fn roles(&self, user: &UserId, tenant: &TenantId) -> BTreeSet<Role> {
        self.state.assignment(user, tenant).map(|assignment| assignment.roles.clone()).unwrap_or_default()
    }

    fn put_roles(&mut self, user: &UserId, tenant: &TenantId, roles: BTreeSet<Role>) -> Key {
        let (user, tenant) = (user.clone(), tenant.clone());
        if roles.is_empty() {
            return self.delete(Key::Assignment(user, tenant));
        }
        self.put(Record::Assignment(Arc::new(Assignment { user, tenant, roles })))
    }

    fn end_sessions(&mut self, user: &UserId) {
        let tokens: Vec<TokenId> = self.state.sessions_of(user).map(|token| token.id).collect();
        for token in tokens {
            self.delete(Key::Token(token));
        }
    }

    fn put_user(&mut self, user: User) -> Result<Key, Rejected> {
        let mut faults = Faults::default();
        faults.check_stamp(&user.stamp);
        if user.stamp.name.trim().is_empty() {
            faults.add("name", "must have at least one character");
        }
        faults.check_text("email", &user.email);
        if user.password.as_ref().is_some_and(|password| !is_phc(password)) {
            faults.add("password", "must have been hashed");
        }
        faults.settle()?;
        if let Some(tenant) = &user.default_tenant
            && self.state.tenant(tenant).is_none()
        {
            return Err(Rejected::TenantNotFound(tenant.clone()));
        }
        let other = self.state.user_by_name(&user.stamp.name).filter(|other| other.id != user.id);
        if other.is_some() {
            return Err(Rejected::NameTaken { what: "user", name: user.stamp.name });
        }
        Ok(self.put(Record::User(Arc::new(user))))
    }
}

/// A password that nobody hashed must never be stored.
pub(super) fn is_phc(hash: &PasswordHash) -> bool {
    hash.as_str().starts_with("$argon2id$") && hash.as_str().len() <= 255
}
