//! Snapshots for sled, which has none: what a view must not see is kept aside for it.
//!
//! Each view has an overlay: before a batch changes a key, the value that the key had goes into the overlays of all
//! live views, unless one is there already. A view reads sled through its overlay. So a view costs as much memory as
//! has changed since, and nothing while nothing changes.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use crate::{
    error::StoreError,
    layout::{self, Stretch},
    medium::{Pair, View},
    pieces,
    sled_medium::{Disk, Shared},
};

/// How many pairs a scan reads while it keeps writers out.
const LOT_PAIRS: usize = 256;

/// The keys that were changed since a view was made, with the values they had; `None` where there was none.
#[derive(Default)]
pub(crate) struct Overlay(Mutex<BTreeMap<Vec<u8>, Option<Bytes>>>);

impl Overlay {
    /// Keeps the value that a key has, if this is the first time that the key changes.
    pub(crate) fn keep(&self, key: &[u8], value: Option<&Bytes>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(key) {
            kept.insert(key.to_vec(), value.cloned());
        }
    }

    fn get(&self, key: &[u8]) -> Option<Option<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Turns what sled holds now in a stretch into what it held then.
    fn cover(&self, stretch: Stretch, now: BTreeMap<Bytes, Bytes>) -> BTreeMap<Bytes, Bytes> {
        let mut then = now;
        if layout::is_empty(&stretch) {
            return then;
        }
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in kept.range(stretch) {
            match value {
                Some(value) => then.insert(Bytes::copy_from_slice(key), value.clone()),
                None => then.remove(key.as_slice()),
            };
        }
        then
    }
}

/// A sled as it was when the view was made.
pub(crate) struct SledView {
    pub(crate) shared: Arc<Shared>,
    pub(crate) overlay: Arc<Overlay>,
}

impl View for SledView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let guard = self.shared.disk();
        if let Some(kept) = self.overlay.get(key) {
            return Ok(kept);
        }
        let disk = guard.as_ref().ok_or(StoreError::Halted)?;
        disk.get(key)?.map(|head| pieces::join(key, &head, &|key| disk.get(key))).transpose()
    }

    fn range<'a>(
        &'a self,
        (from, to): Stretch,
    ) -> Result<Box<dyn Iterator<Item = Result<Pair, StoreError>> + 'a>, StoreError> {
        Ok(Box::new(Scan { view: self, left: Some((from, to)), lot: VecDeque::new() }))
    }
}

/// The pair of a key and the first piece of its value.
pub(crate) fn read_pair(disk: &Disk, (key, head): (sled::IVec, sled::IVec)) -> Result<Pair, StoreError> {
    let value = pieces::join(&key, &head, &|key| disk.get(key))?;
    Ok((Bytes::copy_from_slice(&key), value))
}

/// A scan that lets writers in between its lots; the overlay makes up for what they do.
struct Scan<'a> {
    view: &'a SledView,
    left: Option<Stretch>,
    lot: VecDeque<Pair>,
}

impl Scan<'_> {
    fn read_lot(&self, (from, to): Stretch) -> Result<(VecDeque<Pair>, Option<Stretch>), StoreError> {
        let guard = self.view.shared.disk();
        let disk = guard.as_ref().ok_or(StoreError::Halted)?;
        let now =
            disk.range((from.clone(), to.clone())).take(LOT_PAIRS).collect::<Result<BTreeMap<_, _>, _>>()?;
        // A full lot says nothing about the keys after its last one.
        let last = now.keys().next_back().filter(|_| now.len() == LOT_PAIRS).map(|key| key.to_vec());
        let (end, left) = match last {
            Some(last) => (Bound::Included(last.clone()), Some((Bound::Excluded(last), to))),
            None => (to, None),
        };
        Ok((self.view.overlay.cover((from, end), now).into_iter().collect(), left))
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Pair, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(pair) = self.lot.pop_front() {
                return Some(Ok(pair));
            }
            let left = self.left.take()?;
            match self.read_lot(left) {
                Ok((lot, left)) => (self.lot, self.left) = (lot, left),
                Err(e) => return Some(Err(e)),
            }
        }
    }
}
