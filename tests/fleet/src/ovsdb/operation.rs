//! The operations of a transaction (RFC 7047 section 5.2), read and carried out one after the other.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::commit::Commit;
use super::condition::{self, Clause, matching, no_column};
use super::draft::{Draft, Place};
use super::mutation::Mutation;
use super::refusal::Refusal;
use super::row::{Ids, Row};
use super::schema::{Table, UUID, VERSION_COLUMN};
use super::store::Store;
use super::value::{Datum, Names, separate, write_id, write_text};

/// A transaction that is being carried out.
struct Execution<'a> {
    draft: Draft<'a>,
    named: BTreeMap<String, Named>,
    /// The locks that the session holds.
    locks: &'a [String],
}

/// A row that the transaction gave a name.
struct Named {
    number: u32,
    is_inserted: bool,
}

/// An operation with the parts that its kind may have.
struct Operation<'a> {
    json: &'a Value,
    members: &'a Map<String, Value>,
}

/// Carries out the operations and appends the array of their results; what is to be committed if none failed.
pub(super) fn execute(
    store: &Store,
    operations: &[Value],
    locks: &[String],
    out: &mut Vec<u8>,
) -> Option<Commit> {
    let mut execution = Execution { draft: Draft::new(store), named: BTreeMap::new(), locks };
    out.push(b'[');
    for (at, json) in operations.iter().enumerate() {
        separate(out, at);
        let place = (at + 1, operations.len());
        if let Err(refusal) = execution.carry_out(json, place, out) {
            refusal.write(out);
            for _ in at + 1..operations.len() {
                out.extend_from_slice(b",null");
            }
            out.push(b']');
            return None;
        }
    }
    let commit = Commit::of(execution.draft);
    if let Err(refusal) = &commit {
        separate(out, operations.len());
        refusal.write(out);
    }
    out.push(b']');
    commit.ok()
}

impl Execution<'_> {
    /// One operation; appends its result unless it is refused.
    fn carry_out(
        &mut self,
        json: &Value,
        (at, of): (usize, usize),
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let parsing = |problem: String| {
            let details = format!("Parsing ovsdb operation {at} of {of} failed: {problem}");
            match json {
                Value::Object(_) => Refusal::syntax(json, details),
                _ => Refusal::new("syntax error", details),
            }
        };
        let Value::Object(members) = json else { return Err(parsing("Object expected.".into())) };
        let operation = Operation { json, members };
        let kind = operation.text("op").map_err(parsing)?;
        let (required, optional) =
            members_of(kind).ok_or_else(|| parsing(format!("No operation \"{kind}\"")))?;
        operation.check(required, optional).map_err(parsing)?;
        match kind {
            "insert" => self.insert(&operation, operation.table().map_err(parsing)?, out),
            "select" => self.select(&operation, operation.table().map_err(parsing)?, out),
            "update" => self.update(&operation, operation.table().map_err(parsing)?, out),
            "mutate" => self.mutate(&operation, operation.table().map_err(parsing)?, out),
            "delete" => self.delete(&operation, operation.table().map_err(parsing)?, out),
            "wait" => self.wait(&operation, operation.table().map_err(parsing)?, out),
            "assert" => self.assert(operation.text("lock").map_err(parsing)?, out),
            "abort" => Err(Refusal::new("aborted", "aborted by request")),
            _ => {
                out.extend_from_slice(b"{}");
                Ok(())
            }
        }
    }

    fn insert(&mut self, operation: &Operation<'_>, table: Table, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let number = match operation.members.get("uuid-name").and_then(Value::as_str) {
            None => self.draft.fresh(),
            Some(name) => {
                let fresh = self.draft.next;
                let named =
                    self.named.entry(name.to_owned()).or_insert(Named { number: fresh, is_inserted: false });
                if named.is_inserted {
                    let details = "This \"uuid-name\" appeared on an earlier \"insert\" operation.";
                    let json = Value::String(name.to_owned());
                    return Err(Refusal::about("duplicate uuid-name", &json, details));
                }
                named.is_inserted = true;
                let number = named.number;
                self.draft.next = self.draft.next.max(number + 1);
                number
            }
        };
        let mut row = Row::new();
        for (column, datum) in self.read_row(table, operation.object("row"))? {
            row.set(table, column, datum);
        }
        self.draft.insert((table, number), row);
        out.extend_from_slice(b"{\"uuid\":");
        write_id(out, self.draft.ids().id(number));
        out.push(b'}');
        Ok(())
    }

    fn select(&mut self, operation: &Operation<'_>, table: Table, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let clauses = self.clauses(operation, table)?;
        let columns = read_columns(table, operation.members.get("columns"))?;
        let ids = self.draft.ids();
        out.extend_from_slice(b"{\"rows\":[");
        for (at, place) in matching(&self.draft, table, &clauses).into_iter().enumerate() {
            separate(out, at);
            let Some(row) = self.draft.row(place) else { continue };
            out.push(b'{');
            for (at, column) in columns.iter().enumerate() {
                separate(out, at);
                write_text(out, table.column(*column).name);
                out.push(b':');
                row.get(table, *column, ids.id(place.1)).write(out);
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        Ok(())
    }

    fn update(&mut self, operation: &Operation<'_>, table: Table, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let cells = self.read_row(table, operation.object("row"))?;
        if let Some((column, _)) = cells.iter().find(|(column, _)| !table.column(*column).is_mutable) {
            let (name, table) = (table.column(*column).name, table.name());
            let details = format!("Cannot update immutable column {name} in table {table}.");
            return Err(Refusal::about("constraint violation", operation.json, details));
        }
        let places = self.meant(operation, table)?;
        for place in &places {
            for (column, datum) in &cells {
                self.draft.set(*place, *column, datum.clone());
            }
        }
        write_count(out, places.len());
        Ok(())
    }

    fn mutate(&mut self, operation: &Operation<'_>, table: Table, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let steps = operation.array("mutations");
        let steps: Result<Vec<Mutation>, Refusal> =
            steps.iter().map(|step| Mutation::parse(table, step, &mut self.names())).collect();
        let steps = steps?;
        let places = self.meant(operation, table)?;
        for place in &places {
            let Some(row) = self.draft.edit(*place) else { continue };
            for step in &steps {
                step.apply(table, row)?;
            }
        }
        write_count(out, places.len());
        Ok(())
    }

    fn delete(&mut self, operation: &Operation<'_>, table: Table, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let places = self.meant(operation, table)?;
        for place in &places {
            self.draft.delete(*place);
        }
        write_count(out, places.len());
        Ok(())
    }

    /// There is no clock here, so that a wait with a timeout is over at once if it is not met.
    fn wait(&mut self, operation: &Operation<'_>, table: Table, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let clauses = self.clauses(operation, table)?;
        let columns = read_columns(table, operation.members.get("columns"))?;
        let ids = self.draft.ids();
        let until = &operation.members["until"];
        if !matches!(until.as_str(), Some("==" | "!=")) {
            return Err(Refusal::syntax(until, "\"until\" must be \"==\" or \"!=\""));
        }
        let mut wanted = Vec::new();
        for row in operation.array("rows") {
            let cells: BTreeMap<u8, Datum> = self.read_row(table, row.as_object())?.into_iter().collect();
            let value = |column: &u8| match cells.get(column) {
                Some(datum) => datum.clone(),
                None => Datum::default_of(table.column(*column)),
            };
            wanted.push(columns.iter().map(value).collect::<Vec<Datum>>());
        }
        let mut found = Vec::new();
        for place in matching(&self.draft, table, &clauses) {
            let Some(row) = self.draft.row(place) else { continue };
            let value = |column: &u8| row.get(table, *column, ids.id(place.1)).into_owned();
            found.push(columns.iter().map(value).collect::<Vec<Datum>>());
        }
        let is_equal =
            wanted.iter().all(|row| found.contains(row)) && found.iter().all(|row| wanted.contains(row));
        if is_equal == (until.as_str() == Some("==")) {
            out.extend_from_slice(b"{}");
            return Ok(());
        }
        let timeout = operation.members.get("timeout").and_then(Value::as_i64);
        Err(match timeout {
            Some(0) => Refusal::new("timed out", "\"where\" clause test failed"),
            timeout => {
                let timeout = timeout.unwrap_or(0);
                Refusal::new("timed out", format!("\"wait\" timed out after {timeout} ms"))
            }
        })
    }

    fn assert(&self, lock: &str, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if !self.locks.iter().any(|held| held == lock) {
            return Err(Refusal::new("not owner", format!("Asserted lock {lock} not held.")));
        }
        out.extend_from_slice(b"{}");
        Ok(())
    }

    fn names(&mut self) -> Naming<'_> {
        Naming { ids: self.draft.ids(), next: &mut self.draft.next, named: &mut self.named }
    }

    fn clauses(&mut self, operation: &Operation<'_>, table: Table) -> Result<Vec<Clause>, Refusal> {
        condition::parse_all(table, &operation.members["where"], &mut self.names())
    }

    fn meant(&mut self, operation: &Operation<'_>, table: Table) -> Result<Vec<Place>, Refusal> {
        let clauses = self.clauses(operation, table)?;
        Ok(matching(&self.draft, table, &clauses))
    }

    /// Reads a row; the id and version in it are only of use to a wait.
    fn read_row(
        &mut self,
        table: Table,
        members: Option<&Map<String, Value>>,
    ) -> Result<Vec<(u8, Datum)>, Refusal> {
        let mut cells = Vec::new();
        for (name, json) in members.into_iter().flatten() {
            let column = table.column_named(name).ok_or_else(|| {
                let row = members.cloned().map_or(Value::Null, Value::Object);
                no_column(table, name, &row)
            })?;
            let mut names =
                Naming { ids: self.draft.ids(), next: &mut self.draft.next, named: &mut self.named };
            cells.push((column, Datum::parse(table.column(column), json, &mut names)?));
        }
        Ok(cells)
    }
}

/// Names given by the transaction to rows that it inserts now or later.
struct Naming<'a> {
    ids: Ids,
    next: &'a mut u32,
    named: &'a mut BTreeMap<String, Named>,
}

impl Names for Naming<'_> {
    fn id_of(&mut self, name: &str) -> u128 {
        if !self.named.contains_key(name) {
            self.named.insert(name.to_owned(), Named { number: *self.next, is_inserted: false });
            *self.next += 1;
        }
        self.ids.id(self.named[name].number)
    }
}

/// The members that an operation must and may have besides `op`.
fn members_of(kind: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match kind {
        "insert" => (&["table", "row"], &["uuid-name"]),
        "select" => (&["table", "where"], &["columns"]),
        "update" => (&["table", "where", "row"], &[]),
        "mutate" => (&["table", "where", "mutations"], &[]),
        "delete" => (&["table", "where"], &[]),
        "wait" => (&["table", "where", "until", "rows"], &["timeout", "columns"]),
        "commit" => (&["durable"], &[]),
        "abort" => (&[], &[]),
        "comment" => (&["comment"], &[]),
        "assert" => (&["lock"], &[]),
        _ => return None,
    })
}

impl Operation<'_> {
    fn text(&self, name: &str) -> Result<&str, String> {
        let member = self.members.get(name).ok_or_else(|| format!("Required '{name}' member is missing."))?;
        member.as_str().ok_or_else(|| format!("Type mismatch for member '{name}'."))
    }

    fn table(&self) -> Result<Table, String> {
        let name = self.text("table")?;
        Table::named(name).ok_or_else(|| format!("No table named {name}."))
    }

    fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.members.get(name).and_then(Value::as_object)
    }

    fn array(&self, name: &str) -> &[Value] {
        self.members.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// All members that must be there are, none is unknown, and each is of the right kind.
    fn check(&self, required: &[&str], optional: &[&str]) -> Result<(), String> {
        for name in required {
            if !self.members.contains_key(*name) {
                return Err(format!("Required '{name}' member is missing."));
            }
        }
        for (name, json) in self.members {
            let name = name.as_str();
            if name != "op" && !required.contains(&name) && !optional.contains(&name) {
                return Err(format!("Member '{name}' is present but not allowed here."));
            }
            let fits = match name {
                "where" | "rows" | "mutations" | "columns" => json.is_array(),
                "row" => json.is_object(),
                "timeout" => json.is_i64() || json.is_u64(),
                "durable" => json.is_boolean(),
                "uuid-name" | "lock" => json.as_str().is_some_and(is_identifier),
                _ => json.is_string(),
            };
            if !fits {
                return Err(format!("Type mismatch for member '{name}'."));
            }
        }
        Ok(())
    }
}

fn is_identifier(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| is_word(c) && !c.is_ascii_digit()) && text.chars().all(is_word)
}

/// Reads a list of columns; without one, all columns and pseudo-columns are meant.
pub(super) fn read_columns(table: Table, json: Option<&Value>) -> Result<Vec<u8>, Refusal> {
    let Some(json) = json else {
        let all = (0..).zip(table.columns()).map(|(number, _)| number);
        return Ok(all.chain([UUID, VERSION_COLUMN]).collect());
    };
    let mut columns = Vec::new();
    for name in json.as_array().map(Vec::as_slice).unwrap_or_default() {
        let name =
            name.as_str().ok_or_else(|| Refusal::syntax(json, "array of distinct column names expected"))?;
        let column = table.column_named(name);
        let column =
            column.ok_or_else(|| Refusal::syntax(json, format!("{name} is not a valid column name")))?;
        if columns.contains(&column) {
            return Err(Refusal::syntax(json, "array of distinct column names expected"));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn write_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(format!("{{\"count\":{count}}}").as_bytes());
}
