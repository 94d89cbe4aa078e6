//! Values of columns: atoms, sets and maps of them, and how they stand in JSON (RFC 7047 section 5.1).

use std::fmt::Write as _;

use serde_json::Value;

use super::refusal::Refusal;
use super::schema::{Base, Column};

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Atom {
    Integer(i64),
    Boolean(bool),
    Text(Box<str>),
    Uuid(u128),
}

/// The content of a column: atoms in ascending order, each once; in a map they are keys and have values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Datum {
    Set(Vec<Atom>),
    Map(Vec<(Atom, Atom)>),
}

/// Gives names of rows that a transaction is about to insert their ids.
pub(super) trait Names {
    /// The id that the row of this name has or will have.
    fn id_of(&mut self, name: &str) -> u128;
}

impl Atom {
    pub(super) fn text(text: &str) -> Atom {
        Atom::Text(text.into())
    }

    fn default_of(base: Base) -> Atom {
        match base {
            Base::Text | Base::Words(_) => Atom::text(""),
            Base::Integer | Base::Range(..) => Atom::Integer(0),
            Base::Boolean => Atom::Boolean(false),
            Base::Uuid | Base::Row(_) => Atom::Uuid(0),
        }
    }

    fn parse(base: Base, json: &Value, names: &mut dyn Names) -> Result<Atom, Refusal> {
        let atom = match (base, json) {
            (Base::Text | Base::Words(_), Value::String(text)) => Some(Atom::text(text)),
            (Base::Integer | Base::Range(..), Value::Number(number)) => number.as_i64().map(Atom::Integer),
            (Base::Boolean, Value::Bool(truth)) => Some(Atom::Boolean(*truth)),
            (Base::Uuid | Base::Row(_), Value::Array(pair)) => parse_id(pair, names),
            _ => None,
        };
        let atom = atom.ok_or_else(|| {
            if let (Base::Uuid | Base::Row(_), Some([Value::String(tag), text @ Value::String(_)])) =
                (base, json.as_array().map(Vec::as_slice))
                && tag == "uuid"
            {
                return Refusal::syntax(json, format!("{text} is not a valid UUID"));
            }
            let expected = match base {
                Base::Text | Base::Words(_) => "expected string",
                Base::Integer | Base::Range(..) => "expected integer",
                Base::Boolean => "expected boolean",
                Base::Uuid | Base::Row(_) => "expected [\"uuid\", <string>]",
            };
            Refusal::syntax(json, expected)
        })?;
        atom.check(base)?;
        Ok(atom)
    }

    fn check(&self, base: Base) -> Result<(), Refusal> {
        match (base, self) {
            (Base::Words(words), Atom::Text(text)) if !words.contains(&text.as_ref()) => {
                let mut words = words.to_vec();
                words.sort_unstable();
                let words = words.join(", ");
                Err(Refusal::constraint(format!("{text} is not one of the allowed values ([{words}])")))
            }
            (Base::Range(least, i64::MAX), Atom::Integer(number)) if *number < least => {
                Err(Refusal::constraint(format!("{number} is less than minimum allowed value {least}")))
            }
            (Base::Range(least, most), Atom::Integer(number)) if !(least..=most).contains(number) => {
                Err(Refusal::constraint(format!(
                    "{number} is not in the valid range {least} to {most} (inclusive)"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Atom::Integer(number) => write_display(out, number),
            Atom::Boolean(truth) => write_display(out, truth),
            Atom::Text(text) => write_text(out, text),
            Atom::Uuid(id) => write_id(out, *id),
        }
    }
}

impl Datum {
    pub(super) fn one(atom: Atom) -> Datum {
        Datum::Set(vec![atom])
    }

    pub(super) fn text(text: &str) -> Datum {
        Datum::one(Atom::text(text))
    }

    pub(super) fn integer(number: i64) -> Datum {
        Datum::one(Atom::Integer(number))
    }

    pub(super) fn nothing() -> Datum {
        Datum::Set(Vec::new())
    }

    /// A map of text to text.
    pub(super) fn dictionary<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Datum {
        let pairs = pairs.into_iter().map(|(key, value)| (Atom::text(key), Atom::text(value)));
        Datum::map_of(pairs.collect())
    }

    /// A set of these; the same atom twice is there once.
    pub(super) fn set_of(mut atoms: Vec<Atom>) -> Datum {
        atoms.sort_unstable();
        atoms.dedup();
        Datum::Set(atoms)
    }

    /// A map of these; of two values for a key, the first counts.
    pub(super) fn map_of(mut pairs: Vec<(Atom, Atom)>) -> Datum {
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        pairs.dedup_by(|later, first| later.0 == first.0);
        Datum::Map(pairs)
    }

    /// What a column holds that nobody has set.
    pub(super) fn default_of(column: &Column) -> Datum {
        match (column.value, column.min) {
            (Some(_), _) => Datum::Map(Vec::new()),
            (None, 0) => Datum::Set(Vec::new()),
            (None, _) => Datum::one(Atom::default_of(column.key)),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Datum::Set(atoms) => atoms.len(),
            Datum::Map(pairs) => pairs.len(),
        }
    }

    /// The only text in it.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Datum::Set(atoms) => match atoms.as_slice() {
                [Atom::Text(text)] => Some(text),
                _ => None,
            },
            Datum::Map(_) => None,
        }
    }

    /// The only number in it.
    pub(super) fn as_integer(&self) -> Option<i64> {
        match self {
            Datum::Set(atoms) => match atoms.as_slice() {
                [Atom::Integer(number)] => Some(*number),
                _ => None,
            },
            Datum::Map(_) => None,
        }
    }

    /// The ids in it.
    pub(super) fn ids(&self) -> impl Iterator<Item = u128> + '_ {
        let atoms = match self {
            Datum::Set(atoms) => atoms.as_slice(),
            Datum::Map(_) => &[],
        };
        atoms.iter().filter_map(|atom| if let Atom::Uuid(id) = atom { Some(*id) } else { None })
    }

    /// The value under a key of a map of texts.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let Datum::Map(pairs) = self else { return None };
        pairs.iter().find_map(|pair| match pair {
            (Atom::Text(name), Atom::Text(value)) if name.as_ref() == key => Some(value.as_ref()),
            _ => None,
        })
    }

    /// Reads a column's value, however many members it may have between `min` and `max`.
    pub(super) fn parse(column: &Column, json: &Value, names: &mut dyn Names) -> Result<Datum, Refusal> {
        let datum = Datum::parse_members(column, json, names)?;
        let count = u32::try_from(datum.len()).unwrap_or(u32::MAX);
        if (column.min..=column.max).contains(&count) {
            return Ok(datum);
        }
        let kind = if column.value.is_some() { "map" } else { "set" };
        let bounds = match (column.min, column.max) {
            (1, 1) => "exactly one member".to_owned(),
            (min, max) => format!("{min} to {max} members"),
        };
        Err(Refusal::syntax(json, format!("{kind} must have {bounds} but {count} are present")))
    }

    fn parse_members(column: &Column, json: &Value, names: &mut dyn Names) -> Result<Datum, Refusal> {
        if let Some(value) = column.value {
            return parse_map(column.key, value, json, names);
        }
        match tagged(json, "set") {
            Some(atoms) => {
                let atoms: Result<Vec<Atom>, Refusal> =
                    atoms.iter().map(|atom| Atom::parse(column.key, atom, names)).collect();
                let atoms = atoms?;
                let given = atoms.len();
                let datum = Datum::set_of(atoms);
                if datum.len() < given {
                    return Err(Refusal::new("ovsdb error", "set contains duplicate"));
                }
                Ok(datum)
            }
            None => Ok(Datum::one(Atom::parse(column.key, json, names)?)),
        }
    }

    /// Appends it as JSON: one atom by itself, other sets and all maps with their tag.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Datum::Set(atoms) if atoms.len() == 1 => atoms[0].write(out),
            Datum::Set(atoms) => {
                out.extend_from_slice(b"[\"set\",[");
                for (at, atom) in atoms.iter().enumerate() {
                    separate(out, at);
                    atom.write(out);
                }
                out.extend_from_slice(b"]]");
            }
            Datum::Map(pairs) => {
                out.extend_from_slice(b"[\"map\",[");
                for (at, (key, value)) in pairs.iter().enumerate() {
                    separate(out, at);
                    out.push(b'[');
                    key.write(out);
                    out.push(b',');
                    value.write(out);
                    out.push(b']');
                }
                out.extend_from_slice(b"]]");
            }
        }
    }

    /// What has to be applied to `self` to make it `new`, as `update2` shows it: members that are in one of both, and
    /// the new values of keys whose value changed.
    pub(super) fn difference(&self, new: &Datum) -> Datum {
        match (self, new) {
            (Datum::Map(old), Datum::Map(new)) => {
                let gone = old.iter().filter(|(key, _)| find(new, key).is_none());
                let come = new.iter().filter(|(key, value)| find(old, key) != Some(value));
                Datum::map_of(gone.chain(come).cloned().collect())
            }
            (Datum::Set(old), Datum::Set(new)) => {
                let gone = old.iter().filter(|atom| new.binary_search(atom).is_err());
                let come = new.iter().filter(|atom| old.binary_search(atom).is_err());
                Datum::set_of(gone.chain(come).cloned().collect())
            }
            _ => new.clone(),
        }
    }
}

/// The value of a key in a sorted map.
pub(super) fn find<'a>(pairs: &'a [(Atom, Atom)], key: &Atom) -> Option<&'a Atom> {
    pairs.binary_search_by(|pair| pair.0.cmp(key)).ok().map(|at| &pairs[at].1)
}

/// The members of `[tag, [...]]`.
pub(super) fn tagged<'a>(json: &'a Value, tag: &str) -> Option<&'a [Value]> {
    match json.as_array()?.as_slice() {
        [Value::String(word), Value::Array(members)] if word == tag => Some(members),
        _ => None,
    }
}

fn parse_map(key: Base, value: Base, json: &Value, names: &mut dyn Names) -> Result<Datum, Refusal> {
    let members = tagged(json, "map").ok_or_else(|| Refusal::syntax(json, "expected [\"map\", <array>]"))?;
    let mut pairs = Vec::with_capacity(members.len());
    for member in members {
        let Some([one, other]) = member.as_array().map(Vec::as_slice) else {
            return Err(Refusal::syntax(member, "expected 2-element array"));
        };
        pairs.push((Atom::parse(key, one, names)?, Atom::parse(value, other, names)?));
    }
    let given = pairs.len();
    let datum = Datum::map_of(pairs);
    if datum.len() < given {
        return Err(Refusal::new("ovsdb error", "map contains duplicate key"));
    }
    Ok(datum)
}

fn parse_id(pair: &[Value], names: &mut dyn Names) -> Option<Atom> {
    match pair {
        [Value::String(tag), Value::String(text)] if tag == "uuid" => read_id(text).map(Atom::Uuid),
        [Value::String(tag), Value::String(name)] if tag == "named-uuid" => {
            Some(Atom::Uuid(names.id_of(name)))
        }
        _ => None,
    }
}

/// Reads the 36 characters of an id.
pub(super) fn read_id(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut id = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
        } else {
            id = id << 4 | u128::from(char::from(*byte).to_digit(16)?);
        }
    }
    Some(id)
}

/// The 36 characters of an id.
pub(super) fn id_text(id: u128) -> String {
    let mut text = Vec::with_capacity(36);
    push_id(&mut text, id);
    String::from_utf8(text).unwrap_or_default()
}

/// Appends `["uuid","..."]`.
pub(super) fn write_id(out: &mut Vec<u8>, id: u128) {
    out.extend_from_slice(b"[\"uuid\",\"");
    push_id(out, id);
    out.extend_from_slice(b"\"]");
}

/// Appends the 36 characters of an id.
pub(super) fn push_id(out: &mut Vec<u8>, id: u128) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (at, byte) in id.to_be_bytes().into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Appends a text as JSON.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f;
    if text.bytes().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("text is always JSON");
    }
}

/// Appends a comma before every member but the first.
pub(super) fn separate(out: &mut Vec<u8>, at: usize) {
    if at > 0 {
        out.push(b',');
    }
}

fn write_display(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    let mut text = String::new();
    write!(text, "{value}").expect("writing to a string cannot fail");
    out.extend_from_slice(text.as_bytes());
}
