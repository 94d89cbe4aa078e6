//! Changes to what a column holds (RFC 7047 section 5.1, `<mutation>`).

use serde_json::Value;

use super::condition::{kind_text, mismatch, no_column};
use super::refusal::Refusal;
use super::row::Row;
use super::schema::{Base, Table, VERSION_COLUMN};
use super::value::{Atom, Datum, Names, tagged};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mutation {
    column: u8,
    step: Step,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Arithmetic(&'static str, i64),
    Insert(Datum),
    /// Atoms of a set, or keys of a map, or pairs of a map that have just this value.
    Delete(Datum),
}

const ARITHMETIC: [&str; 5] = ["+=", "-=", "*=", "/=", "%="];

impl Mutation {
    pub(super) fn parse(table: Table, json: &Value, names: &mut dyn Names) -> Result<Mutation, Refusal> {
        let Some([Value::String(name), Value::String(word), value]) = json.as_array().map(Vec::as_slice)
        else {
            return Err(Refusal::syntax(json, "Parse error in mutation."));
        };
        let column = table.column_named(name).ok_or_else(|| no_column(table, name, json))?;
        let arithmetic = ARITHMETIC.into_iter().find(|known| known == word);
        if arithmetic.is_none() && word != "insert" && word != "delete" {
            return Err(Refusal::new("unknown mutator", format!("No mutator named {word}.")));
        }
        let mut kind = *table.column(column);
        // The pseudo-columns have the highest numbers.
        if !kind.is_mutable || (super::schema::UUID..=VERSION_COLUMN).contains(&column) {
            let details = format!("Cannot mutate immutable column {name} in table {}.", table.name());
            return Err(Refusal::about("constraint violation", json, details));
        }
        if let Some(operator) = arithmetic {
            if kind.value.is_some() || !matches!(kind.key, Base::Integer | Base::Range(..)) {
                return Err(mismatch(json, word, &kind));
            }
            let operand = value.as_i64().ok_or_else(|| Refusal::syntax(value, "expected integer"))?;
            return Ok(Mutation { column, step: Step::Arithmetic(operator, operand) });
        }
        if kind.is_scalar() {
            return Err(mismatch(json, word, &kind));
        }
        (kind.min, kind.max) = (0, u32::MAX);
        if word == "insert" {
            return Ok(Mutation { column, step: Step::Insert(Datum::parse(&kind, value, names)?) });
        }
        if kind.value.is_some() && tagged(value, "map").is_none() {
            kind.value = None;
        }
        Ok(Mutation { column, step: Step::Delete(Datum::parse(&kind, value, names)?) })
    }

    /// Carries it out on a row.
    pub(super) fn apply(&self, table: Table, row: &mut Row) -> Result<(), Refusal> {
        let column = table.column(self.column);
        let held = row.get(table, self.column, 0).into_owned();
        let datum = match &self.step {
            Step::Arithmetic(operator, operand) => calculate(held, operator, *operand)?,
            Step::Insert(more) => insert(held, more),
            Step::Delete(less) => delete(held, less),
        };
        let count = u32::try_from(datum.len()).unwrap_or(u32::MAX);
        if !(column.min..=column.max).contains(&count) {
            let details = format!("Attempted to store {count} elements in {}.", kind_text(column));
            return Err(Refusal::constraint(details));
        }
        row.set(table, self.column, datum);
        Ok(())
    }
}

fn calculate(held: Datum, operator: &str, operand: i64) -> Result<Datum, Refusal> {
    if operand == 0 && matches!(operator, "/=" | "%=") {
        return Err(Refusal::new("domain error", "Division by zero."));
    }
    let one = |number: i64| match operator {
        "+=" => number.checked_add(operand),
        "-=" => number.checked_sub(operand),
        "*=" => number.checked_mul(operand),
        "/=" => number.checked_div(operand),
        _ => number.checked_rem(operand),
    };
    let Datum::Set(atoms) = held else { return Ok(held) };
    let mut results = Vec::with_capacity(atoms.len());
    for atom in atoms {
        let Atom::Integer(number) = atom else { continue };
        let result = one(number).ok_or_else(|| {
            Refusal::new("range error", format!("Result of \"{operator}\" operation is out of range."))
        })?;
        results.push(Atom::Integer(result));
    }
    Ok(Datum::set_of(results))
}

fn insert(held: Datum, more: &Datum) -> Datum {
    match (held, more) {
        (Datum::Set(mut held), Datum::Set(more)) => {
            held.extend(more.iter().cloned());
            Datum::set_of(held)
        }
        (Datum::Map(mut held), Datum::Map(more)) => {
            // A key that is there keeps its value.
            held.extend(more.iter().cloned());
            Datum::map_of(held)
        }
        (held, _) => held,
    }
}

fn delete(held: Datum, less: &Datum) -> Datum {
    match (held, less) {
        (Datum::Set(mut held), Datum::Set(less)) => {
            held.retain(|atom| less.binary_search(atom).is_err());
            Datum::Set(held)
        }
        (Datum::Map(mut held), Datum::Set(keys)) => {
            held.retain(|(key, _)| keys.binary_search(key).is_err());
            Datum::Map(held)
        }
        (Datum::Map(mut held), Datum::Map(less)) => {
            held.retain(|pair| less.binary_search(pair).is_err());
            Datum::Map(held)
        }
        (held, Datum::Map(_)) => held,
    }
}
