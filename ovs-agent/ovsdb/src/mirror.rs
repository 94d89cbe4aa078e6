//! A copy of the monitored rows that outlives sessions, and the changes that lead from one state of it to the next.

use std::sync::Arc;

use uuid::Uuid;

use crate::content::{Content, Shelf};
use crate::packed::Packed;
use crate::plan::Plan;
use crate::row::{Packer, Row, View};
use crate::table::{Id, Record, Table};

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
            let Some(at) = self.plan.position(layout.table()) else { continue };
            let (old, rows) = (self.plan.layout(at), std::mem::take(&mut self.content.0[at]));
            content.0[position] = match old == layout {
                true => rows,
                false => Shelf::of(rows.iter().map(|(id, row)| (*id, layout.adopt(old, row))).collect()),
            };
        }
        Mirror { plan, content, last: None }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Takes changes in. They must be those of the monitor that was started from this mirror, each batch once. The rows
    /// are shared with the session, not copied. The changes of a monitor with another plan are none of ours.
    pub fn apply(&mut self, batch: &Batch) {
        if Arc::ptr_eq(&self.plan, &batch.plan) || self.plan == batch.plan {
            self.content = batch.content.clone();
            self.last = batch.last;
        }
    }

    /// All rows of a table in the order of their identities.
    pub fn rows<T: Table>(&self) -> impl Iterator<Item = (Id<T>, T)> {
        self.shelf::<T>().into_iter().flat_map(|(layout, rows)| {
            rows.iter().map(|(id, packed)| (Id::new(*id), T::read(&Row::new(layout, packed))))
        })
    }

    /// One row, if it is there.
    pub fn get<T: Table>(&self, id: Id<T>) -> Option<T> {
        self.raw(id).map(|row| T::read(&row))
    }

    /// One row as it was received.
    pub fn raw<T: Table>(&self, id: Id<T>) -> Option<Row> {
        let (layout, rows) = self.shelf::<T>()?;
        rows.get(&id.uuid()).map(|packed| Row::new(layout, packed))
    }

    /// One row where it lies, if it is there.
    pub fn view<T: Table>(&self, id: Id<T>) -> Option<View<'_, T>> {
        let (layout, rows) = self.shelf::<T>()?;
        rows.get(&id.uuid()).map(|packed| View::new(layout, packed))
    }

    /// All rows of a table where they lie, in the order of their identities.
    pub fn views<T: Table>(&self) -> impl Iterator<Item = (Id<T>, View<'_, T>)> {
        self.shelf::<T>().into_iter().flat_map(|(layout, rows)| {
            rows.iter().map(|(id, packed)| (Id::new(*id), View::new(layout, packed)))
        })
    }

    /// Puts a row in by hand, or takes it away: a mirror without a server, for those who test what reads one. Columns that
    /// are not given, not monitored or of another type have their defaults.
    pub fn put<T: Table>(&mut self, id: Id<T>, record: Option<Record<T>>) {
        let Some(position) = self.plan.position(T::NAME) else { return };
        let layout = self.plan.layout(position);
        let packed = record.map(|record| {
            let mut packer = Packer::default();
            packer.start(layout);
            for (column, datum) in &record.columns {
                let at = layout.position(column);
                let _ = at.and_then(|at| packer.put(layout, at, datum.as_ref()));
            }
            packer.finish(layout)
        });
        self.content.0[position].put(id.uuid(), packed);
    }

    /// What leads from another state of this mirror to this one.
    pub fn since(&self, before: &Mirror) -> Vec<Change> {
        let mut changes = Vec::new();
        for (position, layout) in self.plan.layouts().enumerate() {
            let (old, new) = (&before.content.0[position], &self.content.0[position]);
            let row = |packed: &Packed| Row::new(layout, packed);
            let gone = old.iter().filter(|(id, _)| new.get(id).is_none());
            changes.extend(gone.map(|(id, was)| Change { id: *id, before: Some(row(was)), after: None }));
            for (id, is) in new.iter().filter(|(id, is)| old.get(id) != Some(is)) {
                changes.push(Change { id: *id, before: old.get(id).map(row), after: Some(row(is)) });
            }
        }
        changes
    }

    fn shelf<T: Table>(&self) -> Option<(&Arc<crate::row::Layout>, &Shelf)> {
        let position = self.plan.position(T::NAME)?;
        Some((self.plan.layout(position), &self.content.0[position]))
    }

    /// The first row that this is true of, such as the one of a root table or the one with a name.
    pub fn find<T: Table>(&self, wanted: impl Fn(&T) -> bool) -> Option<(Id<T>, T)> {
        self.rows::<T>().find(|(_, row)| wanted(row))
    }

    /// How many rows there are in all tables.
    pub fn len(&self) -> usize {
        self.content.len()
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
    pub(crate) plan: Arc<Plan>,
    /// All rows after the changes.
    pub(crate) content: Content,
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
    pub before: Option<Row>,
    /// What it is now; nothing if it is gone.
    pub after: Option<Row>,
}

impl Change {
    /// The table.
    pub fn table(&self) -> &str {
        self.after.as_ref().or(self.before.as_ref()).map_or("", |row| row.table())
    }

    /// The row's identity, if it is one of table `T`.
    pub fn id_in<T: Table>(&self) -> Option<Id<T>> {
        (self.table() == T::NAME).then(|| Id::new(self.id))
    }

    /// The change as one of a `T`, if it is one.
    pub fn typed<T: Table>(&self) -> Option<TypedChange<T>> {
        let read = |row: &Option<Row>| row.as_ref().map(T::read);
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
