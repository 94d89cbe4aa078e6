//! Which rows a `where` means (RFC 7047 section 5.1, `<condition>`).

use serde_json::Value;

use super::draft::{Draft, Place};
use super::refusal::Refusal;
use super::row::Row;
use super::schema::{Base, Column, Table, UUID};
use super::value::{Atom, Datum, Names, find};

/// One clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Clause {
    /// Met by every row, or by none.
    Always(bool),
    /// Met by rows whose column compares like this.
    Compare { column: u8, function: Function, value: Datum },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Includes,
    Excludes,
}

const FUNCTIONS: [(&str, Function); 8] = [
    ("==", Function::Equal),
    ("!=", Function::Unequal),
    ("<", Function::Less),
    ("<=", Function::LessOrEqual),
    (">", Function::Greater),
    (">=", Function::GreaterOrEqual),
    ("includes", Function::Includes),
    ("excludes", Function::Excludes),
];

impl Clause {
    pub(super) fn parse(table: Table, json: &Value, names: &mut dyn Names) -> Result<Clause, Refusal> {
        if let Value::Bool(always) = json {
            return Ok(Clause::Always(*always));
        }
        let Some([Value::String(name), Value::String(word), value]) = json.as_array().map(Vec::as_slice)
        else {
            return Err(Refusal::syntax(json, "Parse error in condition."));
        };
        let column = table.column_named(name).ok_or_else(|| no_column(table, name, json))?;
        let function = FUNCTIONS.iter().find(|(known, _)| known == word);
        let Some((_, function)) = function else {
            return Err(Refusal::new("unknown function", format!("No function named {word}.")));
        };
        let mut kind = *table.column(column);
        match function {
            Function::Equal | Function::Unequal => {}
            Function::Includes | Function::Excludes => {
                kind.min = 0;
                if *function == Function::Excludes {
                    kind.max = u32::MAX;
                }
            }
            _ => {
                let is_number = matches!(kind.key, Base::Integer | Base::Range(..)) && kind.is_single();
                if !is_number || kind.value.is_some() {
                    return Err(mismatch(json, word, &kind));
                }
                kind.min = 1;
            }
        }
        Ok(Clause::Compare { column, function: *function, value: Datum::parse(&kind, value, names)? })
    }

    fn holds(&self, table: Table, row: &Row, id: u128) -> bool {
        let Clause::Compare { column, function, value } = self else {
            return matches!(self, Clause::Always(true));
        };
        let found = row.get(table, *column, id);
        let order = || Some(found.as_integer()?.cmp(&value.as_integer()?));
        match function {
            Function::Equal => *found == *value,
            Function::Unequal => *found != *value,
            Function::Less => order().is_some_and(std::cmp::Ordering::is_lt),
            Function::LessOrEqual => order().is_some_and(std::cmp::Ordering::is_le),
            Function::Greater => order().is_some_and(std::cmp::Ordering::is_gt),
            Function::GreaterOrEqual => order().is_some_and(std::cmp::Ordering::is_ge),
            Function::Includes => common(&found, value) == value.len(),
            Function::Excludes => common(&found, value) == 0,
        }
    }
}

/// The refusal of a column that does not exist.
pub(super) fn no_column(table: Table, name: &str, json: &Value) -> Refusal {
    Refusal::about("unknown column", json, format!("No column {name} in table {}.", table.name()))
}

/// The refusal of an operator that a column is of the wrong type for.
pub(super) fn mismatch(json: &Value, operator: &str, column: &Column) -> Refusal {
    let (name, kind) = (column.name, kind_text(column));
    let details =
        format!("Type mismatch: \"{operator}\" operator may not be applied to column {name} of type {kind}.");
    Refusal::syntax(json, details)
}

/// Reads a `where`.
pub(super) fn parse_all(table: Table, json: &Value, names: &mut dyn Names) -> Result<Vec<Clause>, Refusal> {
    let clauses = json.as_array().map(Vec::as_slice).unwrap_or_default();
    clauses.iter().map(|clause| Clause::parse(table, clause, names)).collect()
}

/// Whether a row meets all clauses.
pub(super) fn meets_all(clauses: &[Clause], table: Table, row: &Row, id: u128) -> bool {
    clauses.iter().all(|clause| clause.holds(table, row, id))
}

/// Whether a row meets any clause; without clauses every row does.
pub(super) fn meets_any(clauses: &[Clause], table: Table, row: &Row, id: u128) -> bool {
    clauses.is_empty() || clauses.iter().any(|clause| clause.holds(table, row, id))
}

/// The rows of a table that meet all clauses.
pub(super) fn matching(draft: &Draft<'_>, table: Table, clauses: &[Clause]) -> Vec<Place> {
    let ids = draft.ids();
    let numbers = match clauses.iter().find_map(pinned) {
        // Asked for by id: no need to look at the others.
        Some(id) => ids.row(id).into_iter().collect(),
        None => draft.numbers(table),
    };
    let is_meant = |number: &u32| {
        draft.row((table, *number)).is_some_and(|row| meets_all(clauses, table, &row, ids.id(*number)))
    };
    numbers.into_iter().filter(is_meant).map(|number| (table, number)).collect()
}

fn pinned(clause: &Clause) -> Option<u128> {
    match clause {
        Clause::Compare { column: UUID, function: Function::Equal, value } => value.ids().next(),
        _ => None,
    }
}

/// How many members of the second are in the first.
fn common(found: &Datum, value: &Datum) -> usize {
    match (found, value) {
        (Datum::Set(found), Datum::Set(value)) => {
            value.iter().filter(|atom| found.binary_search(atom).is_ok()).count()
        }
        (Datum::Map(found), Datum::Map(value)) => {
            value.iter().filter(|(key, value): &&(Atom, Atom)| find(found, key) == Some(value)).count()
        }
        _ => 0,
    }
}

/// A column's type in words.
pub(super) fn kind_text(column: &Column) -> String {
    let base = |base: Base| match base {
        Base::Text | Base::Words(_) => "string",
        Base::Integer | Base::Range(..) => "integer",
        Base::Boolean => "boolean",
        Base::Uuid | Base::Row(_) => "uuid",
    };
    match (column.value, column.is_scalar(), column.is_single()) {
        (Some(value), ..) => format!("map of ({}, {}) pairs", base(column.key), base(value)),
        (None, true, _) => base(column.key).to_owned(),
        (None, _, true) => format!("optional {}", base(column.key)),
        (None, ..) if column.min == 0 => format!("set of {}s", base(column.key)),
        (None, ..) => format!("set of {} or more {}s", column.min, base(column.key)),
    }
}
