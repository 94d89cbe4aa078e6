//! The administrator's first token: made once, at the first start, and left in a file that only its owner can read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;
use weft_model::intent::{Actor, Intent, NewToken};
use weft_model::{TokenId, TokenRole};

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
    if desk.snapshot().tokens().any(|token| token.role == TokenRole::Admin) {
        return Ok(None);
    }
    let secret = draw_secret()?;
    let path = data_dir.join(FILE);
    write_private(&path, &secret).map_err(|source| FirstTokenError::Write { path: path.clone(), source })?;
    let token = NewToken {
        id: TokenId(uuid::Uuid::new_v4()),
        role: TokenRole::Admin,
        digest: digest(&secret),
        description: "made at the first start".into(),
        expires: None,
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

fn write_private(path: &Path, secret: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{secret}")?;
    file.sync_all()
}
