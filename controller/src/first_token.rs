//! The administrator's first token: made once, at the first start, and left in a file that only its owner can read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;
use weft_model::intent::{Actor, Intent, NewToken};
use weft_model::{Token, TokenId, TokenRole};

use crate::desk::{Desk, WriteError};

/// Why the first token could not be made.
#[derive(Debug, Error)]
pub enum FirstTokenError {
    /// No entropy.
    #[error("drawing random bytes for the first token: {0}")]
    Draw(String),
    /// The file cannot be written.
    #[error("writing the first token to {path}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store refused it.
    #[error("storing the first token")]
    Store(#[from] WriteError),
    /// Nothing was ever stored there.
    #[error("{0} holds no store: is this the data directory of the controller?")]
    NoStore(PathBuf),
    /// The state cannot be changed while no controller runs.
    #[error("changing the state")]
    Offline(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The name of the file in the data directory.
pub const FILE: &str = "admin.token";

/// Makes an administrator's token when there is none, and says where it is.
///
/// The file is written before the token is stored: a crash between the two leaves a file that the next start replaces.
///
/// # Errors
/// When the token cannot be drawn, written or stored.
pub async fn ensure(desk: &Desk, data_dir: &Path) -> Result<Option<PathBuf>, FirstTokenError> {
    let is_first = |token: &Token| token.role == TokenRole::Admin && token.session.is_none();
    if desk.snapshot().tokens().any(|token| is_first(token)) {
        return Ok(None);
    }
    let secret = draw_secret()?;
    let path = data_dir.join(FILE);
    write_private(&path, &format!("{secret}\n"))
        .map_err(|source| FirstTokenError::Write { path: path.clone(), source })?;
    let token = NewToken {
        id: TokenId(uuid::Uuid::new_v4()),
        role: TokenRole::Admin,
        digest: digest(&secret),
        description: "made at the first start".into(),
        expires: None,
        session: None,
    };
    desk.write(Actor::Admin, vec![Intent::CreateToken(token)]).await?;
    Ok(Some(path))
}

/// A fresh secret: 256 random bits as text that says what it is.
///
/// # Errors
/// When the operating system gives no entropy.
pub fn draw_secret() -> Result<String, FirstTokenError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| FirstTokenError::Draw(error.to_string()))?;
    Ok(bytes.iter().fold(String::from("weft_"), |text, byte| text + &format!("{byte:02x}")))
}

/// What is stored of a secret.
pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Writes a file that only its owner can read.
///
/// # Errors
/// What the operating system says.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
