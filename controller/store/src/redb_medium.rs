//! The default engine: redb, one table, one write transaction per batch, committed with `Durability::Immediate`.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use bytes::Bytes;
use redb::{
    Builder, CompactionError, Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase,
    ReadableTable, StorageError, TableDefinition,
};

use crate::{
    error::{Damage, Fault, RedbFault, StoreError},
    layout::Stretch,
    medium::{Medium, Pair, View, Write},
};

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("weft");

/// A redb file.
pub(crate) struct RedbMedium {
    path: PathBuf,
    // redb wants its database exclusively to check and compact; everything else shares it.
    database: RwLock<Database>,
}

impl RedbMedium {
    /// Opens the file, or makes it. `cache` bounds the page cache, in bytes.
    pub(crate) fn open(path: &Path, cache: usize) -> Result<RedbMedium, Fault> {
        // On some damaged files redb asserts where it should report, and nothing of it outlives a panic here.
        let opened = catch_unwind(AssertUnwindSafe(|| Builder::new().set_cache_size(cache).create(path)));
        let database = opened.unwrap_or_else(|_| Err(panicked().into())).map_err(RedbFault)?;
        let transaction = database.begin_write().map_err(RedbFault)?;
        transaction.open_table(TABLE).map_err(RedbFault)?;
        transaction.commit().map_err(RedbFault)?;
        Ok(RedbMedium { path: path.to_owned(), database: RwLock::new(database) })
    }

    fn transact(&self, fill: &mut dyn FnMut(&mut Open<'_>) -> Result<(), Abort>) -> Result<(), Abort> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let mut transaction = database.begin_write().map_err(RedbFault)?;
        transaction.set_durability(Durability::Immediate).map_err(RedbFault)?;
        // Dropped without a commit, a transaction leaves nothing behind.
        fill(&mut transaction.open_table(TABLE).map_err(RedbFault)?)?;
        transaction.commit().map_err(RedbFault)?;
        Ok(())
    }
}

impl Medium for RedbMedium {
    fn view(&self) -> Result<Box<dyn View>, StoreError> {
        let open = || -> Result<RedbView, Fault> {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let transaction = database.begin_read().map_err(RedbFault)?;
            Ok(RedbView { table: transaction.open_table(TABLE).map_err(RedbFault)? })
        };
        Ok(Box::new(open().map_err(StoreError::Read)?))
    }

    fn write(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let done = self.transact(&mut |table| {
            for write in &writes {
                match write {
                    Write::Put(key, value) => {
                        table.insert(key.as_slice(), value.as_ref()).map_err(RedbFault)?
                    }
                    Write::Delete(key) => table.remove(key.as_slice()).map_err(RedbFault)?,
                };
            }
            Ok(())
        });
        done.map_err(|abort| abort.into_error(StoreError::Commit))
    }

    fn load(&self, pairs: &mut dyn Iterator<Item = Result<Pair, StoreError>>) -> Result<(), StoreError> {
        let done = self.transact(&mut |table| {
            for pair in &mut *pairs {
                let (key, value) = pair.map_err(|e| Abort::Caller(Box::new(e)))?;
                table.insert(key.as_ref(), value.as_ref()).map_err(RedbFault)?;
            }
            Ok(())
        });
        done.map_err(|abort| abort.into_error(StoreError::Import))
    }

    fn check(&self) -> Result<(), StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let checked = catch_unwind(AssertUnwindSafe(|| database.check_integrity()));
        match checked.unwrap_or_else(|_| Err(panicked().into())) {
            Ok(true) => Ok(()),
            // redb has repaired what it found; that there was something must not pass unseen.
            Ok(false) => Err(StoreError::Damaged(Damage::Engine)),
            Err(DatabaseError::TransactionInProgress) => {
                Err(StoreError::InUse { doing: "checking the data" })
            }
            Err(DatabaseError::Storage(StorageError::Corrupted(_))) => {
                Err(StoreError::Damaged(Damage::Engine))
            }
            Err(e) => Err(StoreError::Check(RedbFault(e).into())),
        }
    }

    fn compact(&self) -> Result<(), StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        loop {
            match database.compact() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(CompactionError::TransactionInProgress) => {
                    return Err(StoreError::InUse { doing: "compacting the data" });
                }
                Err(e) => return Err(StoreError::Compact(RedbFault(e).into())),
            }
        }
    }

    fn size(&self) -> Result<u64, StoreError> {
        Ok(fs::metadata(&self.path).map_err(|e| StoreError::Read(e.into()))?.len())
    }
}

fn panicked() -> StorageError {
    StorageError::Corrupted("redb stopped at an assertion".to_owned())
}

type Open<'a> = redb::Table<'a, &'static [u8], &'static [u8]>;

/// Why a transaction was given up: redb failed, or whoever supplied the data did.
enum Abort {
    Engine(Fault),
    Caller(Box<StoreError>),
}

impl<E: Into<redb::Error>> From<RedbFault<E>> for Abort {
    fn from(fault: RedbFault<E>) -> Abort {
        Abort::Engine(fault.into())
    }
}

impl Abort {
    fn into_error(self, doing: impl FnOnce(Fault) -> StoreError) -> StoreError {
        match self {
            Abort::Engine(fault) => doing(fault),
            Abort::Caller(error) => *error,
        }
    }
}

/// A read transaction; redb keeps the pages it sees until it is dropped.
struct RedbView {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl View for RedbView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let found =
            ReadableTable::get(&self.table, key).map_err(|e| StoreError::Read(RedbFault(e).into()))?;
        Ok(found.map(|value| Bytes::copy_from_slice(value.value())))
    }

    fn range<'a>(
        &'a self,
        (from, to): Stretch,
    ) -> Result<Box<dyn Iterator<Item = Result<Pair, StoreError>> + 'a>, StoreError> {
        let bounds = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        let pairs = ReadableTable::range::<&[u8]>(&self.table, bounds);
        let pairs = pairs.map_err(|e| StoreError::Read(RedbFault(e).into()))?;
        Ok(Box::new(pairs.map(|pair| {
            let (key, value) = pair.map_err(|e| StoreError::Read(RedbFault(e).into()))?;
            Ok((Bytes::copy_from_slice(key.value()), Bytes::copy_from_slice(value.value())))
        })))
    }
}
