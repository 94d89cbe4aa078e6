//! The values of a database: atoms, and the sets and maps made of them, to and from their JSON notation.

use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::notation::{AtomRef, DatumRef};

/// One indivisible value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Atom {
    /// A 64-bit integer.
    Integer(i64),
    /// A floating-point number.
    Real(Real),
    /// A truth value.
    Boolean(bool),
    /// A text.
    Text(Box<str>),
    /// The identity of a row.
    Uuid(Uuid),
    /// A row that the same transaction inserts, by the name given there. Only ever sent, never received.
    Fresh(Box<str>),
}

impl Atom {
    fn as_ref(&self) -> AtomRef<'_> {
        match self {
            Atom::Integer(value) => AtomRef::Integer(*value),
            Atom::Real(value) => AtomRef::Real(*value),
            Atom::Boolean(value) => AtomRef::Boolean(*value),
            Atom::Text(value) | Atom::Fresh(value) => AtomRef::Text(value.as_ref().into()),
            Atom::Uuid(value) => AtomRef::Uuid(*value),
        }
    }
}

/// A float with a total order, so that it can be kept in sorted sets.
#[derive(Debug, Clone, Copy)]
pub struct Real(pub f64);

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Real {}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Real {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// What one column of one row holds. A scalar is a set of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Datum {
    /// Distinct atoms in order.
    Set(Vec<Atom>),
    /// Pairs with distinct keys, in the order of the keys.
    Map(Vec<(Atom, Atom)>),
}

impl Datum {
    /// A set of one.
    pub fn scalar(atom: Atom) -> Self {
        Datum::Set(vec![atom])
    }

    /// A set of these, in any order and with repetitions.
    pub fn set(atoms: impl IntoIterator<Item = Atom>) -> Self {
        let mut atoms: Vec<Atom> = atoms.into_iter().collect();
        atoms.sort_unstable();
        atoms.dedup();
        Datum::Set(atoms)
    }

    /// A map of these; of two pairs with the same key the first one stays.
    pub fn map(pairs: impl IntoIterator<Item = (Atom, Atom)>) -> Self {
        let mut pairs: Vec<(Atom, Atom)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, first| later.0 == first.0);
        Datum::Map(pairs)
    }

    /// The only atom of a set of one.
    pub fn single(&self) -> Option<&Atom> {
        match self {
            Datum::Set(atoms) if atoms.len() == 1 => atoms.first(),
            _ => None,
        }
    }

    /// The same with borrowed texts, to be packed.
    pub(crate) fn as_ref(&self) -> DatumRef<'_> {
        match self {
            Datum::Set(atoms) => DatumRef::Set(atoms.iter().map(Atom::as_ref).collect()),
            Datum::Map(pairs) => {
                DatumRef::Map(pairs.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect())
            }
        }
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        match self {
            Datum::Set(atoms) => atoms.len(),
            Datum::Map(pairs) => pairs.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies the difference that an update of the second and third kind carries for columns of many elements:
    /// an element of both is dropped, one of the difference alone is added, a key with another value gets that value.
    pub fn apply_difference(&mut self, difference: Datum) {
        match (self, difference) {
            (Datum::Set(atoms), Datum::Set(changed)) => toggle_atoms(atoms, changed),
            (Datum::Map(pairs), Datum::Map(changed)) => toggle_pairs(pairs, changed),
            // A set against a map can't pass the check against the schema; taking the new value is the safe reading.
            (mine, difference) => *mine = difference,
        }
    }
}

fn toggle_atoms(atoms: &mut Vec<Atom>, changed: Vec<Atom>) {
    for atom in changed {
        match atoms.binary_search(&atom) {
            Ok(at) => drop(atoms.remove(at)),
            Err(at) => atoms.insert(at, atom),
        }
    }
}

fn toggle_pairs(pairs: &mut Vec<(Atom, Atom)>, changed: Vec<(Atom, Atom)>) {
    for pair in changed {
        match pairs.binary_search_by(|mine| mine.0.cmp(&pair.0)) {
            Ok(at) if pairs[at].1 == pair.1 => drop(pairs.remove(at)),
            Ok(at) => pairs[at].1 = pair.1,
            Err(at) => pairs.insert(at, pair),
        }
    }
}

impl Serialize for Atom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Atom::Integer(value) => serializer.serialize_i64(*value),
            // JSON has no word for these, and null would be taken for something else.
            Atom::Real(Real(value)) if !value.is_finite() => {
                Err(serde::ser::Error::custom("a real must be finite"))
            }
            Atom::Real(Real(value)) => serializer.serialize_f64(*value),
            Atom::Boolean(value) => serializer.serialize_bool(*value),
            Atom::Text(value) => serializer.serialize_str(value),
            Atom::Uuid(value) => ("uuid", value).serialize(serializer),
            Atom::Fresh(name) => ("named-uuid", name).serialize(serializer),
        }
    }
}

impl Serialize for Datum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Datum::Set(atoms) if atoms.len() == 1 => atoms[0].serialize(serializer),
            Datum::Set(atoms) => tagged(serializer, "set", atoms),
            Datum::Map(pairs) => tagged(serializer, "map", pairs),
        }
    }
}

fn tagged<S: Serializer>(serializer: S, tag: &str, content: impl Serialize) -> Result<S::Ok, S::Error> {
    let mut pair = serializer.serialize_tuple(2)?;
    pair.serialize_element(tag)?;
    pair.serialize_element(&content)?;
    pair.end()
}

impl<'de> Deserialize<'de> for Datum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        DatumRef::deserialize(deserializer).map(DatumRef::into_owned)
    }
}

impl<'de> Deserialize<'de> for Atom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AtomRef::deserialize(deserializer).map(AtomRef::into_owned)
    }
}

#[cfg(test)]
mod tests;
