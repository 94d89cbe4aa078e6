//! Reads the JSON notation of values without copying their texts: what comes off the wire is packed or owned afterwards.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use crate::datum::{Atom, Datum, Real};

/// One indivisible value, its text still where it came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AtomRef<'a> {
    Integer(i64),
    Real(Real),
    Boolean(bool),
    Text(Cow<'a, str>),
    Uuid(Uuid),
}

impl AtomRef<'_> {
    pub(crate) fn into_owned(self) -> Atom {
        match self {
            AtomRef::Integer(value) => Atom::Integer(value),
            AtomRef::Real(value) => Atom::Real(value),
            AtomRef::Boolean(value) => Atom::Boolean(value),
            AtomRef::Text(value) => Atom::Text(value.into_owned().into_boxed_str()),
            AtomRef::Uuid(value) => Atom::Uuid(value),
        }
    }
}

/// What a column's text says, before anybody looked at what the column may hold: elements in the order of the text, and
/// with their repetitions.
#[derive(Debug)]
pub(crate) enum DatumRef<'a> {
    One(AtomRef<'a>),
    Set(Vec<AtomRef<'a>>),
    Map(Vec<(AtomRef<'a>, AtomRef<'a>)>),
}

impl DatumRef<'_> {
    pub(crate) fn into_owned(self) -> Datum {
        match self {
            DatumRef::One(atom) => Datum::scalar(atom.into_owned()),
            DatumRef::Set(atoms) => Datum::set(atoms.into_iter().map(AtomRef::into_owned)),
            DatumRef::Map(pairs) => {
                Datum::map(pairs.into_iter().map(|(key, value)| (key.into_owned(), value.into_owned())))
            }
        }
    }
}

impl<'de> Deserialize<'de> for DatumRef<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DatumNotation)
    }
}

impl<'de> Deserialize<'de> for AtomRef<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AtomNotation)
    }
}

/// Reads any value; what its column allows is checked against the schema afterwards.
struct DatumNotation;

/// The first element of a JSON array that stands for a value.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum DatumTag {
    Uuid,
    Set,
    Map,
}

impl<'de> Visitor<'de> for DatumNotation {
    type Value = DatumRef<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OVSDB value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<DatumRef<'de>, E> {
        AtomNotation.visit_bool(value).map(DatumRef::One)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<DatumRef<'de>, E> {
        AtomNotation.visit_i64(value).map(DatumRef::One)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<DatumRef<'de>, E> {
        AtomNotation.visit_u64(value).map(DatumRef::One)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<DatumRef<'de>, E> {
        AtomNotation.visit_f64(value).map(DatumRef::One)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<DatumRef<'de>, E> {
        AtomNotation.visit_str(value).map(DatumRef::One)
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<DatumRef<'de>, E> {
        AtomNotation.visit_borrowed_str(value).map(DatumRef::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<DatumRef<'de>, A::Error> {
        let datum = match element::<DatumTag, A>(&mut seq)? {
            DatumTag::Uuid => DatumRef::One(AtomRef::Uuid(element(&mut seq)?)),
            DatumTag::Set => DatumRef::Set(element(&mut seq)?),
            DatumTag::Map => DatumRef::Map(element(&mut seq)?),
        };
        end(seq).map(|()| datum)
    }
}

/// Reads one atom.
struct AtomNotation;

/// The only atom that is written as an array, among those that are received.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AtomTag {
    Uuid,
}

impl<'de> Visitor<'de> for AtomNotation {
    type Value = AtomRef<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an OVSDB atom")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<AtomRef<'de>, E> {
        Ok(AtomRef::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<AtomRef<'de>, E> {
        Ok(AtomRef::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<AtomRef<'de>, E> {
        i64::try_from(value).map(AtomRef::Integer).map_err(|_| E::custom("an integer is out of range"))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<AtomRef<'de>, E> {
        Ok(AtomRef::Real(Real(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<AtomRef<'de>, E> {
        Ok(AtomRef::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<AtomRef<'de>, E> {
        Ok(AtomRef::Text(Cow::Borrowed(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AtomRef<'de>, A::Error> {
        let AtomTag::Uuid = element(&mut seq)?;
        let id = element(&mut seq)?;
        end(seq).map(|()| AtomRef::Uuid(id))
    }
}

fn element<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(seq: &mut A) -> Result<T, A::Error> {
    seq.next_element()?
        .ok_or_else(|| de::Error::custom("an OVSDB value has two elements, this one has fewer"))
}

fn end<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    match seq.next_element::<de::IgnoredAny>()? {
        None => Ok(()),
        Some(_) => Err(de::Error::custom("an OVSDB value has two elements, this one has more")),
    }
}
