//! An existing Keystone: its tokens are accepted here. Its projects appear as tenants when somebody first acts for them, its
//! roles count by their names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::{Mutex as Gate, Semaphore};
use weft_model::Role;

use crate::clock;
use crate::first_token;
use crate::issuer::Holder;

/// How long Keystone's word is good. A token that it revokes is accepted for as long at most.
const REMEMBER: Duration = Duration::from_secs(60);
/// How long it is remembered that Keystone does not know a token.
const REMEMBER_UNKNOWN: Duration = Duration::from_secs(10);
/// How many tokens are remembered.
const REMEMBERED: usize = 10_000;
/// How many questions are open at the same time.
const OPEN: usize = 16;
/// How long an issuer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Where the Keystone is, and whom to ask as.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its address, up to `/v3`.
    pub url: String,
    /// A user that may validate tokens.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Its project.
    pub project: String,
    /// The domain of both, by its name.
    pub domain: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as {} of {}", self.url, self.user, self.project)
    }
}

/// Keystone could not be asked.
#[derive(Debug, Error)]
pub enum KeystoneError {
    /// It cannot be reached, or broke off.
    #[error("asking Keystone")]
    Unreachable(#[from] reqwest::Error),
    /// It does not let us in, or answered something else than a token.
    #[error("Keystone answered {0}")]
    Answer(String),
}

/// A Keystone; clones share what is known of its tokens.
#[derive(Debug, Clone)]
pub struct Keystone(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    http: Client,
    /// Our own token there.
    service: Gate<Option<String>>,
    known: Mutex<HashMap<[u8; 32], Known>>,
    open: Semaphore,
}

/// What Keystone said of a token.
#[derive(Debug, Clone)]
struct Known {
    holder: Option<Holder>,
    until: Instant,
}

impl Keystone {
    /// A Keystone; nothing is asked yet.
    pub fn new(settings: Settings, http: Client) -> Keystone {
        let (service, known, open) = (Gate::default(), Mutex::default(), Semaphore::new(OPEN));
        Keystone(Arc::new(Inner { settings, http, service, known, open }))
    }

    /// Who holds a token, if Keystone accepts it for a project.
    ///
    /// # Errors
    /// [`KeystoneError`] when it cannot be asked; nothing is known of the token then.
    pub async fn holder(&self, token: &str) -> Result<Option<Holder>, KeystoneError> {
        let digest = first_token::digest(token);
        if let Some(holder) = self.remembered(&digest) {
            return Ok(holder);
        }
        let _turn = self.0.open.acquire().await.map_err(|_| KeystoneError::Answer("nothing".into()))?;
        if let Some(holder) = self.remembered(&digest) {
            return Ok(holder);
        }
        let holder = self.ask(token).await?;
        self.remember(digest, holder.clone());
        Ok(holder)
    }

    fn remembered(&self, digest: &[u8; 32]) -> Option<Option<Holder>> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(digest).filter(|known| known.until > Instant::now())?;
        Some(known.holder.clone().filter(|holder| holder.until > clock::now()))
    }

    fn remember(&self, digest: [u8; 32], holder: Option<Holder>) {
        let now = Instant::now();
        let until = now + if holder.is_some() { REMEMBER } else { REMEMBER_UNKNOWN };
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, known| known.until > now);
        }
        if known.len() >= REMEMBERED {
            // More tokens in a minute than there is room for: they are asked about again.
            known.clear();
        }
        known.insert(digest, Known { holder, until });
    }

    async fn ask(&self, token: &str) -> Result<Option<Holder>, KeystoneError> {
        let answer = self.validate(token, &self.service(None).await?).await?;
        let answer = if answer.status() == StatusCode::UNAUTHORIZED {
            // Our own token is over, or was taken back.
            let fresh = self.service(Some(&answer)).await?;
            self.validate(token, &fresh).await?
        } else {
            answer
        };
        match answer.status() {
            StatusCode::OK => Ok(holder(answer.json::<Validated>().await?.token)),
            StatusCode::NOT_FOUND => Ok(None),
            other => Err(KeystoneError::Answer(other.to_string())),
        }
    }

    async fn validate(&self, token: &str, service: &str) -> Result<Response, KeystoneError> {
        let url = format!("{}/auth/tokens", self.0.settings.url);
        let request = self.0.http.get(url).query(&[("nocatalog", "1")]);
        Ok(request.header("x-auth-token", service).header("x-subject-token", token).send().await?)
    }

    /// Our own token: the one that we have, unless it was refused.
    async fn service(&self, refused: Option<&Response>) -> Result<String, KeystoneError> {
        let mut kept = self.0.service.lock().await;
        if let Some(token) = kept.as_ref().filter(|_| refused.is_none()) {
            return Ok(token.clone());
        }
        let settings = &self.0.settings;
        let domain = json!({ "name": settings.domain });
        let user = json!({ "name": settings.user, "domain": domain, "password": settings.password });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        let scope = json!({ "project": { "name": settings.project, "domain": domain } });
        let url = format!("{}/auth/tokens", settings.url);
        let body: Value = json!({ "auth": { "identity": identity, "scope": scope } });
        let answer = self.0.http.post(url).json(&body).send().await?;
        let token = answer.headers().get("x-subject-token").and_then(|value| value.to_str().ok());
        let token = token.filter(|_| answer.status().is_success());
        let refused = || KeystoneError::Answer(format!("{} to our own login", answer.status()));
        let token = token.ok_or_else(refused)?.to_owned();
        *kept = Some(token.clone());
        Ok(token)
    }
}

#[derive(Debug, Deserialize)]
struct Validated {
    token: ValidToken,
}

#[derive(Debug, Deserialize)]
struct ValidToken {
    user: Called,
    project: Option<Called>,
    #[serde(default)]
    roles: Vec<Called>,
    expires_at: String,
}

#[derive(Debug, Deserialize)]
struct Called {
    id: String,
    #[serde(default)]
    name: String,
}

/// Tokens without a project, or with ids that are none of ours, open nothing here.
fn holder(token: ValidToken) -> Option<Holder> {
    let project = token.project?;
    let role = token.roles.iter().filter_map(|role| Role::from_name(&role.name)).max();
    Some(Holder {
        user: token.user.id.parse().ok()?,
        project: project.id.parse().ok()?,
        project_name: project.name.chars().take(255).collect(),
        role,
        until: clock::parse(&token.expires_at)?,
    })
}
