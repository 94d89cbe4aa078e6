//! Stores of format 1, brought to the present format when they are opened.
//!
//! Format 1 kept the revision before the change log instead of behind it, and every log entry in one value, however
//! long.

use bytes::Bytes;

use crate::{
    error::{Damage, StoreError},
    layout, log,
    medium::{Medium, Write},
};

/// The format that is read here.
pub(crate) const FORMAT: u64 = 1;
const REVISION_KEY: &[u8] = b"hrevision";

/// Rewrites what format 2 has elsewhere, in one write: a crash leaves the one format or the other.
pub(crate) fn from_1(medium: &dyn Medium) -> Result<(), StoreError> {
    let mut writes = Vec::new();
    {
        let view = medium.view()?;
        let revision = view.get(REVISION_KEY)?.ok_or(StoreError::Damaged(Damage::Header))?;
        writes.push(Write::Put(layout::REVISION_KEY.to_vec(), revision));
        writes.push(Write::Delete(REVISION_KEY.to_vec()));
        writes.push(Write::Put(layout::FORMAT_KEY.to_vec(), Bytes::from(layout::number(layout::FORMAT))));
        for pair in view.range(layout::log_stretch())? {
            let (key, entry) = pair?;
            if entry.len() > log::PART_BYTES {
                writes.extend(log::put(layout::split_log_key(&key)?.0, &entry));
            }
        }
    }
    medium.write(writes)
}

#[cfg(test)]
mod tests {
    use crate::{
        Batch, Engine, Options, Revision, Span, Table,
        error::StoreError,
        frame, layout,
        medium::{Medium, Write},
        redb_medium::RedbMedium,
        sled_medium::SledMedium,
    };

    const PORTS: Table = Table("ports");

    fn batch(revision: u64) -> Batch {
        let mut batch = Batch::new();
        let records = if revision == 2 { 500 } else { 1 };
        (0..records).for_each(|n: u32| {
            batch.put(PORTS, n.to_be_bytes(), [revision as u8; 100]);
        });
        batch
    }

    /// Writes what the version before left on disk after three batches, the second of them large.
    fn old_store(medium: &dyn Medium) {
        let mut writes = vec![
            Write::Put(b"hformat".to_vec(), layout::number(1).into()),
            Write::Put(b"hrevision".to_vec(), layout::number(3).into()),
        ];
        for revision in 1..=3_u64 {
            let key = [b"l".as_slice(), &revision.to_be_bytes()].concat();
            writes.push(Write::Put(key, frame::encode(batch(revision).ops())));
            writes.extend(batch(revision).ops().iter().map(|op| {
                let value = op.value().expect("the batches only put").clone();
                Write::Put(layout::record_key(op.table(), op.key()), value)
            }));
        }
        medium.write(writes).unwrap();
    }

    #[test]
    fn a_store_of_format_1_goes_on() {
        for engine in [Engine::Redb, Engine::Sled] {
            let directory = tempfile::tempdir().unwrap();
            match engine {
                Engine::Redb => {
                    old_store(&RedbMedium::open(&directory.path().join("store.redb"), 1 << 20).unwrap())
                }
                Engine::Sled => {
                    old_store(&SledMedium::open(&directory.path().join("store.sled"), 1 << 20).unwrap())
                }
            }
            for reopened in 0..2 {
                let options = Options { log_batches_max: 3, ..Options::default() };
                let store = crate::open(engine, directory.path(), options).unwrap();
                assert_eq!(store.revision(), Revision(3 + reopened), "{engine}");
                let report = store.check().unwrap();
                assert_eq!((report.records, report.log_entries), (500, 3), "{engine}");
                let mut watch = store.watch(Revision(reopened)).unwrap();
                for revision in 1 + reopened..=3 {
                    let change = watch.try_next().unwrap().unwrap();
                    assert_eq!(change.revision, Revision(revision));
                    assert_eq!(change.ops, batch(revision).ops(), "{engine} {revision}");
                }
                assert_eq!(store.apply(&batch(4 + reopened)).unwrap(), Revision(4 + reopened));
                let snapshot = store.snapshot().unwrap();
                assert_eq!(snapshot.scan(PORTS, &Span::all()).unwrap().count(), 500);
            }
            // The large entry has been trimmed, with all its parts: anything left over would be damage.
            let store = crate::open(engine, directory.path(), Options::default()).unwrap();
            assert_eq!(store.check().unwrap().log_entries, 3);
            assert!(matches!(store.watch(Revision(1)), Err(StoreError::Compacted { .. })));
        }
    }
}
