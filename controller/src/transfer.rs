//! Backup and move of the state while no controller runs: out of a store into one file, and from it into a new store.

use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use weft_model::{Revision, Snapshot};

use crate::app::{self, StartError};
use crate::config::Config;
use crate::vault::{Vault, VaultError};

/// Why nothing was exported or imported.
#[derive(Debug, Error)]
pub enum TransferError {
    /// The data directory or the store cannot be opened; while a controller runs, the store is locked.
    #[error("opening the state")]
    Open(#[from] StartError),
    /// There is nothing to export: an empty backup would be found out too late.
    #[error("{path} holds no store: is this the data directory of the controller?")]
    NoStore {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be made, or not be written durably.
    #[error("writing {path}")]
    WriteFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be opened.
    #[error("opening {path}")]
    OpenFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store could not be read, or does not take the file: it must be new, and the file as it was written.
    #[error("moving the state between the store and {path}")]
    Move {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: weft_store::StoreError,
    },
    /// What was imported is no state that this version can run with; the data directory is to be thrown away.
    #[error("the imported state cannot be used")]
    Unusable(#[from] VaultError),
}

/// Writes the state to `path` and returns its revision. The file is there as a whole or not at all, and only its owner
/// may read it: it holds digests of tokens.
///
/// # Errors
/// [`TransferError`]; what stood at `path` before is still there then.
pub fn export(config: &Config, path: &Path) -> Result<Revision, TransferError> {
    let place = app::store_place(config);
    if !place.exists() {
        return Err(TransferError::NoStore { path: place });
    }
    let store = app::open_store(config)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    let write_failed = |source| TransferError::WriteFile { path: path.to_owned(), source };
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial);
    let mut file = BufWriter::new(file.map_err(write_failed)?);
    let moved = store.export(&mut file);
    let moved = moved.map_err(|source| TransferError::Move { path: path.to_owned(), source });
    let durable = moved.and_then(|revision| {
        let file = file.into_inner().map_err(|error| write_failed(error.into_error()))?;
        file.sync_all().map_err(write_failed)?;
        std::fs::rename(&partial, path).map_err(write_failed)?;
        Ok(Revision(revision.0))
    });
    if durable.is_err() {
        // The first failure is what the caller must hear of.
        drop(std::fs::remove_file(&partial));
    }
    durable
}

/// Fills a new store from `path` and returns the state. Tokens that were valid stay valid.
///
/// # Errors
/// [`TransferError`]; a store that is not new is left as it was.
pub fn import(config: &Config, path: &Path) -> Result<Snapshot, TransferError> {
    let file = File::open(path);
    let mut file = file.map_err(|source| TransferError::OpenFile { path: path.to_owned(), source })?;
    let store = app::open_store(config)?;
    let moved = store.import(&mut file);
    moved.map_err(|source| TransferError::Move { path: path.to_owned(), source })?;
    Ok(Vault::new(store).load()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weft_model::{Change, Record, Stamp, Tenant};

    use super::*;
    use crate::config::Options;

    fn config(folder: &Path, store: &str) -> Config {
        let options = Options {
            data_dir: Some(folder.join(store)),
            store: Some(store.to_owned()),
            ..Options::default()
        };
        Config::load(options).unwrap()
    }

    fn tenant() -> Change {
        let stamp = Stamp { name: "red".into(), ..Stamp::default() };
        Change::Put(Record::Tenant(Arc::new(Tenant { id: "red".parse().unwrap(), stamp, enabled: true })))
    }

    #[test]
    fn the_state_moves_between_engines_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (config(folder.path(), "sled"), config(folder.path(), "redb"));
        let vault = Vault::new(app::open_store(&old).unwrap());
        vault.store(Revision(1), &[tenant()]).unwrap();
        let file = folder.path().join("backup");
        assert!(matches!(export(&old, &file), Err(TransferError::Open(_))), "somebody uses the store");
        drop(vault);
        assert_eq!(export(&old, &file).unwrap(), Revision(1));
        let state = import(&new, &file).unwrap();
        assert_eq!(state.revision(), Revision(1));
        assert_eq!(state.tenants().map(|tenant| tenant.stamp.name.as_str()).collect::<Vec<_>>(), ["red"]);
        let again = import(&new, &file).unwrap_err();
        assert!(matches!(again, TransferError::Move { .. }), "{again:?}");
        assert!(!folder.path().join("backup.part").exists());
    }

    #[test]
    fn a_damaged_file_is_refused_and_a_missing_one_named() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), "redb");
        let file = folder.path().join("backup");
        assert!(import(&config, &file).unwrap_err().to_string().contains("backup"));
        assert!(matches!(export(&config, &file), Err(TransferError::NoStore { .. })));
        std::fs::write(&file, "{\"weft_store_export\":1,\"revision\":4}\n").unwrap();
        assert!(matches!(import(&config, &file).unwrap_err(), TransferError::Move { .. }));
    }
}
