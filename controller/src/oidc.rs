//! An OpenID Connect provider: its signed tokens (JWT, RFC 7519) are accepted here without asking it each time. Its keys are
//! found as OpenID Connect Discovery 1.0 says, and looked up again when a token names one that is not known.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::sync::Mutex as Gate;
use tokio::time::Instant;
use tracing::debug;
use weft_model::{Role, Timestamp};

use crate::issuer::Holder;

/// How long keys are taken for the provider's without looking again. One that it takes back is accepted for as long.
const FRESH: Duration = Duration::from_secs(600);
/// The shortest time between two looks, however many tokens with unknown keys come.
const PAUSE: Duration = Duration::from_secs(10);
/// Most bytes of an answer, and most keys of it that are kept.
const ANSWER: usize = 256 * 1024;
const KEYS: usize = 64;
/// The longest token that is looked at.
const TOKEN: usize = 16 * 1024;
/// By how many seconds the clocks may differ.
const LEEWAY: u64 = 30;
/// How tokens may be signed. Never with what the provider would have to share with us.
const SIGNATURES: [Algorithm; 9] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// Who the provider is, and what its tokens say where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The `iss` of its tokens; `/.well-known/openid-configuration` stands below it.
    pub issuer: String,
    /// The `aud` that tokens for us have.
    pub audience: String,
    /// The claim with the project's id, with dots for members: `project`, `weft.project`.
    pub project: String,
    /// The claim with the roles, a list or words: `roles`, `realm_access.roles`.
    pub roles: String,
}

/// The provider could not be asked for its keys.
#[derive(Debug, Error)]
pub enum OidcError {
    /// It cannot be reached, or broke off.
    #[error("asking the provider for its keys")]
    Unreachable(#[from] reqwest::Error),
    /// It answered something else than keys.
    #[error("the provider answered {0}")]
    Answer(String),
    /// It could not be asked a moment ago.
    #[error("the provider could not be asked for its keys a moment ago")]
    Lately,
}

/// A provider; clones share its keys.
#[derive(Debug, Clone)]
pub struct Oidc(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    http: Client,
    known: Mutex<Known>,
    /// One looks, and the others wait for what it finds.
    looking: Gate<()>,
}

/// What is known of the provider's keys.
#[derive(Debug, Clone, Default)]
struct Known {
    keys: Arc<[Jwk]>,
    /// When they were found.
    found: Option<Instant>,
    /// When somebody looked for them last, in vain or not.
    looked: Option<Instant>,
}

/// How good what is known is for a token.
enum Age {
    Fresh(Arc<[Jwk]>),
    /// Somebody should look again; until then these will do.
    Old(Arc<[Jwk]>),
    /// The wanted key is not among them.
    Unknown,
}

impl Known {
    fn of_age(&self, wanted: Option<&str>) -> Age {
        let has = |kid: &str| self.keys.iter().any(|key| key.common.key_id.as_deref() == Some(kid));
        match self.found {
            Some(found) if wanted.is_none_or(has) => {
                let keys = self.keys.clone();
                if found.elapsed() < FRESH { Age::Fresh(keys) } else { Age::Old(keys) }
            }
            _ => Age::Unknown,
        }
    }
}

impl Oidc {
    /// A provider; nothing is asked yet.
    pub fn new(settings: Settings, http: Client) -> Oidc {
        Oidc(Arc::new(Inner { settings, http, known: Mutex::default(), looking: Gate::default() }))
    }

    /// Who holds a token, if it is one of the provider's for us, not over, and for a project.
    ///
    /// # Errors
    /// [`OidcError`] when the provider's keys are needed and it cannot be asked for them.
    pub async fn holder(&self, token: &str) -> Result<Option<Holder>, OidcError> {
        let header = if token.len() <= TOKEN { decode_header(token).ok() } else { None };
        let Some(header) = header.filter(|header| SIGNATURES.contains(&header.alg)) else {
            return Ok(None);
        };
        for key in self.keys(header.kid.as_deref()).await?.iter().filter(|key| fits(key, &header)) {
            match self.claims(token, key, header.alg) {
                Ok(claims) => return Ok(self.read(&claims)),
                Err(error) => debug!(%error, "a token is not accepted"),
            }
        }
        Ok(None)
    }

    /// The provider's keys, looked up again if they are old, or if the wanted one is not among them.
    async fn keys(&self, wanted: Option<&str>) -> Result<Arc<[Jwk]>, OidcError> {
        let _looking = match self.known().of_age(wanted) {
            Age::Fresh(keys) => return Ok(keys),
            Age::Old(keys) => match self.0.looking.try_lock() {
                Ok(looking) => looking,
                Err(_) => return Ok(keys),
            },
            Age::Unknown => self.0.looking.lock().await,
        };
        let known = self.known();
        if let Age::Fresh(keys) = known.of_age(wanted) {
            return Ok(keys);
        }
        if known.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
            // Whoever makes keys up must not make us ask again and again.
            return if known.found.is_some() { Ok(known.keys) } else { Err(OidcError::Lately) };
        }
        let asked = self.ask().await;
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.looked = Some(Instant::now());
        match asked {
            Ok(keys) => (known.keys, known.found) = (keys.into(), known.looked),
            // A provider that is away for a while has not lost its keys; a new one cannot be known.
            Err(error) if known.found.is_none() => return Err(error),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the old keys go on being used");
            }
        }
        Ok(known.keys.clone())
    }

    fn known(&self) -> Known {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self) -> Result<Vec<Jwk>, OidcError> {
        let issuer = &self.0.settings.issuer;
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let described: Described = self.get(&place).await?;
        if described.issuer != *issuer {
            return Err(OidcError::Answer(format!("in the name of {:?}", described.issuer)));
        }
        let set: KeySet = self.get(&described.jwks_uri).await?;
        // Keys of kinds that we do not know are for others.
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
        Ok(keys.take(KEYS).collect())
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, OidcError> {
        let mut answer = self.0.http.get(url).send().await?.error_for_status()?;
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if text.len() + piece.len() > ANSWER {
                return Err(OidcError::Answer(format!("more than {ANSWER} bytes for {url}")));
            }
            text.extend_from_slice(&piece);
        }
        serde_json::from_slice(&text).map_err(|error| OidcError::Answer(format!("{error} for {url}")))
    }

    fn claims(
        &self,
        token: &str,
        key: &Jwk,
        signature: Algorithm,
    ) -> Result<Map<String, Value>, jsonwebtoken::errors::Error> {
        let mut rules = Validation::new(signature);
        rules.set_issuer(&[&self.0.settings.issuer]);
        rules.set_audience(&[&self.0.settings.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = LEEWAY;
        Ok(decode(token, &DecodingKey::from_jwk(key)?, &rules)?.claims)
    }

    /// Tokens without a project, or with ids that are none of ours, open nothing here.
    fn read(&self, claims: &Map<String, Value>) -> Option<Holder> {
        let Settings { project, roles, .. } = &self.0.settings;
        let id = claim(claims, project)?.as_str()?;
        let names: Vec<&str> = match claim(claims, roles) {
            Some(Value::String(words)) => words.split_whitespace().collect(),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        Some(Holder {
            user: claims.get("sub")?.as_str()?.parse().ok()?,
            project: id.parse().ok()?,
            project_name: id.to_owned(),
            role: names.into_iter().filter_map(Role::from_name).max(),
            until: Timestamp(claims.get("exp")?.as_u64()?),
        })
    }
}

/// What a provider says of itself.
#[derive(Debug, Deserialize)]
struct Described {
    issuer: String,
    jwks_uri: String,
}

/// The keys of RFC 7517.
#[derive(Debug, Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// Whether a token with this header may be signed with that key.
fn fits(key: &Jwk, header: &jsonwebtoken::Header) -> bool {
    let is_named = header.kid.is_none() || key.common.key_id == header.kid;
    let is_meant = key.common.key_algorithm.is_none_or(|meant| meant == KeyAlgorithm::from(header.alg));
    is_named && is_meant && key.common.public_key_use != Some(PublicKeyUse::Encryption)
}

/// A claim, or a member of one: `realm_access.roles`. A claim whose name has the dots itself comes first.
fn claim<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    claim(claims.get(first)?.as_object()?, rest)
}
