//! Following a store batch by batch, out of its change log.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    batch::Change, contract::Watch, error::StoreError, frame, log, medium::Medium, place::Lock,
    record::Revision,
};

/// The newest revision, for those who wait for the next one.
#[derive(Default)]
pub(crate) struct Pulse {
    newest: Mutex<Revision>,
    moved: Condvar,
}

impl Pulse {
    /// The newest revision.
    pub(crate) fn newest(&self) -> Revision {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces a revision that has become durable and visible.
    pub(crate) fn announce(&self, revision: Revision) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = revision;
        self.moved.notify_all();
    }

    /// Waits until there is a revision after `seen`, or the time is over.
    fn wait_past(&self, seen: Revision, timeout: Duration) {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether time ran out shows in the log itself, so the result says nothing more.
        drop(self.moved.wait_timeout_while(newest, timeout, |newest| *newest <= seen));
    }
}

/// A watch that has shown everything up to `seen`.
pub(crate) struct LogWatch {
    pub(crate) medium: Arc<dyn Medium>,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) seen: Revision,
    pub(crate) _lock: Arc<Lock>,
}

impl Watch for LogWatch {
    fn try_next(&mut self) -> Result<Option<Change>, StoreError> {
        if self.pulse.newest() <= self.seen {
            return Ok(None);
        }
        let revision = self.seen.next();
        let view = self.medium.view()?;
        match log::get(view.as_ref(), revision)? {
            Some(entry) => {
                let ops = frame::decode(entry)?;
                self.seen = revision;
                Ok(Some(Change { revision, ops }))
            }
            // The entry was there once, since the store is past it: it has been trimmed.
            None => {
                let first = log::oldest(view.as_ref())?;
                let oldest = first.map_or_else(|| self.pulse.newest(), |first| Revision(first.0 - 1));
                Err(StoreError::Compacted { oldest })
            }
        }
    }

    fn next_within(&mut self, timeout: Duration) -> Result<Option<Change>, StoreError> {
        self.pulse.wait_past(self.seen, timeout);
        self.try_next()
    }
}
