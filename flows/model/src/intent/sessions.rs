//! Planning how users log in: the tokens that they get, and credentials for programs.

use std::sync::Arc;

use super::draft::{Draft, forbidden};
use super::limits::Faults;
use super::users::is_phc;
use super::{NewAppCredential, NewToken, Rejected};
use crate::{
    AppCredential, AppCredentialId, CredentialSecret, Key, Record, Session, Token, TokenId, TokenRole,
};

/// Most tokens that a user has by logging in; one more ends the oldest.
pub(super) const SESSIONS: usize = 1000;
/// Most application credentials of a user.
const CREDENTIALS: usize = 200;
/// How many tokens that are over one login clears away. More than one, so that they never pile up.
const PRUNED: usize = 16;

impl Draft<'_> {
    pub(super) fn create_token(&mut self, new: &NewToken) -> Result<Key, Rejected> {
        self.admin_only("creating a token")?;
        let is_known =
            self.state.token(&new.id).is_some() || self.state.token_by_digest(&new.digest).is_some();
        if is_known {
            return Err(Rejected::AlreadyExists { what: "token", id: new.id.to_string() });
        }
        if let Some(tenant) = new.role.tenant()
            && self.state.tenant(tenant).is_none()
        {
            return Err(Rejected::TenantNotFound(tenant.clone()));
        }
        let mut faults = Faults::default();
        faults.check_text("description", &new.description);
        if new.session.is_none() && new.role == TokenRole::Unscoped {
            faults.add("role", "must be one of a tenant or the operator's");
        }
        faults.settle()?;
        if let Some(session) = &new.session {
            self.admit(session)?;
        }
        Ok(self.put(Record::Token(Arc::new(Token {
            id: new.id,
            role: new.role.clone(),
            digest: new.digest,
            description: new.description.clone(),
            created: self.context.now,
            expires: new.expires,
            session: new.session.clone(),
        }))))
    }

    pub(super) fn delete_token(&mut self, id: TokenId) -> Result<Key, Rejected> {
        let token = self.state.token(&id).cloned();
        match token.as_ref().and_then(|token| token.session.as_ref()) {
            Some(session) => self.only_for(&session.user, "revoking another user's token")?,
            None => self.admin_only("revoking a token")?,
        }
        match token {
            Some(_) => Ok(self.delete(Key::Token(id))),
            None => Err(Rejected::TokenNotFound(id)),
        }
    }

    /// Who logs in must still be there when the token is made; and room is made for it.
    fn admit(&mut self, session: &Session) -> Result<(), Rejected> {
        let user = self.user(&session.user)?;
        let has_role = match &session.project {
            Some(tenant) => self.state.role_of(&user.id, tenant).is_some(),
            None => true,
        };
        let has_credential = match &session.credential {
            Some(id) => self.state.app_credential(id).is_some_and(|credential| credential.user == user.id),
            None => true,
        };
        if !user.enabled || !has_role || !has_credential {
            return Err(forbidden("logging in so"));
        }
        let ended = self.state.sessions_ended(self.context.now).take(PRUNED).map(|token| token.id);
        let mut gone: Vec<TokenId> = ended.collect();
        let own = self.state.sessions_of(&user.id).map(|token| token.id);
        let own: Vec<TokenId> = own.filter(|id| !gone.contains(id)).collect();
        gone.extend(own.iter().take((own.len() + 1).saturating_sub(SESSIONS)));
        for id in gone {
            self.delete(Key::Token(id));
        }
        Ok(())
    }

    pub(super) fn create_app_credential(&mut self, new: &NewAppCredential) -> Result<Key, Rejected> {
        self.only_for(&new.user, "making another user's application credential")?;
        self.user(&new.user)?;
        if self.state.app_credential(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "application credential", id: new.id.to_string() });
        }
        let most = self.state.role_of(&new.user, &new.tenant);
        if most.is_none_or(|most| most < new.role) {
            return Err(forbidden("giving away a role that one does not have"));
        }
        self.check_credential(new)?;
        Ok(self.put(Record::AppCredential(Arc::new(AppCredential {
            id: new.id,
            user: new.user.clone(),
            tenant: new.tenant.clone(),
            role: new.role,
            name: new.name.clone(),
            description: new.description.clone(),
            secret: new.secret.clone(),
            reach: new.reach,
            created: self.context.now,
            expires: new.expires,
        }))))
    }

    fn check_credential(&self, new: &NewAppCredential) -> Result<(), Rejected> {
        let mut faults = Faults::default();
        faults.check_text("name", &new.name);
        faults.check_text("description", &new.description);
        if new.name.trim().is_empty() {
            faults.add("name", "must have at least one character");
        }
        if new.expires.is_some_and(|expires| expires <= self.context.now) {
            faults.add("expires_at", "must be a time to come");
        }
        if matches!(&new.secret, CredentialSecret::Chosen(hash) if !is_phc(hash)) {
            faults.add("secret", "must have been hashed");
        }
        let own: Vec<_> = self.state.app_credentials_of(&new.user).collect();
        faults.check_count("application_credentials", own.len() + 1, CREDENTIALS);
        faults.settle()?;
        if own.iter().any(|other| other.name == new.name) {
            return Err(Rejected::NameTaken { what: "application credential", name: new.name.clone() });
        }
        Ok(())
    }

    /// With the tokens that it was shown for.
    pub(super) fn delete_app_credential(&mut self, id: AppCredentialId) -> Result<Key, Rejected> {
        let found = self.state.app_credential(&id).cloned();
        let credential = found.ok_or(Rejected::AppCredentialNotFound(id))?;
        self.only_for(&credential.user, "deleting another user's application credential")?;
        let by_it = |token: &&Arc<Token>| token.session.as_ref().is_some_and(|s| s.credential == Some(id));
        let tokens: Vec<TokenId> =
            self.state.sessions_of(&credential.user).filter(by_it).map(|token| token.id).collect();
        for token in tokens {
            self.delete(Key::Token(token));
        }
        Ok(self.delete(Key::AppCredential(id)))
    }
}
