//! What a monitor is to show: tables, columns and conditions, checked against the live schema before it is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::column::{Clause, Condition};
use crate::error::SchemaMismatch;
use crate::packed::Words;
use crate::row::Layout;
use crate::schema::{ColumnType, Schema, TableSchema};
use crate::table::{ColumnSpec, Table};

/// A checked wish: one plan may serve the sessions of all hosts whose schema is the same.
#[derive(Debug, PartialEq)]
pub struct Plan {
    database: String,
    tables: Vec<TablePlan>,
}

#[derive(Debug, PartialEq)]
struct TablePlan {
    layout: Arc<Layout>,
    conditions: Option<Vec<Condition>>,
}

impl Plan {
    /// Starts a plan for the database with this schema.
    pub fn of(schema: &Schema) -> PlanBuilder<'_> {
        PlanBuilder { schema, tables: BTreeMap::new(), words: Vec::new() }
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The tables with their columns, in the order of their names.
    pub fn layouts(&self) -> impl ExactSizeIterator<Item = &Arc<Layout>> {
        self.tables.iter().map(|table| &table.layout)
    }

    pub(crate) fn position(&self, table: &str) -> Option<usize> {
        self.tables.binary_search_by(|other| other.layout.table().cmp(table)).ok()
    }

    pub(crate) fn layout(&self, position: usize) -> &Arc<Layout> {
        &self.tables[position].layout
    }

    /// The monitor requests by table, with conditions where the method knows them.
    pub(crate) fn requests(&self, conditions: Conditions) -> Requests<'_> {
        Requests { plan: self, conditions }
    }

    /// Whether the plan leaves rows out, so that a server without conditions can't carry it out.
    pub(crate) fn is_conditional(&self) -> bool {
        self.tables.iter().any(|table| table.conditions.is_some())
    }
}

/// A plan being put together.
#[derive(Debug)]
pub struct PlanBuilder<'a> {
    schema: &'a Schema,
    tables: BTreeMap<&'static str, Wish>,
    words: Vec<&'static str>,
}

#[derive(Debug)]
struct Wish {
    columns: Vec<(String, ColumnType)>,
    conditions: Option<Vec<Condition>>,
}

impl PlanBuilder<'_> {
    /// Adds a table with all the columns we know; an optional column that this server lacks is left out and reads
    /// as its default.
    pub fn table<T: Table>(self) -> Result<Self, SchemaMismatch> {
        self.add::<T>(T::COLUMNS.iter())
    }

    /// Adds a table with some of its columns, by name. The others read as their defaults.
    pub fn columns<T: Table>(self, names: &[&str]) -> Result<Self, SchemaMismatch> {
        for name in names {
            if !T::COLUMNS.iter().any(|spec| spec.name == *name) {
                return Err(SchemaMismatch::NoColumn { table: T::NAME.into(), column: (*name).into() });
            }
        }
        self.add::<T>(T::COLUMNS.iter().filter(|spec| names.contains(&spec.name)))
    }

    /// Shows only the rows of a table that meet at least one of these conditions; with none, no row. The table must
    /// have been added before.
    pub fn rows_where_any<T: Table>(
        mut self,
        clauses: impl IntoIterator<Item = Clause<T>>,
    ) -> Result<Self, SchemaMismatch> {
        let table = self.tables.get_mut(T::NAME).ok_or_else(|| SchemaMismatch::NoTable(T::NAME.into()))?;
        table.conditions = Some(clauses.into_iter().map(|clause| clause.condition).collect());
        Ok(self)
    }

    /// Names texts that are frequent in the rows, such as keys that every row of ours has. A row then holds a number for
    /// each of them.
    #[must_use]
    pub fn words(mut self, words: &[&'static str]) -> Self {
        self.words.extend(words);
        self
    }

    /// The finished plan.
    pub fn build(self) -> Arc<Plan> {
        let words = Arc::new(Words::new(self.words));
        let table = |(name, wish): (&str, Wish)| TablePlan {
            layout: Arc::new(Layout::new(name.to_owned(), wish.columns, Arc::clone(&words))),
            conditions: wish.conditions,
        };
        let tables = self.tables.into_iter().map(table).collect();
        Arc::new(Plan { database: self.schema.name.clone(), tables })
    }

    fn add<T: Table>(
        mut self,
        specs: impl Iterator<Item = &'static ColumnSpec>,
    ) -> Result<Self, SchemaMismatch> {
        let live = self.schema.tables.get(T::NAME).ok_or_else(|| SchemaMismatch::NoTable(T::NAME.into()))?;
        check_table::<T>(live)?;
        let columns = specs
            .filter_map(|spec| {
                live.columns.get(spec.name).map(|column| (spec.name.into(), column.kind.clone()))
            })
            .collect();
        self.tables.insert(T::NAME, Wish { columns, conditions: None });
        Ok(self)
    }
}

/// Checks that a live table can carry our rows; what we don't know of it is its own business.
pub fn check_table<T: Table>(live: &TableSchema) -> Result<(), SchemaMismatch> {
    for spec in T::COLUMNS {
        let (table, column) = (T::NAME.to_owned(), spec.name.to_owned());
        match live.columns.get(spec.name) {
            Some(found) if !(spec.fits)(&found.kind) => {
                return Err(SchemaMismatch::OtherType { table, column });
            }
            None if spec.required => return Err(SchemaMismatch::NoColumn { table, column }),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a monitor method takes conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conditions {
    Sent,
    Unknown,
}

pub(crate) struct Requests<'a> {
    plan: &'a Plan,
    conditions: Conditions,
}

impl Serialize for Requests<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.plan.tables.len()))?;
        for table in &self.plan.tables {
            map.serialize_entry(table.layout.table(), &[Request { table, conditions: self.conditions }])?;
        }
        map.end()
    }
}

struct Request<'a> {
    table: &'a TablePlan,
    conditions: Conditions,
}

impl Serialize for Request<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let columns: Vec<&str> = self.table.layout.columns().collect();
        map.serialize_entry("columns", &columns)?;
        if let (Conditions::Sent, Some(any)) = (self.conditions, &self.table.conditions) {
            map.serialize_entry("where", &conditions(any))?;
        }
        map.end()
    }
}

/// Conditions on the wire. No condition at all means every row there, so that showing none takes a `false`.
pub(crate) fn conditions(any: &[Condition]) -> serde_json::Value {
    match any {
        [] => serde_json::json!([false]),
        some => serde_json::json!(some),
    }
}
