//! The other engine: sled 0.34, one tree, one `apply_batch` per batch, with guards for what sled leaves open.
//!
//! - One tree, because sled recovers a batch on one tree as a whole: its log carries the end of the batch at the front.
//! - After `flush()`, which only starts write-back, an `fdatasync` of our own on sled's file reaches the drive.
//! - Values in pieces (`pieces`), so that sled never makes blob files.
//! - `Mode::LowSpace` and a bounded cache. sled has neither snapshots (see `sled_view`) nor compaction: a compaction
//!   here writes the live data into a new sled beside the old one and swaps the two, which is also how imports go.
//!
//! The directory: `data` is what counts; `data.new` is being built; `data.old` is on its way out.

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak},
    time::{Duration, Instant},
};

use crate::{
    error::{Damage, Fault, StoreError},
    layout::Stretch,
    medium::{Medium, Pair, View, Write},
    pieces,
    sled_view::{Overlay, SledView, read_pair},
};

/// Four of the largest pages must fit into a segment; see `pieces`.
const SEGMENT_BYTES: usize = 2 * 1024 * 1024;
/// How many bytes of an import or compaction go into one sled batch.
const LOAD_BYTES: usize = 1024 * 1024;
/// How many pairs of an import or compaction go into one sled batch.
const LOAD_PAIRS: usize = 1000;
/// How long a sled that was just closed may take to let go of its file.
const CLOSING: Duration = Duration::from_secs(10);

/// A directory with a sled in it.
pub(crate) struct SledMedium {
    directory: PathBuf,
    cache: usize,
    shared: Arc<Shared>,
}

/// What the medium shares with its views.
pub(crate) struct Shared {
    // Held for writing until a batch is durable, so that nobody sees what could still be lost. `None` only after a
    // swap failed in the middle: then there is nothing to read until the store is opened again.
    disk: RwLock<Option<Disk>>,
    live: Mutex<Vec<Weak<Overlay>>>,
}

/// An open sled and our own descriptor of its file.
pub(crate) struct Disk {
    database: sled::Db,
    file: File,
}

impl SledMedium {
    /// Opens the directory, or makes it. `cache` bounds the page cache, in bytes.
    pub(crate) fn open(directory: &Path, cache: usize) -> Result<SledMedium, Fault> {
        fs::create_dir_all(directory)?;
        tidy(directory)?;
        let disk = Disk::open(&directory.join("data"), cache)?;
        sync_directory(directory)?;
        let shared = Shared { disk: RwLock::new(Some(disk)), live: Mutex::new(Vec::new()) };
        Ok(SledMedium { directory: directory.to_owned(), cache, shared: Arc::new(shared) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes a new sled of `pairs` the one that counts. Whatever happens on the way, the directory holds all or none.
    fn rebuild(
        &self,
        disk: &mut Option<Disk>,
        added: &mut dyn Iterator<Item = Result<Pair, StoreError>>,
        doing: fn(Fault) -> StoreError,
    ) -> Result<(), StoreError> {
        let fresh = self.path("data.new");
        let present = disk.as_ref().ok_or(StoreError::Halted)?;
        if let Err(e) = build(&fresh, self.cache, &mut present.pairs().chain(added), doing) {
            // What cannot be removed now is removed at the next open.
            let _ = fs::remove_dir_all(&fresh);
            return Err(e);
        }
        *disk = None;
        *disk = Some(self.swap(&fresh).map_err(doing)?);
        Ok(())
    }

    fn swap(&self, fresh: &Path) -> Result<Disk, Fault> {
        fs::rename(self.path("data"), self.path("data.old"))?;
        fs::rename(fresh, self.path("data"))?;
        sync_directory(&self.directory)?;
        fs::remove_dir_all(self.path("data.old"))?;
        Disk::open(&self.path("data"), self.cache)
    }
}

impl Shared {
    /// The sled, for reading.
    pub(crate) fn disk(&self) -> RwLockReadGuard<'_, Option<Disk>> {
        self.disk.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk_mut(&self) -> RwLockWriteGuard<'_, Option<Disk>> {
        self.disk.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn must_be_unused(&self, doing: &'static str) -> Result<(), StoreError> {
        if self.live().is_empty() { Ok(()) } else { Err(StoreError::InUse { doing }) }
    }

    /// The views that somebody still uses.
    fn live(&self) -> Vec<Arc<Overlay>> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.retain(|overlay| overlay.strong_count() > 0);
        live.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Disk {
    fn open(path: &Path, cache: usize) -> Result<Disk, Fault> {
        let config = sled::Config::new()
            .path(path)
            .mode(sled::Mode::LowSpace)
            .segment_size(SEGMENT_BYTES)
            .cache_capacity(cache as u64);
        let deadline = Instant::now() + CLOSING;
        let database = loop {
            // sled asserts where it should report, and nothing of it outlives a panic here.
            let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
            match opened.unwrap_or_else(|_| Err(sled::Error::Corruption { at: None, bt: () })) {
                // Our own lock keeps everybody else out: this is a sled of ours whose threads are still ending.
                Err(sled::Error::Io(e)) if is_busy(&e) && Instant::now() < deadline => {
                    std::thread::yield_now()
                }
                opened => break opened?,
            }
        };
        let file = File::options().read(true).write(true).open(path.join("db"))?;
        Ok(Disk { database, file })
    }

    /// Makes everything written so far durable.
    fn sync(&self) -> Result<(), Fault> {
        self.database.flush()?;
        Ok(self.file.sync_data()?)
    }

    /// The value of a physical key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.database.get(key).map_err(|e| StoreError::Read(e.into()))
    }

    /// Every logical pair.
    fn pairs(&self) -> impl Iterator<Item = Result<Pair, StoreError>> + '_ {
        let (before, after) = pieces::around();
        self.range(before).chain(self.range(after))
    }

    /// The logical pairs of a stretch, which must not hold further pieces.
    pub(crate) fn range(&self, stretch: Stretch) -> impl Iterator<Item = Result<Pair, StoreError>> + '_ {
        self.database
            .range(stretch)
            .map(|pair| read_pair(self, pair.map_err(|e| StoreError::Read(e.into()))?))
    }
}

impl Medium for SledMedium {
    fn view(&self) -> Result<Box<dyn View>, StoreError> {
        // Nothing is written while the disk is held, so the overlay misses nothing.
        let _still = self.shared.disk();
        let overlay = Arc::new(Overlay::default());
        self.shared.live.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&overlay));
        Ok(Box::new(SledView { shared: self.shared.clone(), overlay }))
    }

    fn write(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let guard = self.shared.disk_mut();
        let disk = guard.as_ref().ok_or(StoreError::Halted)?;
        let live = self.shared.live();
        let get = |key: &[u8]| disk.get(key);
        let mut batch = sled::Batch::default();
        for (key, value) in pieces::effects(writes) {
            if !live.is_empty() {
                let head = disk.get(&key)?;
                let before = head.map(|head| pieces::join(&key, &head, &get)).transpose()?;
                live.iter().for_each(|overlay| overlay.keep(&key, before.as_ref()));
            }
            pieces::plan(&key, value.as_ref(), &get, &mut batch)?;
        }
        disk.database.apply_batch(batch).map_err(|e| StoreError::Commit(e.into()))?;
        disk.sync().map_err(StoreError::Commit)
    }

    fn load(&self, pairs: &mut dyn Iterator<Item = Result<Pair, StoreError>>) -> Result<(), StoreError> {
        let mut disk = self.shared.disk_mut();
        self.shared.must_be_unused("importing")?;
        self.rebuild(&mut disk, pairs, StoreError::Import)
    }

    fn check(&self) -> Result<(), StoreError> {
        let guard = self.shared.disk();
        let disk = guard.as_ref().ok_or(StoreError::Halted)?;
        let read = catch_unwind(AssertUnwindSafe(|| pieces::check(&disk.database, &|key| disk.get(key))));
        read.unwrap_or(Err(StoreError::Damaged(Damage::Engine)))
    }

    fn compact(&self) -> Result<(), StoreError> {
        let mut disk = self.shared.disk_mut();
        self.shared.must_be_unused("compacting the data")?;
        self.rebuild(&mut disk, &mut std::iter::empty(), StoreError::Compact)
    }

    fn size(&self) -> Result<u64, StoreError> {
        directory_size(&self.path("data")).map_err(|e| StoreError::Read(e.into()))
    }
}

/// Writes `pairs` into a sled of their own and closes it, durable. Of several pairs with one key the last one stands.
fn build(
    path: &Path,
    cache: usize,
    pairs: &mut dyn Iterator<Item = Result<Pair, StoreError>>,
    doing: fn(Fault) -> StoreError,
) -> Result<(), StoreError> {
    let disk = Disk::open(path, cache).map_err(doing)?;
    let mut pairs = pairs.peekable();
    while pairs.peek().is_some() {
        let (mut lot, mut bytes) = (Vec::new(), 0);
        while bytes < LOAD_BYTES && lot.len() < LOAD_PAIRS {
            let Some(pair) = pairs.next() else { break };
            let (key, value) = pair?;
            bytes += key.len() + value.len();
            lot.push(Write::Put(key.to_vec(), value));
        }
        let mut batch = sled::Batch::default();
        for (key, value) in pieces::effects(lot) {
            pieces::plan(&key, value.as_ref(), &|key| disk.get(key), &mut batch)?;
        }
        disk.database.apply_batch(batch).map_err(|e| doing(e.into()))?;
    }
    disk.sync().and_then(|()| Ok(sync_directory(path)?)).map_err(doing)
}

/// Finishes or undoes a swap that a crash has interrupted.
fn tidy(directory: &Path) -> io::Result<()> {
    let (data, fresh, old) = (directory.join("data"), directory.join("data.new"), directory.join("data.old"));
    if !data.exists() && old.exists() {
        fs::rename(&old, &data)?;
    }
    [fresh, old].iter().filter(|path| path.exists()).try_for_each(fs::remove_dir_all)
}

fn is_busy(error: &io::Error) -> bool {
    // sled wraps the error of its lock into a text of its own.
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn directory_size(path: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() { directory_size(&entry.path())? } else { metadata.len() };
    }
    Ok(size)
}
