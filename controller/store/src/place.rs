//! Where a store lives: its directory, the lock on it, and which engine's data it holds.
//!
//! ```text
//! <directory>/lock          held while the store is open
//! <directory>/store.redb    redb's file, or
//! <directory>/store.sled/   sled's directory
//! ```

use std::{
    fmt,
    fs::{self, File, TryLockError},
    path::Path,
    str::FromStr,
    sync::Arc,
};

use crate::{
    contract::Store, error::StoreError, history::Reach, medium::Medium, records::Records,
    redb_medium::RedbMedium, sled_medium::SledMedium,
};

/// What keeps the bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Engine {
    /// redb 4: the default.
    #[default]
    Redb,
    /// sled 0.34, with guards; see the README before choosing it.
    Sled,
}

impl Engine {
    const ALL: [Engine; 2] = [Engine::Redb, Engine::Sled];

    fn file_name(self) -> &'static str {
        match self {
            Engine::Redb => "store.redb",
            Engine::Sled => "store.sled",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Redb => "redb",
            Engine::Sled => "sled",
        })
    }
}

impl FromStr for Engine {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Engine, StoreError> {
        let known = Engine::ALL.into_iter().find(|engine| engine.to_string() == name);
        known.ok_or_else(|| StoreError::UnknownEngine { name: name.to_owned() })
    }
}

/// What can be set about a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How many batches the change log keeps at most, at least 1: how far a watcher may fall behind. Of more than 64,
    /// one in 64 goes at once when it is full.
    pub log_batches_max: usize,
    /// How many bytes the change log keeps at most; the newest batch stays even where it is larger.
    pub log_bytes_max: usize,
    /// The engine's cache, in bytes.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { log_batches_max: 10_000, log_bytes_max: 64 * 1024 * 1024, cache_bytes: 64 * 1024 * 1024 }
    }
}

/// Opens the store in the directory `path`, making it if there is none, and locks it against everybody else.
///
/// # Errors
/// [`StoreError::Locked`] while it is open elsewhere, [`StoreError::OtherEngine`] where the other engine's data is,
/// [`StoreError::OpenData`] and [`StoreError::Damaged`] where the data cannot be trusted.
pub fn open(engine: Engine, path: impl AsRef<Path>, options: Options) -> Result<Box<dyn Store>, StoreError> {
    let path = path.as_ref();
    let fail = |source| StoreError::PrepareDirectory { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(fail)?;
    let lock = Arc::new(lock(path)?);
    for other in Engine::ALL.into_iter().filter(|&other| other != engine) {
        if path.join(other.file_name()).exists() {
            return Err(StoreError::OtherEngine { path: path.to_owned(), wanted: engine, found: other });
        }
    }
    let medium = medium(engine, path, options)?;
    // A new file is only durable once its name is.
    File::open(path).and_then(|directory| directory.sync_all()).map_err(fail)?;
    let reach = Reach { batches: options.log_batches_max.max(1), bytes: options.log_bytes_max };
    Ok(Box::new(Records::open(medium, reach, lock)?))
}

/// The lock on a directory, for as long as any part of its store is in use.
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do: a process that another thread is just starting has a copy of the descriptor, and
        // with it the lock, until it runs its program. If this fails, closing is what is left.
        let _ = self.0.unlock();
    }
}

fn lock(path: &Path) -> Result<Lock, StoreError> {
    let fail = |source| StoreError::PrepareDirectory { path: path.to_owned(), source };
    let file =
        File::options().create(true).truncate(false).write(true).open(path.join("lock")).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}

fn medium(engine: Engine, path: &Path, options: Options) -> Result<Arc<dyn Medium>, StoreError> {
    let file = path.join(engine.file_name());
    let fail = |source| StoreError::OpenData { path: path.to_owned(), source };
    match engine {
        Engine::Redb => Ok(Arc::new(RedbMedium::open(&file, options.cache_bytes).map_err(fail)?)),
        Engine::Sled => Ok(Arc::new(SledMedium::open(&file, options.cache_bytes).map_err(fail)?)),
    }
}
