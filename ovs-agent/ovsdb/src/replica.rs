//! The session's side of a monitor: follows the server's updates and keeps what has not been shown yet, one entry for
//! each row. That is the back-pressure: a slow watcher costs memory by the number of rows, never by the number of changes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::error::Error;
use crate::mirror::{Batch, Change, Content, Mirror, MonitorId, TransactionId};
use crate::plan::Plan;
use crate::row::Row;
use crate::updates::{RowUpdate, Update, read_updates};

/// Whether the server went on from where the mirror stood, or showed everything anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Resumed,
    Anew,
}

#[derive(Debug)]
pub(crate) struct Replica {
    plan: Arc<Plan>,
    content: Content,
    last: Option<TransactionId>,
    /// What the rows changed since the last batch were before.
    unshown: BTreeMap<(usize, Uuid), Option<Arc<Row>>>,
    /// The first batch is due even if it is empty: it says that the mirror is complete.
    is_due: bool,
    rows: usize,
    row_limit: usize,
}

impl Replica {
    /// A replica that stands where this mirror stands and may grow to this many rows.
    pub(crate) fn from_mirror(mirror: &Mirror, row_limit: usize) -> Self {
        Replica {
            plan: Arc::clone(&mirror.plan),
            content: mirror.content.clone(),
            last: mirror.last,
            unshown: BTreeMap::new(),
            is_due: true,
            rows: mirror.len(),
            row_limit,
        }
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn last(&self) -> Option<TransactionId> {
        self.last
    }

    /// Takes in what the server shows first.
    pub(crate) fn start(&mut self, start: Start, updates: &RawValue) -> Result<(), Error> {
        let updates = self.read(updates)?;
        if start == Start::Anew {
            self.forget_all_but(&updates);
        }
        self.apply(updates)
    }

    /// Takes in a later update.
    pub(crate) fn update(&mut self, updates: &RawValue) -> Result<(), Error> {
        let updates = self.read(updates)?;
        self.apply(updates)
    }

    /// Remembers how far the server has shown its transactions.
    pub(crate) fn reached(&mut self, last: Option<TransactionId>) {
        self.last = last;
    }

    /// Whether there is something to show.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due || !self.unshown.is_empty()
    }

    /// What changed since the last batch.
    pub(crate) fn take_batch(&mut self, monitor: MonitorId) -> Batch {
        self.is_due = false;
        let content = &self.content;
        let changes = std::mem::take(&mut self.unshown)
            .into_iter()
            .map(|((position, id), before)| {
                let after = content.0[position].get(&id).cloned();
                Change { id, before, after }
            })
            .filter(|change| change.before != change.after)
            .collect();
        Batch { monitor, changes, last: self.last }
    }

    fn read(&self, updates: &RawValue) -> Result<Vec<Update>, Error> {
        read_updates(&self.plan, updates).map_err(|source| Error::Decode { what: "an update", source })
    }

    fn apply(&mut self, updates: Vec<Update>) -> Result<(), Error> {
        for (table, id, update) in updates {
            let row = match update {
                RowUpdate::Put(row) => Some(Arc::new(row)),
                RowUpdate::Delete => None,
                RowUpdate::Modify(patch) => {
                    let old = self.content.0[table].get(&id).ok_or_else(|| Error::Desynchronised {
                        table: self.plan.layout(table).table().to_owned(),
                        id,
                    })?;
                    Some(Arc::new(old.modified(patch)))
                }
            };
            self.put(table, id, row);
            // Checked row by row: one message may bring any number of them.
            if self.rows > self.row_limit {
                return Err(Error::TooManyRows { limit: self.row_limit });
            }
        }
        Ok(())
    }

    fn forget_all_but(&mut self, updates: &[Update]) {
        let shown: BTreeSet<(usize, Uuid)> = updates.iter().map(|(table, id, _)| (*table, *id)).collect();
        let gone: Vec<(usize, Uuid)> = (self.content.0.iter().enumerate())
            .flat_map(|(table, rows)| rows.keys().map(move |id| (table, *id)))
            .filter(|key| !shown.contains(key))
            .collect();
        for (table, id) in gone {
            self.put(table, id, None);
        }
    }

    fn put(&mut self, table: usize, id: Uuid, row: Option<Arc<Row>>) {
        let comes = usize::from(row.is_some());
        let before = self.content.put(table, id, row);
        self.rows = self.rows + comes - usize::from(before.is_some());
        if let Entry::Vacant(entry) = self.unshown.entry((table, id)) {
            entry.insert(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::{SCHEMA, Shapes};

    const ROW: &str = "00000000-0000-0000-0000-000000000001";

    fn text(json: serde_json::Value) -> Box<RawValue> {
        RawValue::from_string(json.to_string()).expect("JSON")
    }

    fn modified(one: &str) -> Box<RawValue> {
        text(serde_json::json!({"Shapes": {ROW: {"modify": {"one": one}}}}))
    }

    /// Changes that nobody took in between are one, and none once they are undone.
    #[test]
    fn changes_of_a_row_are_folded() {
        let schema = serde_json::from_str(SCHEMA).expect("a schema");
        let mut mirror = Mirror::new(Plan::of(&schema).table::<Shapes>().expect("a table").build());
        let mut replica = Replica::from_mirror(&mirror, 10);
        let first = text(serde_json::json!({"Shapes": {ROW: {"initial": {"one": "a"}}}}));
        replica.start(Start::Anew, &first).expect("valid");
        mirror.apply(&replica.take_batch(MonitorId(1)));

        for one in ["b", "c"] {
            replica.update(&modified(one)).expect("valid");
        }
        let batch = replica.take_batch(MonitorId(1));
        let changes: Vec<_> = batch.of::<Shapes>().map(|change| (change.before, change.after)).collect();
        assert!(
            matches!(&changes[..], [(Some(before), Some(after))] if before.one == "a" && after.one == "c"),
            "{changes:?}"
        );
        mirror.apply(&batch);

        for one in ["d", "c"] {
            replica.update(&modified(one)).expect("valid");
        }
        assert!(replica.is_due());
        assert_eq!(replica.take_batch(MonitorId(1)).changes, []);
        assert!(!replica.is_due());
    }
}
