//! What a login shows, and whom it proves: a password, a token or an application credential.
//!
//! Whatever is wrong, the answer is the same and takes as long as hashing a password, so that nobody learns which users and
//! credentials there are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::Value;
use tracing::warn;
use weft_model::{
    AppCredential, AppCredentialId, CredentialSecret, PasswordHash, Session, Snapshot, TenantId, Timestamp,
    User,
};

use super::super::caller::Caller;
use super::super::failure::Failure;
use super::super::scope;
use super::{DOMAIN, Identity};
use crate::clock;
use crate::first_token;

/// From where a request came; unspecified where that is not known.
#[derive(Debug, Clone, Copy)]
pub(in crate::rest) struct Peer(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Peer, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        Ok(Peer(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// What a login shows.
#[derive(Debug)]
pub(super) enum Shown<'a> {
    Password { user: Who<'a>, password: &'a str },
    Token(&'a str),
    Credential { which: Which<'a>, secret: &'a str },
}

/// A user, by id or by name in the one domain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    is_elsewhere: bool,
}

/// An application credential, by id or by its user and its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Which<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    user: Who<'a>,
}

/// Whom a login proved.
#[derive(Debug)]
pub(super) enum Proven {
    /// The holder of a token that an administrator made for a tenant: it is given back.
    Weft(Caller),
    /// A user.
    User(ProvenUser),
}

/// A user, and what the way of proving it binds the session to.
#[derive(Debug)]
pub(super) struct ProvenUser {
    pub(super) user: Arc<User>,
    /// What the session must end with.
    pub(super) until: Option<Timestamp>,
    /// What the session was begun with: an application credential, and thus a tenant.
    pub(super) credential: Option<(AppCredentialId, TenantId)>,
}

impl<'a> Shown<'a> {
    /// Reads the `identity` of a login.
    pub(super) fn read(identity: &'a Value) -> Result<Shown<'a>, Failure> {
        let methods: Vec<&str> =
            identity["methods"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let known = ["password", "token", "application_credential"];
        let mut found = known.into_iter().filter(|known| methods.contains(known));
        found.find_map(|method| Shown::of_method(method, &identity[method])).ok_or_else(|| {
            let message = "Log in with a password, with a token, or with an application credential.";
            Failure::malformed(message)
        })
    }

    fn of_method(method: &str, shown: &'a Value) -> Option<Shown<'a>> {
        Some(match method {
            "password" => {
                let user = Who::read(&shown["user"]);
                Shown::Password { user, password: shown["user"]["password"].as_str()? }
            }
            "token" => Shown::Token(shown["id"].as_str()?),
            _ => {
                let (id, name) = (shown["id"].as_str(), shown["name"].as_str());
                let which = Which { id, name, user: Who::read(&shown["user"]) };
                Shown::Credential { which, secret: shown["secret"].as_str()? }
            }
        })
    }

    /// The name of the method.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Shown::Password { .. } => "password",
            Shown::Token(_) => "token",
            Shown::Credential { .. } => "application_credential",
        }
    }

    /// What is shown.
    pub(super) fn secret(&self) -> &'a str {
        match self {
            Shown::Password { password, .. } => password,
            Shown::Token(secret) | Shown::Credential { secret, .. } => secret,
        }
    }
}

impl<'a> Who<'a> {
    fn read(user: &'a Value) -> Who<'a> {
        let domain = &user["domain"];
        let is_elsewhere = domain["id"].as_str().is_some_and(|id| id != DOMAIN)
            || domain["name"].as_str().is_some_and(|name| name != "Default");
        Who { id: user["id"].as_str(), name: user["name"].as_str(), is_elsewhere }
    }

    fn find<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Arc<User>> {
        match (self.id, self.name) {
            (Some(id), _) => snapshot.user(&id.parse().ok()?),
            (None, Some(name)) => snapshot.user_by_name(name).filter(|_| !self.is_elsewhere),
            (None, None) => None,
        }
    }
}

impl<'a> Which<'a> {
    fn find<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Arc<AppCredential>> {
        match self.id {
            Some(id) => snapshot.app_credential(&AppCredentialId(scope::uuid(id)?)),
            None => {
                let user = self.user.find(snapshot)?;
                snapshot
                    .app_credentials_of(&user.id)
                    .find(|credential| Some(credential.name.as_str()) == self.name)
            }
        }
    }
}

impl Identity {
    /// Whom `shown` proves.
    pub(super) async fn prove(
        &self,
        shown: &Shown<'_>,
        snapshot: &Snapshot,
        Peer(address): Peer,
    ) -> Result<Proven, Failure> {
        let now = clock::now();
        if let Some(caller) = weft_token(shown.secret(), snapshot, now) {
            return Ok(Proven::Weft(caller));
        }
        let claimed = match shown {
            Shown::Token(secret) => return of_token(secret, snapshot, now),
            Shown::Password { user, .. } => Claimed::user(user, snapshot),
            Shown::Credential { which, .. } => Claimed::credential(which, snapshot, now),
        };
        if let Some(wait) = self.attempts.wait(&claimed.name, address, Instant::now()) {
            return Err(held_back(wait.as_secs() + 1));
        }
        let is_right = match claimed.digest {
            Some(digest) if digest == first_token::digest(shown.secret()) => true,
            _ => self.passwords.check(shown.secret().to_owned(), claimed.hash).await?,
        };
        if let Some(proven) = claimed.proven.filter(|proven| is_right && proven.user.enabled) {
            self.attempts.succeeded(&claimed.name, address);
            return Ok(Proven::User(proven));
        }
        self.attempts.failed(&claimed.name, address, Instant::now());
        warn!(user = %claimed.name.escape_debug(), %address, method = shown.method(), "a login failed");
        Err(Caller::refused())
    }
}

impl Identity {
    /// Refuses whoever does not know the password of the user whose token it shows. Guesses count as failed logins do.
    pub(super) async fn check_own(
        &self,
        user: &User,
        password: String,
        Peer(address): Peer,
    ) -> Result<(), Failure> {
        let name = &user.stamp.name;
        if let Some(wait) = self.attempts.wait(name, address, Instant::now()) {
            return Err(held_back(wait.as_secs() + 1));
        }
        if self.passwords.check(password, user.password.clone()).await? {
            return Ok(());
        }
        self.attempts.failed(name, address, Instant::now());
        let message = "The original password is not right.";
        Err(Failure::new(StatusCode::UNAUTHORIZED, "Unauthorized", message))
    }
}

/// Who somebody claims to be, and what would prove it.
struct Claimed {
    /// For counting failures.
    name: String,
    proven: Option<ProvenUser>,
    hash: Option<PasswordHash>,
    digest: Option<[u8; 32]>,
}

impl Claimed {
    fn user(who: &Who<'_>, snapshot: &Snapshot) -> Claimed {
        let user = who.find(snapshot).cloned();
        let given = who.name.or(who.id).unwrap_or_default();
        let name = user.as_ref().map_or(given, |user| &user.stamp.name).chars().take(255).collect();
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let proven = user.map(|user| ProvenUser { user, until: None, credential: None });
        Claimed { name, proven, hash, digest: None }
    }

    fn credential(which: &Which<'_>, snapshot: &Snapshot, now: Timestamp) -> Claimed {
        let is_valid = |credential: &&Arc<AppCredential>| credential.expires.is_none_or(|end| end > now);
        let credential = which.find(snapshot).filter(is_valid);
        let user = credential.and_then(|credential| snapshot.user(&credential.user).cloned());
        let given = which.user.name.or(which.user.id).or(which.id).unwrap_or_default();
        let (hash, digest) = match credential.map(|credential| &credential.secret) {
            Some(CredentialSecret::Chosen(hash)) => (Some(hash.clone()), None),
            Some(CredentialSecret::Drawn(digest)) => (None, Some(*digest)),
            None => (None, None),
        };
        let proven = credential.zip(user).map(|(credential, user)| ProvenUser {
            user,
            until: credential.expires,
            credential: Some((credential.id, credential.tenant.clone())),
        });
        Claimed { name: given.chars().take(255).collect(), proven, hash, digest }
    }
}

/// The caller that a token stands for which an administrator made for a tenant.
fn weft_token(secret: &str, snapshot: &Snapshot, now: Timestamp) -> Option<Caller> {
    let token = snapshot.token_by_digest(&first_token::digest(secret))?;
    if token.session.is_some() {
        return None;
    }
    Caller::of_token(token, snapshot, now)
}

/// Whoever shows a token of a session goes on as its user, for no longer than it lasts.
fn of_token(secret: &str, snapshot: &Snapshot, now: Timestamp) -> Result<Proven, Failure> {
    let token = snapshot.token_by_digest(&first_token::digest(secret)).ok_or_else(Caller::refused)?;
    Caller::of_token(token, snapshot, now).ok_or_else(Caller::refused)?;
    let Some(Session { user, project, credential }) = &token.session else { return Err(Caller::refused()) };
    let user = snapshot.user(user).ok_or_else(Caller::refused)?.clone();
    let credential = credential.zip(project.clone());
    Ok(Proven::User(ProvenUser { user, until: token.expires, credential }))
}

fn held_back(seconds: u64) -> Failure {
    let message = format!("Too many logins failed. Try again in {seconds} seconds.");
    Failure::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
}
