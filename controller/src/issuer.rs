//! Somebody else who issues tokens that are accepted here: an existing Keystone, or an OpenID Connect provider.

use reqwest::Client;
use thiserror::Error;
use weft_model::{Role, TenantId, Timestamp, UserId};

use crate::keystone::{self, Keystone, KeystoneError};
use crate::oidc::{self, Oidc, OidcError};

/// Who the issuer is, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// A Keystone.
    Keystone(keystone::Settings),
    /// An OpenID Connect provider.
    Oidc(oidc::Settings),
}

/// An issuer; clones share what is known of its tokens.
#[derive(Debug, Clone)]
pub enum Issuer {
    /// A Keystone.
    Keystone(Keystone),
    /// An OpenID Connect provider.
    Oidc(Oidc),
}

/// The issuer could not be asked; nothing is known of a token then.
#[derive(Debug, Error)]
pub enum IssuerError {
    /// It is a Keystone.
    #[error("Keystone does not answer")]
    Keystone(#[from] KeystoneError),
    /// It is an OpenID Connect provider.
    #[error("the OpenID Connect provider does not answer")]
    Oidc(#[from] OidcError),
}

/// Who holds a token of the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The user's id there.
    pub user: UserId,
    /// The project, which is the tenant here.
    pub project: TenantId,
    /// The project's name.
    pub project_name: String,
    /// The strongest of the roles there that we know; none is no role that we know.
    pub role: Option<Role>,
    /// When the token is over.
    pub until: Timestamp,
}

impl Issuer {
    /// An issuer; nothing is asked yet.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(settings: Settings) -> Result<Issuer, reqwest::Error> {
        let http = Client::builder().no_proxy().timeout(keystone::PATIENCE).build()?;
        Ok(match settings {
            Settings::Keystone(settings) => Issuer::Keystone(Keystone::new(settings, http)),
            Settings::Oidc(settings) => Issuer::Oidc(Oidc::new(settings, http)),
        })
    }

    /// Who holds a token, if the issuer accepts it for a project.
    ///
    /// # Errors
    /// [`IssuerError`] when it cannot be asked.
    pub async fn holder(&self, token: &str) -> Result<Option<Holder>, IssuerError> {
        Ok(match self {
            Issuer::Keystone(keystone) => keystone.holder(token).await?,
            Issuer::Oidc(oidc) => oidc.holder(token).await?,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Issuer::Keystone(_) => "Keystone",
            Issuer::Oidc(_) => "the OpenID Connect provider",
        }
    }
}
