//! What a writer asks for in one step: operations that happen together, and the conditions they depend on.

use bytes::Bytes;

use crate::{
    error::StoreError,
    record::{BATCH_BYTES_MAX, BATCH_OPS_MAX, KEY_BYTES_MAX, Revision, Table, VALUE_BYTES_MAX},
};

/// One operation on one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Write the record, new or not.
    Put {
        /// The table it lives in.
        table: Table,
        /// Its key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Remove the record; nothing happens where there is none.
    Delete {
        /// The table it lives in.
        table: Table,
        /// Its key.
        key: Bytes,
    },
}

impl Op {
    /// The table that is touched.
    pub fn table(&self) -> Table {
        match self {
            Op::Put { table, .. } | Op::Delete { table, .. } => *table,
        }
    }

    /// The key that is touched.
    pub fn key(&self) -> &Bytes {
        match self {
            Op::Put { key, .. } | Op::Delete { key, .. } => key,
        }
    }

    /// The value that the record has afterwards; `None` where it is gone.
    pub fn value(&self) -> Option<&Bytes> {
        match self {
            Op::Put { value, .. } => Some(value),
            Op::Delete { .. } => None,
        }
    }
}

/// What must hold before a batch for it to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The store is at exactly this revision.
    RevisionIs(Revision),
    /// There is no such record.
    Absent {
        /// The table to look in.
        table: Table,
        /// The key to look for.
        key: Bytes,
    },
    /// There is such a record, whatever its value.
    Present {
        /// The table to look in.
        table: Table,
        /// The key to look for.
        key: Bytes,
    },
    /// There is such a record and it has this value.
    ValueIs {
        /// The table to look in.
        table: Table,
        /// The key to look for.
        key: Bytes,
        /// The value it must have.
        value: Bytes,
    },
}

/// Operations that are applied all together or not at all, in the order they were added.
///
/// Conditions look at the state before the batch. Of several operations on one key the last one stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    conditions: Vec<Condition>,
    ops: Vec<Op>,
}

impl Batch {
    /// A batch without operations or conditions.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Writes a record.
    pub fn put(&mut self, table: Table, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> &mut Batch {
        let (key, value) = (Bytes::copy_from_slice(key.as_ref()), Bytes::copy_from_slice(value.as_ref()));
        self.ops.push(Op::Put { table, key, value });
        self
    }

    /// Removes a record, if it is there.
    pub fn delete(&mut self, table: Table, key: impl AsRef<[u8]>) -> &mut Batch {
        self.ops.push(Op::Delete { table, key: Bytes::copy_from_slice(key.as_ref()) });
        self
    }

    /// Applies only if the store is at this revision: nobody wrote anything in between.
    pub fn expect_revision(&mut self, revision: Revision) -> &mut Batch {
        self.conditions.push(Condition::RevisionIs(revision));
        self
    }

    /// Applies only if there is no such record.
    pub fn expect_absent(&mut self, table: Table, key: impl AsRef<[u8]>) -> &mut Batch {
        self.conditions.push(Condition::Absent { table, key: Bytes::copy_from_slice(key.as_ref()) });
        self
    }

    /// Applies only if there is such a record.
    pub fn expect_present(&mut self, table: Table, key: impl AsRef<[u8]>) -> &mut Batch {
        self.conditions.push(Condition::Present { table, key: Bytes::copy_from_slice(key.as_ref()) });
        self
    }

    /// Applies only if there is such a record with this value.
    pub fn expect_value(
        &mut self,
        table: Table,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> &mut Batch {
        let (key, value) = (Bytes::copy_from_slice(key.as_ref()), Bytes::copy_from_slice(value.as_ref()));
        self.conditions.push(Condition::ValueIs { table, key, value });
        self
    }

    /// The operations, in order.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// The conditions, in order.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether the batch would change nothing. Such a batch still takes a revision.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Refuses what is too large or badly named, before anything is read or written.
    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        limit("operations in a batch", self.ops.len(), BATCH_OPS_MAX)?;
        limit("conditions in a batch", self.conditions.len(), BATCH_OPS_MAX)?;
        let mut bytes = 0;
        for op in &self.ops {
            let value = op.value().map_or(0, Bytes::len);
            validate_key(op.table(), op.key())?;
            limit("bytes in a value", value, VALUE_BYTES_MAX)?;
            bytes += op.key().len() + value;
        }
        limit("bytes in a batch", bytes, BATCH_BYTES_MAX)?;
        self.conditions.iter().try_for_each(|condition| match condition {
            Condition::RevisionIs(_) => Ok(()),
            Condition::Absent { table, key }
            | Condition::Present { table, key }
            | Condition::ValueIs { table, key, .. } => validate_key(*table, key),
        })
    }
}

/// A batch that was applied, as a watcher sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The revision that the batch made.
    pub revision: Revision,
    /// Its operations, in the order they were given.
    pub ops: Vec<Op>,
}

/// Refuses a table name or key that no record can have.
pub(crate) fn validate_key(table: Table, key: &[u8]) -> Result<(), StoreError> {
    if !Table::is_valid_name(table.0) {
        return Err(StoreError::TableName { name: table.0.to_owned() });
    }
    limit("bytes in a key", key.len(), KEY_BYTES_MAX)
}

fn limit(what: &'static str, found: usize, max: usize) -> Result<(), StoreError> {
    if found > max {
        return Err(StoreError::TooLarge { what, found, max });
    }
    Ok(())
}
