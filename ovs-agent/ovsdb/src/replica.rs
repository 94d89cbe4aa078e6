//! The session's side of a monitor: follows the server's updates and keeps what has not been shown yet, one entry for
//! each row. That is the back-pressure: a slow watcher costs memory by the number of rows, never by the number of changes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::content::{Content, Shelf};
use crate::error::Error;
use crate::mirror::{Batch, Change, Mirror, MonitorId, TransactionId};
use crate::packed::Packed;
use crate::plan::Plan;
use crate::row::{Packer, Row};
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
    unshown: BTreeMap<(usize, Uuid), Option<Packed>>,
    /// The first batch is due even if it is empty: it says that the mirror is complete.
    is_due: bool,
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
        let changes = std::mem::take(&mut self.unshown)
            .into_iter()
            .filter_map(|((position, id), before)| {
                let after = self.content.0[position].get(&id);
                let row = |packed: &Packed| Row::new(self.plan.layout(position), packed);
                (before.as_ref() != after).then(|| Change {
                    id,
                    before: before.as_ref().map(row),
                    after: after.map(row),
                })
            })
            .collect();
        let (plan, content) = (Arc::clone(&self.plan), self.content.clone());
        Batch { monitor, changes, last: self.last, plan, content }
    }

    fn read<'a>(&self, updates: &'a RawValue) -> Result<Vec<Update<'a>>, Error> {
        read_updates(&self.plan, updates).map_err(|source| Error::Decode { what: "an update", source })
    }

    fn apply(&mut self, updates: Vec<Update<'_>>) -> Result<(), Error> {
        let all_new = updates.iter().all(|(_, _, update)| matches!(update, RowUpdate::Put(_)));
        if self.content.len() == 0 && all_new && updates.len() <= self.row_limit {
            self.fill(updates);
            return Ok(());
        }
        let mut packer = Packer::default();
        for (table, id, update) in updates {
            let row = match update {
                RowUpdate::Put(row) => Some(row),
                RowUpdate::Delete => None,
                RowUpdate::Modify(patch) => {
                    let layout = self.plan.layout(table);
                    let old = self.content.0[table].get(&id);
                    let old =
                        old.ok_or_else(|| Error::Desynchronised { table: layout.table().to_owned(), id })?;
                    let new = packer.modify(layout, old, patch);
                    Some(new.ok_or_else(|| Error::Misfit { table: layout.table().to_owned(), id })?)
                }
            };
            self.put(table, id, row);
            // Checked row by row: one message may bring any number of them.
            if self.content.len() > self.row_limit {
                return Err(Error::TooManyRows { limit: self.row_limit });
            }
        }
        Ok(())
    }

    /// Takes in the first rows: all at once, because a table is sorted faster than it is grown.
    fn fill(&mut self, updates: Vec<Update<'_>>) {
        let mut tables: Vec<Vec<(Uuid, Packed)>> = vec![Vec::new(); self.content.0.len()];
        for (table, id, update) in updates {
            if let RowUpdate::Put(row) = update {
                self.unshown.entry((table, id)).or_insert(None);
                tables[table].push((id, row));
            }
        }
        self.content = Content(tables.into_iter().map(Shelf::of).collect());
    }

    fn forget_all_but(&mut self, updates: &[Update<'_>]) {
        let shown: BTreeSet<(usize, Uuid)> = updates.iter().map(|(table, id, _)| (*table, *id)).collect();
        let gone: Vec<(usize, Uuid)> = (self.content.0.iter().enumerate())
            .flat_map(|(table, rows)| rows.iter().map(move |(id, _)| (table, *id)))
            .filter(|key| !shown.contains(key))
            .collect();
        for (table, id) in gone {
            self.put(table, id, None);
        }
    }

    fn put(&mut self, table: usize, id: Uuid, row: Option<Packed>) {
        let before = self.content.0[table].put(id, row);
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
