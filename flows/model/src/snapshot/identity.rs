//! Users, their roles and their credentials in the state, and which tokens are theirs.

use std::sync::Arc;

use uuid::Uuid;

use super::{Map, Snapshot};
use crate::change::{Key, Record};
use crate::{
    AppCredential, AppCredentialId, Assignment, Role, TenantId, Timestamp, Token, TokenId, User, UserId,
};

/// Users, roles and credentials, and what is derived from them and from tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Identity {
    users: Map<UserId, Arc<User>>,
    assignments: Map<(UserId, TenantId), Arc<Assignment>>,
    credentials: Map<AppCredentialId, Arc<AppCredential>>,
    // Indexes.
    users_by_name: Map<String, UserId>,
    assignments_by_tenant: Map<(TenantId, UserId), ()>,
    /// Where somebody is administrator.
    admins: Map<(UserId, TenantId), ()>,
    credentials_by_user: Map<(UserId, AppCredentialId), ()>,
    /// The tokens that users got by logging in, the oldest first.
    sessions_by_user: Map<(UserId, Timestamp, TokenId), ()>,
    /// The same by when they end.
    sessions_by_end: Map<(Timestamp, TokenId), ()>,
}

impl Identity {
    /// What follows from these records.
    pub(super) fn of<'a>(records: &[Record], tokens: impl Iterator<Item = &'a Arc<Token>>) -> Identity {
        let mut identity = Identity::default();
        for record in records {
            // Of several records with one key the last one stands.
            if let Some(before) = identity.record(&record.key()) {
                identity.remove(&before);
            }
            identity.put(record);
        }
        tokens.for_each(|token| identity.put_token(token));
        identity
    }

    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let users = self.users.values().cloned().map(Record::User);
        let assignments = self.assignments.values().cloned().map(Record::Assignment);
        users.chain(assignments).chain(self.credentials.values().cloned().map(Record::AppCredential))
    }

    pub(super) fn record(&self, key: &Key) -> Option<Record> {
        match key {
            Key::User(id) => self.users.get(id).cloned().map(Record::User),
            Key::Assignment(user, tenant) => {
                self.assignments.get(&(user.clone(), tenant.clone())).cloned().map(Record::Assignment)
            }
            Key::AppCredential(id) => self.credentials.get(id).cloned().map(Record::AppCredential),
            _ => None,
        }
    }

    pub(super) fn put(&mut self, record: &Record) {
        match record {
            Record::User(r) => {
                self.users_by_name.insert(r.stamp.name.clone(), r.id.clone());
                self.users.insert(r.id.clone(), r.clone());
            }
            Record::Assignment(r) => {
                let key = (r.user.clone(), r.tenant.clone());
                self.assignments_by_tenant.insert((r.tenant.clone(), r.user.clone()), ());
                if r.roles.contains(&Role::Admin) {
                    self.admins.insert(key.clone(), ());
                }
                self.assignments.insert(key, r.clone());
            }
            Record::AppCredential(r) => {
                self.credentials_by_user.insert((r.user.clone(), r.id), ());
                self.credentials.insert(r.id, r.clone());
            }
            _ => {}
        }
    }

    pub(super) fn remove(&mut self, record: &Record) {
        match record {
            Record::User(r) => {
                self.users_by_name.remove(&r.stamp.name);
                self.users.remove(&r.id);
            }
            Record::Assignment(r) => {
                let key = (r.user.clone(), r.tenant.clone());
                self.assignments_by_tenant.remove(&(r.tenant.clone(), r.user.clone()));
                self.admins.remove(&key);
                self.assignments.remove(&key);
            }
            Record::AppCredential(r) => {
                self.credentials_by_user.remove(&(r.user.clone(), r.id));
                self.credentials.remove(&r.id);
            }
            _ => {}
        }
    }

    pub(super) fn put_token(&mut self, token: &Token) {
        let Some(session) = &token.session else { return };
        self.sessions_by_user.insert((session.user.clone(), token.created, token.id), ());
        if let Some(end) = token.expires {
            self.sessions_by_end.insert((end, token.id), ());
        }
    }

    pub(super) fn remove_token(&mut self, token: &Token) {
        let Some(session) = &token.session else { return };
        self.sessions_by_user.remove(&(session.user.clone(), token.created, token.id));
        if let Some(end) = token.expires {
            self.sessions_by_end.remove(&(end, token.id));
        }
    }
}

/// Users and what they may do.
impl Snapshot {
    /// A user by id.
    pub fn user(&self, id: &UserId) -> Option<&Arc<User>> {
        self.identity.users.get(id)
    }

    /// The user of that name.
    pub fn user_by_name(&self, name: &str) -> Option<&Arc<User>> {
        self.identity.users.get(self.identity.users_by_name.get(&name.to_owned())?)
    }

    /// All users, by id.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.identity.users.values()
    }

    /// The roles of a user for a tenant.
    pub fn assignment(&self, user: &UserId, tenant: &TenantId) -> Option<&Arc<Assignment>> {
        self.identity.assignments.get(&(user.clone(), tenant.clone()))
    }

    /// All roles of all users, by user and tenant.
    pub fn assignments(&self) -> impl Iterator<Item = &Arc<Assignment>> {
        self.identity.assignments.values()
    }

    /// The roles of a user, by tenant.
    pub fn assignments_of(&self, user: &UserId) -> impl Iterator<Item = &Arc<Assignment>> {
        let entries = self.identity.assignments.starting_at(&(user.clone(), TenantId::first()));
        let user = user.clone();
        entries.take_while(move |((u, _), _)| *u == user).map(|(_, assignment)| assignment)
    }

    /// The roles that users have for a tenant, by user.
    pub fn assignments_on(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<Assignment>> {
        let keys = self.identity.assignments_by_tenant.starting_at(&(tenant.clone(), UserId::first()));
        let tenant = tenant.clone();
        keys.take_while(move |((t, _), ())| *t == tenant)
            .filter_map(|((tenant, user), ())| self.assignment(user, tenant))
    }

    /// What a user may do for a tenant, if the tenant is enabled.
    pub fn role_of(&self, user: &UserId, tenant: &TenantId) -> Option<Role> {
        self.tenant(tenant).filter(|tenant| tenant.enabled)?;
        self.assignment(user, tenant)?.strongest()
    }

    /// The users who can be administrators now: they and the tenant that makes them so are enabled. Somebody may come up more
    /// than once.
    pub fn administrators(&self) -> impl Iterator<Item = &Arc<User>> {
        self.identity.admins.iter().filter_map(|((user, tenant), ())| {
            let is_on = self.tenant(tenant).is_some_and(|tenant| tenant.enabled);
            self.user(user).filter(|user| is_on && user.enabled)
        })
    }

    /// An application credential by id.
    pub fn app_credential(&self, id: &AppCredentialId) -> Option<&Arc<AppCredential>> {
        self.identity.credentials.get(id)
    }

    /// The application credentials of a user, by id.
    pub fn app_credentials_of(&self, user: &UserId) -> impl Iterator<Item = &Arc<AppCredential>> {
        let first = (user.clone(), AppCredentialId(Uuid::nil()));
        let keys = self.identity.credentials_by_user.starting_at(&first);
        let user = user.clone();
        keys.take_while(move |((u, _), ())| *u == user)
            .filter_map(|((_, id), ())| self.identity.credentials.get(id))
    }

    /// The tokens that a user got by logging in, the oldest first.
    pub fn sessions_of(&self, user: &UserId) -> impl Iterator<Item = &Arc<Token>> {
        let first = (user.clone(), Timestamp(0), TokenId(Uuid::nil()));
        let keys = self.identity.sessions_by_user.starting_at(&first);
        let user = user.clone();
        keys.take_while(move |((u, _, _), ())| *u == user).filter_map(|((_, _, id), ())| self.token(id))
    }

    /// The tokens that users got by logging in and that are not accepted any more at `now`, the oldest first.
    pub fn sessions_ended(&self, now: Timestamp) -> impl Iterator<Item = &Arc<Token>> {
        let entries = self.identity.sessions_by_end.iter();
        entries.take_while(move |((end, _), ())| *end <= now).filter_map(|((_, id), ())| self.token(id))
    }
}
