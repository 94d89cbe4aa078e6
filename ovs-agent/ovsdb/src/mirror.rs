//! A copy of the monitored rows that outlives sessions, and the changes that lead from one state of it to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::plan::Plan;
use crate::row::Row;
use crate::table::{Id, Table};

/// The rows of each table of a plan, by the table's position in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content(pub(crate) Vec<BTreeMap<Uuid, Arc<Row>>>);

impl Content {
    pub(crate) fn of(plan: &Plan) -> Self {
        Content(vec![BTreeMap::new(); plan.layouts().len()])
    }

    pub(crate) fn put(&mut self, table: usize, id: Uuid, row: Option<Arc<Row>>) -> Option<Arc<Row>> {
        match row {
            Some(row) => self.0[table].insert(id, row),
            None => self.0[table].remove(&id),
        }
    }
}

/// How far a server that remembers its transactions has shown them to us (ovsdb-server(7) section 4.1.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionId(pub Uuid);

/// What the server's tables hold, as far as it has told us. Kept by whoever watches; a new session goes on from it, so
/// that a reconnection shows as the difference and not as a new start.
#[derive(Debug, Clone)]
pub struct Mirror {
    pub(crate) plan: Arc<Plan>,
    pub(crate) content: Content,
    pub(crate) last: Option<TransactionId>,
}

impl Mirror {
    /// An empty mirror for this plan.
    pub fn new(plan: Arc<Plan>) -> Self {
        let content = Content::of(&plan);
        Mirror { plan, content, last: None }
    }

    /// The same rows under another plan, as after an upgrade of the host: tables that are not in it are forgotten, and the
    /// next session shows everything that differs.
    #[must_use]
    pub fn adopt(mut self, plan: Arc<Plan>) -> Self {
        if self.plan == plan {
            return self;
        }
        let mut content = Content::of(&plan);
        for (position, layout) in plan.layouts().enumerate() {
            if let Some(old) = self.plan.position(layout.table()) {
                content.0[position] = std::mem::take(&mut self.content.0[old]);
            }
        }
        Mirror { plan, content, last: None }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Takes changes in. They must be those of the monitor that was started from this mirror, each batch once.
    pub fn apply(&mut self, batch: &Batch) {
        for change in &batch.changes {
            // By name: the changes of a monitor with another plan may not fit, but can do no harm.
            if let Some(position) = self.plan.position(change.table()) {
                self.content.put(position, change.id, change.after.clone());
            }
        }
        self.last = batch.last;
    }

    /// All rows of a table in the order of their identities.
    pub fn rows<T: Table>(&self) -> impl Iterator<Item = (Id<T>, T)> {
        let rows = self.plan.position(T::NAME).map(|position| &self.content.0[position]);
        rows.into_iter().flatten().map(|(id, row)| (Id::new(*id), T::read(row.as_ref())))
    }

    /// One row, if it is there.
    pub fn get<T: Table>(&self, id: Id<T>) -> Option<T> {
        self.raw(id).map(|row| T::read(row.as_ref()))
    }

    /// One row as it was received.
    pub fn raw<T: Table>(&self, id: Id<T>) -> Option<&Arc<Row>> {
        self.content.0[self.plan.position(T::NAME)?].get(&id.uuid())
    }

    /// The first row that this is true of, such as the one of a root table or the one with a name.
    pub fn find<T: Table>(&self, wanted: impl Fn(&T) -> bool) -> Option<(Id<T>, T)> {
        self.rows::<T>().find(|(_, row)| wanted(row))
    }

    /// How many rows there are in all tables.
    pub fn len(&self) -> usize {
        self.content.0.iter().map(BTreeMap::len).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Names a monitor within its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonitorId(pub(crate) u64);

/// What changed since the batch before. Several changes to one row are one; one that was undone is none.
#[derive(Debug)]
pub struct Batch {
    /// Whose changes these are.
    pub monitor: MonitorId,
    /// The changes, by table and row.
    pub changes: Vec<Change>,
    pub(crate) last: Option<TransactionId>,
}

impl Batch {
    /// The changes to one table, typed.
    pub fn of<T: Table>(&self) -> impl Iterator<Item = TypedChange<T>> {
        self.changes.iter().filter_map(Change::typed)
    }

    /// Whether this table changed.
    pub fn touches<T: Table>(&self) -> bool {
        self.changes.iter().any(|change| change.table() == T::NAME)
    }
}

/// One row's change. At least one of `before` and `after` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The row.
    pub id: Uuid,
    /// What it was; nothing if it is new.
    pub before: Option<Arc<Row>>,
    /// What it is now; nothing if it is gone.
    pub after: Option<Arc<Row>>,
}

impl Change {
    /// The table.
    pub fn table(&self) -> &str {
        self.after.as_ref().or(self.before.as_ref()).map_or("", |row| row.table())
    }

    /// The change as one of a `T`, if it is one.
    pub fn typed<T: Table>(&self) -> Option<TypedChange<T>> {
        let read = |row: &Option<Arc<Row>>| row.as_ref().map(|row| T::read(row.as_ref()));
        (self.table() == T::NAME).then(|| TypedChange {
            id: Id::new(self.id),
            before: read(&self.before),
            after: read(&self.after),
        })
    }
}

/// One row's change, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedChange<T> {
    /// The row.
    pub id: Id<T>,
    /// What it was; nothing if it is new.
    pub before: Option<T>,
    /// What it is now; nothing if it is gone.
    pub after: Option<T>,
}
