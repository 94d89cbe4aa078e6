//! The change log on disk: entries that are cut into parts, so that no large value lies beside what every batch touches.
//!
//! An engine copies, hashes and writes a whole leaf for one key in it, and a leaf is at least as large as the largest
//! value there: one entry of megabytes would make each later batch that meets its leaf cost megabytes.
//!
//! ```text
//! l <revision>                   a short entry: the frame, which starts with 1
//! l <revision>                   a long one: 2, number of parts (4 bytes BE), the first PART_BYTES of the frame
//! l <revision> <n, 4 bytes BE>   part n of it, from 1 on; all but the last have PART_BYTES
//! ```

use std::iter::Peekable;

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    error::{Damage, StoreError},
    layout,
    medium::{Pair, View, Write},
    record::Revision,
};

/// The most bytes of an entry in one part: with its key and header it fits a page of redb's, 4 KiB, and a piece of
/// sled's. It is part of the format: the number of parts follows from the size of an entry.
pub(crate) const PART_BYTES: usize = 3840;
/// Starts the first part of a long entry; no frame starts with it.
const CUT: u8 = 2;
const HEAD_BYTES: usize = 5;

/// What puts an entry on disk.
pub(crate) fn put(revision: Revision, entry: &Bytes) -> Vec<Write> {
    let count = part_count(entry.len());
    if count == 1 {
        return vec![Write::Put(layout::log_key(revision), entry.clone())];
    }
    let mut head = BytesMut::with_capacity(HEAD_BYTES + PART_BYTES);
    head.extend_from_slice(&[CUT]);
    head.extend_from_slice(&count.to_be_bytes());
    head.extend_from_slice(&entry[..PART_BYTES]);
    let further = (1..count).map(|n| {
        let start = PART_BYTES * n as usize;
        let part = entry.slice(start..entry.len().min(start + PART_BYTES));
        Write::Put(layout::log_part_key(revision, n), part)
    });
    std::iter::once(Write::Put(layout::log_key(revision), head.freeze())).chain(further).collect()
}

/// What removes an entry of `size` bytes from disk.
pub(crate) fn delete((revision, size): (Revision, usize)) -> impl Iterator<Item = Write> {
    let further = (1..part_count(size)).map(move |n| layout::log_part_key(revision, n));
    std::iter::once(layout::log_key(revision)).chain(further).map(Write::Delete)
}

/// The entry of a revision, put together, if the log holds it.
pub(crate) fn get(view: &dyn View, revision: Revision) -> Result<Option<Bytes>, StoreError> {
    let mut entries = Entries { pairs: view.range(layout::log_entry_stretch(revision))?.peekable() };
    Ok(entries.next().transpose()?.map(|(_, entry)| entry))
}

/// The revision of the oldest entry.
pub(crate) fn oldest(view: &dyn View) -> Result<Option<Revision>, StoreError> {
    let first = view.range(layout::log_stretch())?.next().transpose()?;
    first.map(|(key, _)| Ok(layout::split_log_key(&key)?.0)).transpose()
}

/// All entries, oldest first, each put together.
pub(crate) fn entries(view: &dyn View) -> Result<Entries<'_>, StoreError> {
    Ok(Entries { pairs: view.range(layout::log_stretch())?.peekable() })
}

/// Entries, read as the caller goes.
pub(crate) struct Entries<'a> {
    pairs: Peekable<Box<dyn Iterator<Item = Result<Pair, StoreError>> + 'a>>,
}

impl Entries<'_> {
    fn assemble(&mut self, (key, mut head): Pair) -> Result<(Revision, Bytes), StoreError> {
        let (revision, part) = layout::split_log_key(&key)?;
        if part != 0 {
            return Err(malformed());
        }
        if head.first() != Some(&CUT) {
            return Ok((revision, head));
        }
        head.advance(1);
        let count = head.try_get_u32().map_err(|_| malformed())?;
        let mut entry = BytesMut::from(head);
        for n in 1..count {
            let (key, part) = self.pairs.next().ok_or_else(malformed)??;
            if layout::split_log_key(&key)? != (revision, n) {
                return Err(malformed());
            }
            entry.extend_from_slice(&part);
        }
        // Trimming relies on it.
        if part_count(entry.len()) != count {
            return Err(malformed());
        }
        Ok((revision, entry.freeze()))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(Revision, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.pairs.next()?;
        Some(first.and_then(|pair| self.assemble(pair)))
    }
}

fn part_count(size: usize) -> u32 {
    u32::try_from(size.div_ceil(PART_BYTES).max(1)).expect("a batch is limited to far fewer parts")
}

fn malformed() -> StoreError {
    StoreError::Damaged(Damage::LogEntry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{medium::Medium, redb_medium::RedbMedium};

    #[test]
    fn entries_of_all_sizes_come_back_and_go_without_a_trace() {
        let directory = tempfile::tempdir().unwrap();
        let medium = RedbMedium::open(&directory.path().join("store.redb"), 1 << 20).unwrap();
        let sizes =
            [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, 2 * PART_BYTES + 1, 300_000];
        let written: Vec<(Revision, Bytes)> = (1..)
            .map(Revision)
            .zip(sizes.map(|size| (0..size).map(|n| if n == 0 { 1 } else { n as u8 }).collect()))
            .collect();
        medium.write(written.iter().flat_map(|(revision, entry)| put(*revision, entry)).collect()).unwrap();
        let view = medium.view().unwrap();
        let read: Result<Vec<_>, StoreError> = entries(view.as_ref()).unwrap().collect();
        assert_eq!(read.unwrap(), written);
        assert_eq!(get(view.as_ref(), Revision(4)).unwrap().as_ref(), Some(&written[3].1));
        assert_eq!(get(view.as_ref(), Revision(99)).unwrap(), None);
        // Any part that is missing is noticed, also the last one.
        for lost in [layout::log_key(Revision(7)), layout::log_part_key(Revision(7), 78)] {
            medium.write(vec![Write::Delete(lost)]).unwrap();
            let broken = get(medium.view().unwrap().as_ref(), Revision(7));
            assert!(matches!(broken, Err(StoreError::Damaged(Damage::LogEntry))));
            medium.write(put(Revision(7), &written[6].1)).unwrap();
        }
        let all = written.iter().flat_map(|(revision, entry)| delete((*revision, entry.len())));
        medium.write(all.collect()).unwrap();
        assert_eq!(oldest(medium.view().unwrap().as_ref()).unwrap(), None);
    }
}
