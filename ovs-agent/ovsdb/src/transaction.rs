//! A transaction being put together (RFC 7047 section 5.2) and what came of it.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::column::{Clause, Condition, Mutations};
use crate::datum::{Atom, Datum};
use crate::error::{Error, Place, Refusal};
use crate::table::{Fresh, Id, Pointer, Record, Table};

/// Operations that happen together or not at all.
#[derive(Debug)]
pub struct Transaction {
    database: String,
    operations: Vec<Operation>,
}

/// Which rows of `T` an operation is about.
#[derive(Debug)]
pub struct Target<T> {
    conditions: Vec<Condition>,
    marker: PhantomData<fn(T)>,
}

impl<T> Target<T> {
    /// Every row of the table; the one row of a root table.
    pub fn every() -> Self {
        Target { conditions: Vec::new(), marker: PhantomData }
    }

    /// The rows that meet all of these conditions.
    pub fn all_of(clauses: impl IntoIterator<Item = Clause<T>>) -> Self {
        let conditions = clauses.into_iter().map(|clause| clause.condition).collect();
        Target { conditions, marker: PhantomData }
    }

    fn row(atom: Atom) -> Self {
        Target::all_of([Clause::new("_uuid", "==", Datum::scalar(atom))])
    }
}

impl<T> From<Id<T>> for Target<T> {
    fn from(id: Id<T>) -> Self {
        Target::row(id.atom())
    }
}

impl<T> From<Fresh<T>> for Target<T> {
    fn from(fresh: Fresh<T>) -> Self {
        Target::row(fresh.atom())
    }
}

impl<T> From<Clause<T>> for Target<T> {
    fn from(clause: Clause<T>) -> Self {
        Target::all_of([clause])
    }
}

/// An operation whose count of rows can be looked up when the transaction is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted(usize);

/// A selection whose rows can be looked up when the transaction is committed.
#[derive(Debug)]
pub struct Selection<T> {
    operation: usize,
    marker: PhantomData<fn() -> T>,
}

type Columns = BTreeMap<&'static str, Datum>;

/// One operation as it is sent.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Operation {
    Insert {
        table: &'static str,
        row: Columns,
        #[serde(rename = "uuid-name")]
        name: String,
    },
    Select {
        table: &'static str,
        r#where: Vec<Condition>,
    },
    Update {
        table: &'static str,
        r#where: Vec<Condition>,
        row: Columns,
    },
    Mutate {
        table: &'static str,
        r#where: Vec<Condition>,
        mutations: Vec<(&'static str, &'static str, Datum)>,
    },
    Delete {
        table: &'static str,
        r#where: Vec<Condition>,
    },
    Wait {
        /// In milliseconds.
        timeout: u64,
        table: &'static str,
        r#where: Vec<Condition>,
        columns: Vec<&'static str>,
        until: &'static str,
        rows: Vec<Columns>,
    },
    Commit {
        durable: bool,
    },
    Abort,
    Comment {
        comment: String,
    },
    Assert {
        lock: String,
    },
}

impl Transaction {
    /// An empty transaction on a database.
    pub fn on(database: impl Into<String>) -> Self {
        Transaction { database: database.into(), operations: Vec::new() }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Inserts a row. What is returned names it in the rest of this transaction. A row of a table that is not a root
    /// vanishes at once unless another row points at it.
    pub fn insert<T: Table>(&mut self, record: Record<T>) -> Fresh<T> {
        let fresh = Fresh::new(self.operations.len());
        self.operations.push(Operation::Insert { table: T::NAME, row: record.columns, name: fresh.name() });
        fresh
    }

    /// Replaces the content of columns.
    pub fn update<T: Table>(&mut self, target: impl Into<Target<T>>, record: Record<T>) -> Counted {
        let r#where = target.into().conditions;
        self.count(Operation::Update { table: T::NAME, r#where, row: record.columns })
    }

    /// Changes the content of columns without replacing it.
    pub fn mutate<T: Table>(&mut self, target: impl Into<Target<T>>, mutations: Mutations<T>) -> Counted {
        let r#where = target.into().conditions;
        self.count(Operation::Mutate { table: T::NAME, r#where, mutations: mutations.steps })
    }

    /// Deletes rows.
    pub fn delete<T: Table>(&mut self, target: impl Into<Target<T>>) -> Counted {
        let r#where = target.into().conditions;
        self.count(Operation::Delete { table: T::NAME, r#where })
    }

    /// Reads rows as they are at this point of the transaction.
    pub fn select<T: Table>(&mut self, target: impl Into<Target<T>>) -> Selection<T> {
        let r#where = target.into().conditions;
        let Counted(operation) = self.count(Operation::Select { table: T::NAME, r#where });
        Selection { operation, marker: PhantomData }
    }

    /// Guard: fails the transaction unless this row still is there and its columns still hold this.
    pub fn expect<T: Table>(&mut self, id: Id<T>, record: Record<T>) {
        self.expect_within(id, record, Duration::ZERO);
    }

    /// Guard: waits this long at most for the row's columns to hold this, then fails the transaction. The server keeps the
    /// transaction waiting without holding up others; [`Submitted::cancel`](crate::Submitted::cancel) takes it back.
    pub fn expect_within<T: Table>(&mut self, id: Id<T>, record: Record<T>, patience: Duration) {
        let columns = record.columns.keys().copied().collect();
        self.guard(Target::from(id), columns, vec![record.columns], patience);
    }

    /// Guard: fails the transaction unless this row is still there.
    pub fn expect_row<T: Table>(&mut self, id: Id<T>) {
        let row = Columns::from([("_uuid", Datum::scalar(id.atom()))]);
        self.guard(Target::from(id), vec!["_uuid"], vec![row], Duration::ZERO);
    }

    /// Guard: fails the transaction if any row of `T` meets the conditions.
    pub fn expect_none<T: Table>(&mut self, target: impl Into<Target<T>>) {
        self.guard(target.into(), vec!["_uuid"], Vec::new(), Duration::ZERO);
    }

    /// Guard: fails the transaction unless our session holds this lock.
    pub fn assert_lock(&mut self, lock: impl Into<String>) {
        self.operations.push(Operation::Assert { lock: lock.into() });
    }

    /// Leaves a note in the server's log of changes.
    pub fn comment(&mut self, comment: impl Into<String>) {
        self.operations.push(Operation::Comment { comment: comment.into() });
    }

    /// Answers only when the change is on the disk.
    pub fn durable(&mut self) {
        self.operations.push(Operation::Commit { durable: true });
    }

    /// Makes the transaction fail when it comes here: for trying out what would happen.
    pub fn abort(&mut self) {
        self.operations.push(Operation::Abort);
    }

    fn guard<T: Table>(
        &mut self,
        target: Target<T>,
        columns: Vec<&'static str>,
        rows: Vec<Columns>,
        patience: Duration,
    ) {
        self.operations.push(Operation::Wait {
            timeout: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
            table: T::NAME,
            r#where: target.conditions,
            columns,
            until: "==",
            rows,
        });
    }

    fn count(&mut self, operation: Operation) -> Counted {
        self.operations.push(operation);
        Counted(self.operations.len() - 1)
    }
}

/// The parameters of the request: the database and then the operations, all in one array.
impl Serialize for Transaction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(1 + self.operations.len()))?;
        seq.serialize_element(&self.database)?;
        for operation in &self.operations {
            seq.serialize_element(operation)?;
        }
        seq.end()
    }
}

/// What a committed transaction gave back.
#[derive(Debug, Default)]
pub struct Committed {
    results: Vec<OperationResult>,
}

#[derive(Debug, Default, Deserialize)]
struct OperationResult {
    #[serde(default)]
    uuid: Option<Atom>,
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    rows: Option<Vec<BTreeMap<String, Datum>>>,
}

impl Committed {
    /// The identity of an inserted row; nothing if it was inserted by another transaction.
    pub fn id<T>(&self, fresh: Fresh<T>) -> Option<Id<T>> {
        match self.results.get(fresh.operation)?.uuid {
            Some(Atom::Uuid(uuid)) => Some(Id::new(uuid)),
            _ => None,
        }
    }

    /// How many rows an operation met.
    pub fn count(&self, counted: Counted) -> u64 {
        self.results.get(counted.0).and_then(|result| result.count).unwrap_or(0)
    }

    /// The rows selected.
    pub fn rows<T: Table>(&self, selection: &Selection<T>) -> Vec<(Id<T>, T)> {
        let rows = self.results.get(selection.operation).and_then(|result| result.rows.as_deref());
        rows.unwrap_or_default()
            .iter()
            .map(|row| (Id::new(crate::table::field::<Uuid>(row, "_uuid")), T::read(row)))
            .collect()
    }

    /// Reads the reply to a transaction of `operations` operations.
    pub(crate) fn read(result: &RawValue, operations: usize) -> Result<Self, Error> {
        let decode = |source| Error::Decode { what: "the result of a transaction", source };
        let wire: Vec<&RawValue> = serde_json::from_str(result.get()).map_err(decode)?;
        let mut results = Vec::with_capacity(wire.len());
        for (index, text) in wire.iter().enumerate() {
            // Operations after a failed one were not tried and are null.
            let result: Option<ResultOrError> = serde_json::from_str(text.get()).map_err(decode)?;
            match result {
                Some(ResultOrError::Failed(refusal)) => {
                    let place = if index < operations { Place::Operation(index) } else { Place::Commit };
                    return Err(Error::Aborted { place, refusal });
                }
                Some(ResultOrError::Done(result)) => results.push(result),
                None => results.push(OperationResult::default()),
            }
        }
        Ok(Committed { results })
    }
}

/// A refusal always has its tag, a result never has.
#[derive(Deserialize)]
#[serde(untagged)]
enum ResultOrError {
    Failed(Refusal),
    Done(OperationResult),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;
    use crate::vswitch::{Bridge, OpenVSwitch};

    fn read(text: &str, operations: usize) -> Result<Committed, Error> {
        Committed::read(&RawValue::from_string(text.to_owned()).expect("JSON"), operations)
    }

    #[test]
    fn a_transaction_is_written_as_the_rfc_has_it() {
        let mut txn = Transaction::on("Open_vSwitch");
        let bridge =
            txn.insert(Bridge::record().set(Bridge::name(), "br0").set(Bridge::fail_mode(), "secure"));
        txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::bridges().insert([bridge]));
        txn.mutate(Target::<OpenVSwitch>::every(), OpenVSwitch::external_ids().put([("k", "v")]));
        let expected = serde_json::json!(["Open_vSwitch",
            {"op": "insert", "table": "Bridge", "row": {"fail_mode": "secure", "name": "br0"}, "uuid-name": "row0"},
            {"op": "mutate", "table": "Open_vSwitch", "where": [],
             "mutations": [["bridges", "insert", ["named-uuid", "row0"]]]},
            {"op": "mutate", "table": "Open_vSwitch", "where": [],
             "mutations": [["external_ids", "delete", "k"], ["external_ids", "insert", ["map", [["k", "v"]]]]]},
        ]);
        assert_eq!(serde_json::to_value(&txn).expect("serialises"), expected);
    }

    #[test]
    fn failures_are_told_by_place_and_kind() {
        let at = |text, operations| match read(text, operations) {
            Err(Error::Aborted { place, refusal }) => (place, refusal.reason),
            other => panic!("{other:?}"),
        };
        let wait = r#"[{"count":1},{"error":"timed out","details":"x"},null]"#;
        assert_eq!(at(wait, 3), (Place::Operation(1), Reason::TimedOut));
        let commit = r#"[{"count":1},{"error":"constraint violation","details":"x"}]"#;
        assert_eq!(at(commit, 1), (Place::Commit, Reason::Constraint));
        assert!(matches!(read("[7]", 1), Err(Error::Decode { .. })));
    }
}
