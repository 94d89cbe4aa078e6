//! Rows as a monitor holds them: values in the order of a layout that all rows of the table share.

use std::sync::Arc;

use crate::datum::Datum;
use crate::schema::ColumnType;

/// The monitored columns of one table.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    table: String,
    columns: Vec<(String, ColumnType)>,
}

impl Layout {
    /// A layout of these columns, in any order.
    pub(crate) fn new(table: String, mut columns: Vec<(String, ColumnType)>) -> Self {
        columns.sort_by(|a, b| a.0.cmp(&b.0));
        columns.dedup_by(|a, b| a.0 == b.0);
        Layout { table, columns }
    }

    /// The table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The names of the columns in order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn position(&self, column: &str) -> Option<usize> {
        self.columns.binary_search_by(|(name, _)| name.as_str().cmp(column)).ok()
    }

    pub(crate) fn kind(&self, position: usize) -> &ColumnType {
        &self.columns[position].1
    }
}

/// New content, or differences, for some columns by their position in the layout.
pub(crate) type Patch = Vec<(usize, Datum)>;

/// One row of a monitored table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    layout: Arc<Layout>,
    values: Box<[Datum]>,
}

impl Row {
    /// A row of defaults with some columns given: updates leave out what has its default.
    pub(crate) fn with_defaults(layout: &Arc<Layout>, patch: Patch) -> Self {
        let mut values: Box<[Datum]> = layout.columns.iter().map(|(_, kind)| kind.default_datum()).collect();
        for (position, datum) in patch {
            values[position] = datum;
        }
        Row { layout: Arc::clone(layout), values }
    }

    /// The row after a modification of the second or third kind of update.
    pub(crate) fn modified(&self, patch: Patch) -> Self {
        let mut row = self.clone();
        for (position, datum) in patch {
            match self.layout.kind(position).is_composite() {
                true => row.values[position].apply_difference(datum),
                false => row.values[position] = datum,
            }
        }
        row
    }

    /// The table that the row belongs to.
    pub fn table(&self) -> &str {
        self.layout.table()
    }

    /// The content of a column, if it is monitored.
    pub fn get(&self, column: &str) -> Option<&Datum> {
        self.layout.position(column).map(|position| &self.values[position])
    }

    /// All monitored columns with their content, in the order of their names.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Datum)> {
        self.layout.columns().zip(self.values.iter())
    }
}
