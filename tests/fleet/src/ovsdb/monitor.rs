//! Monitors: which rows and columns a client sees, and what it is told when they change (RFC 7047 section 4.1.5 and
//! ovsdb-server(7) 4.1.12 to 4.1.16).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::commit::Change;
use super::condition::{Clause, meets_any};
use super::operation::read_columns;
use super::refusal::Refusal;
use super::row::{Ids, Row, write_cells};
use super::schema::{Table, UUID, VERSION_COLUMN};
use super::store::Store;
use super::value::{Datum, Names, push_id, separate, write_text};

/// By which method a monitor was asked for, so in which form it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// `monitor`: old and new.
    Plain,
    /// `monitor_cond`: differences.
    Cond,
    /// `monitor_cond_since`: differences with the id of the transaction, which a standalone server does not remember.
    CondSince,
}

/// One monitor.
#[derive(Debug)]
pub(super) struct Monitor {
    /// How the client calls it.
    pub(super) id: Value,
    method: Method,
    tables: BTreeMap<Table, Watched>,
}

/// What is seen of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Watched {
    columns: Columns,
    select: Select,
    /// Rows that meet any of these are seen; all, if there are none.
    clauses: Vec<Clause>,
}

/// A set of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Columns(u64);

/// The kinds of changes that are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Select {
    initial: bool,
    insert: bool,
    delete: bool,
    modify: bool,
}

/// The last transaction, of a server that does not remember any.
const NO_TRANSACTION: &str = "\"00000000-0000-0000-0000-000000000000\"";

impl Columns {
    fn contains(self, column: u8) -> bool {
        let bit = if column >= UUID { column - 192 } else { column };
        self.0 >> bit & 1 == 1
    }

    /// Whether there are pseudo-columns among them.
    fn is_odd(self) -> bool {
        self.contains(UUID) || self.contains(VERSION_COLUMN)
    }

    fn of(columns: &[u8]) -> Columns {
        let bit = |column: &u8| if *column >= UUID { *column - 192 } else { *column };
        Columns(columns.iter().fold(0, |bits, column| bits | 1 << bit(column)))
    }
}

impl Watched {
    fn parse(table: Table, json: &Value, names: &mut dyn Names) -> Result<Watched, Refusal> {
        let Value::Object(members) = json else {
            return Err(Refusal::syntax(json, "array of objects expected"));
        };
        let columns = match members.get("columns") {
            Some(columns) if is_repetitive(columns) => {
                return Err(Refusal::syntax(columns, "column name mentioned more than once"));
            }
            Some(columns) => read_columns(table, Some(columns))?,
            None => read_columns(table, None)?.into_iter().filter(|column| *column < UUID).collect(),
        };
        let wants = |name: &str| {
            let select = members.get("select").and_then(|select| select.get(name));
            select.and_then(Value::as_bool).unwrap_or(true)
        };
        let select = Select {
            initial: wants("initial"),
            insert: wants("insert"),
            delete: wants("delete"),
            modify: wants("modify"),
        };
        let clauses = parse_clauses(table, members, names)?;
        Ok(Watched { columns: Columns::of(&columns), select, clauses })
    }

    fn shows(&self, table: Table, row: &Row, id: u128) -> bool {
        meets_any(&self.clauses, table, row, id)
    }
}

fn parse_clauses(
    table: Table,
    members: &Map<String, Value>,
    names: &mut dyn Names,
) -> Result<Vec<Clause>, Refusal> {
    let clauses = members.get("where").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    clauses.iter().map(|clause| Clause::parse(table, clause, names)).collect()
}

/// Whether a list has something twice; a transaction has other words for that than a monitor.
fn is_repetitive(list: &Value) -> bool {
    let members = list.as_array().map(Vec::as_slice).unwrap_or_default();
    members.iter().enumerate().any(|(at, member)| members[..at].contains(member))
}

/// No names are known outside of transactions.
struct Nameless;

impl Names for Nameless {
    fn id_of(&mut self, _name: &str) -> u128 {
        0
    }
}

impl Monitor {
    /// Reads `{table: [request, ...]}` or `{table: request}`; of several requests for a table, columns add up.
    pub(super) fn parse(id: Value, method: Method, requests: &Value) -> Result<Monitor, Refusal> {
        let Value::Object(requests) = requests else {
            return Err(Refusal::syntax(requests, "<monitor-requests> must be an object"));
        };
        let mut tables = BTreeMap::new();
        for (name, requests) in requests {
            let table = Table::named(name)
                .ok_or_else(|| Refusal::new("syntax error", format!("no table named {name}")))?;
            let list = match requests {
                Value::Array(list) => list.as_slice(),
                one => std::slice::from_ref(one),
            };
            for request in list {
                let more = Watched::parse(table, request, &mut Nameless)?;
                let watched = tables.entry(table).or_insert_with(|| more.clone());
                watched.columns.0 |= more.columns.0;
            }
        }
        Ok(Monitor { id, method, tables })
    }

    /// Bytes that it takes; its tables share one node of a tree.
    pub(super) fn resident_bytes(&self) -> usize {
        let clauses = self.tables.values().map(|watched| watched.clauses.len() * size_of::<Clause>());
        size_of::<Monitor>() + 11 * size_of::<(Table, Watched)>() + clauses.sum::<usize>()
    }

    /// Appends the answer to the request: all rows seen now.
    pub(super) fn write_start(&self, store: &Store, out: &mut Vec<u8>) {
        if self.method == Method::CondSince {
            out.extend_from_slice(b"[false,");
            out.extend_from_slice(NO_TRANSACTION.as_bytes());
            out.push(b',');
        }
        let mut updates = Updates::new(out);
        let word = if self.method == Method::Plain { "new" } else { "initial" };
        for (table, watched) in self.tables.iter().filter(|(_, watched)| watched.select.initial) {
            // All rows, and no column that would have to be made up: this is what thousands of hosts are asked for.
            let is_direct =
                self.method != Method::Plain && watched.clauses.is_empty() && !watched.columns.is_odd();
            for (number, bytes) in store.rows(*table) {
                let id = store.ids().id(number);
                if is_direct {
                    updates.row(*table, id);
                    updates.out.extend_from_slice(b"\"initial\":{");
                    let is_seen = |column| watched.columns.contains(column);
                    write_cells(*table, bytes, store.ids(), is_seen, updates.out);
                    updates.out.extend_from_slice(b"}}");
                    continue;
                }
                let row = Row::unpack(*table, bytes, store.ids());
                if watched.shows(*table, &row, id) {
                    updates.row(*table, id);
                    self.write_whole(word, (*table, watched), &row, id, updates.out);
                    updates.out.push(b'}');
                }
            }
        }
        updates.finish();
        if self.method == Method::CondSince {
            out.push(b']');
        }
    }

    /// Appends the notification of changes, if there is anything in them that is seen.
    pub(super) fn write_changes(&self, changes: &[Change], ids: Ids, out: &mut Vec<u8>) {
        let start = out.len();
        self.write_head(out);
        let mut updates = Updates::new(out);
        for change in changes {
            if let Some(watched) = self.tables.get(&change.table) {
                self.write_change(watched, change, ids.id(change.number), &mut updates);
            }
        }
        if updates.is_empty() {
            out.truncate(start);
            return;
        }
        updates.finish();
        out.extend_from_slice(b"]}");
    }

    /// Shows other rows from now on, and appends the notification of the difference.
    pub(super) fn change_conditions(
        &mut self,
        id: Value,
        requests: &Value,
        store: &Store,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let mut others: BTreeMap<Table, Vec<Clause>> = BTreeMap::new();
        for (name, requests) in requests.as_object().into_iter().flatten() {
            let table = Table::named(name).filter(|table| self.tables.contains_key(table));
            let table =
                table.ok_or_else(|| Refusal::new("syntax error", format!("no table named {name}")))?;
            let request = requests.get(0).unwrap_or(requests).as_object();
            let clauses = request.map(|request| parse_clauses(table, request, &mut Nameless));
            others.insert(table, clauses.transpose()?.unwrap_or_default());
        }
        self.id = id;
        let start = out.len();
        self.write_head(out);
        let mut updates = Updates::new(out);
        for (table, clauses) in others {
            let Some(before) = self.tables.get(&table).cloned() else { continue };
            let after = Watched { clauses, ..before.clone() };
            for (number, bytes) in store.rows(table) {
                let (row, id) = (Row::unpack(table, bytes, store.ids()), store.ids().id(number));
                match (before.shows(table, &row, id), after.shows(table, &row, id)) {
                    (false, true) => {
                        updates.row(table, id);
                        self.write_whole("insert", (table, &after), &row, id, updates.out);
                        updates.out.push(b'}');
                    }
                    (true, false) => {
                        updates.row(table, id);
                        updates.out.extend_from_slice(b"\"delete\":null}");
                    }
                    _ => {}
                }
            }
            self.tables.insert(table, after);
        }
        if updates.is_empty() {
            out.truncate(start);
            return Ok(());
        }
        updates.finish();
        out.extend_from_slice(b"]}");
        Ok(())
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        let method = match self.method {
            Method::Plain => "update",
            Method::Cond => "update2",
            Method::CondSince => "update3",
        };
        out.extend_from_slice(b"{\"id\":null,\"method\":");
        write_text(out, method);
        out.extend_from_slice(b",\"params\":[");
        out.extend_from_slice(self.id.to_string().as_bytes());
        out.push(b',');
        if self.method == Method::CondSince {
            out.extend_from_slice(NO_TRANSACTION.as_bytes());
            out.push(b',');
        }
    }

    fn write_change(&self, watched: &Watched, change: &Change, id: u128, updates: &mut Updates<'_>) {
        let table = change.table;
        let seen = |row: &&Row| watched.shows(table, row, id);
        let old = change.old.as_ref().filter(seen);
        let new = change.new.as_ref().filter(seen);
        match (old, new) {
            (None, Some(new)) if watched.select.insert => {
                updates.row(table, id);
                let word = if self.method == Method::Plain { "new" } else { "insert" };
                self.write_whole(word, (table, watched), new, id, updates.out);
            }
            (Some(old), None) if watched.select.delete => {
                updates.row(table, id);
                match self.method {
                    Method::Plain => self.write_whole("old", (table, watched), old, id, updates.out),
                    _ => updates.out.extend_from_slice(b"\"delete\":null"),
                }
            }
            (Some(old), Some(new)) if watched.select.modify => {
                let columns = changed(watched, table, old, new);
                if columns.is_empty() {
                    return;
                }
                updates.row(table, id);
                self.write_modification((table, watched), (old, new), &columns, updates.out);
            }
            _ => return,
        }
        updates.out.push(b'}');
    }

    fn write_modification(
        &self,
        (table, watched): (Table, &Watched),
        (old, new): (&Row, &Row),
        columns: &[u8],
        out: &mut Vec<u8>,
    ) {
        let word = if self.method == Method::Plain { "old" } else { "modify" };
        write_text(out, word);
        out.extend_from_slice(b":{");
        for (at, column) in columns.iter().enumerate() {
            separate(out, at);
            write_text(out, table.column(*column).name);
            out.push(b':');
            let (old, new) = (old.get(table, *column, 0), new.get(table, *column, 0));
            match self.method {
                Method::Plain => old.write(out),
                _ if table.column(*column).is_single() => new.write(out),
                _ => old.difference(&new).write(out),
            }
        }
        out.push(b'}');
        if self.method == Method::Plain {
            out.push(b',');
            self.write_whole("new", (table, watched), new, 0, out);
        }
    }

    /// Appends `word: {column: value, ...}`. Columns that hold their default are only shown in the words of RFC 7047.
    fn write_whole(
        &self,
        word: &str,
        (table, watched): (Table, &Watched),
        row: &Row,
        id: u128,
        out: &mut Vec<u8>,
    ) {
        write_text(out, word);
        out.extend_from_slice(b":{");
        let mut at = 0;
        let mut write = |column: u8, datum: &Datum| {
            separate(out, at);
            at += 1;
            write_text(out, table.column(column).name);
            out.push(b':');
            datum.write(out);
        };
        if self.method == Method::Plain {
            for (column, _) in (0..).zip(table.columns()) {
                if watched.columns.contains(column) {
                    write(column, &row.get(table, column, id));
                }
            }
        } else {
            for (column, datum) in row.cells().filter(|(column, _)| watched.columns.contains(*column)) {
                write(column, datum);
            }
        }
        for column in [UUID, VERSION_COLUMN] {
            if watched.columns.contains(column) {
                write(column, &row.get(table, column, id));
            }
        }
        out.push(b'}');
    }
}

/// The columns that are seen and differ.
fn changed(watched: &Watched, table: Table, old: &Row, new: &Row) -> Vec<u8> {
    let columns = (0..).zip(table.columns()).map(|(column, _)| column);
    columns
        .filter(|column| watched.columns.contains(*column) && old.cell(*column) != new.cell(*column))
        .collect()
}

/// `{table: {row: {...}, ...}, ...}` being written.
struct Updates<'a> {
    out: &'a mut Vec<u8>,
    table: Option<Table>,
}

impl<'a> Updates<'a> {
    fn new(out: &'a mut Vec<u8>) -> Updates<'a> {
        out.push(b'{');
        Updates { out, table: None }
    }

    fn is_empty(&self) -> bool {
        self.table.is_none()
    }

    /// Begins a row; rows of one table come together. Whoever calls it writes the content and the closing brace.
    fn row(&mut self, table: Table, id: u128) {
        match self.table {
            Some(before) if before == table => self.out.push(b','),
            before => {
                if before.is_some() {
                    self.out.extend_from_slice(b"},");
                }
                write_text(self.out, table.name());
                self.out.extend_from_slice(b":{");
                self.table = Some(table);
            }
        }
        self.out.push(b'"');
        push_id(self.out, id);
        self.out.extend_from_slice(b"\":{");
    }

    fn finish(self) {
        if self.table.is_some() {
            self.out.push(b'}');
        }
        self.out.push(b'}');
    }
}
