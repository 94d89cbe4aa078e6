//! The schema of a live database: what its tables and columns hold (RFC 7047 section 3.2).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{self, Deserializer};
use uuid::Uuid;

use crate::datum::{Atom, Datum, Real};

/// One database's schema, as `get_schema` gives it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Schema {
    /// The database's name.
    pub name: String,
    /// Its version, `major.minor.patch`.
    pub version: String,
    /// Its tables by name.
    pub tables: BTreeMap<String, TableSchema>,
}

/// One table's schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TableSchema {
    /// Its columns by name.
    pub columns: BTreeMap<String, ColumnSchema>,
    /// Whether its rows live without being pointed at.
    #[serde(default, rename = "isRoot")]
    pub is_root: bool,
    /// Groups of columns that are unique together.
    #[serde(default)]
    pub indexes: Vec<Vec<String>>,
}

/// One column's schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ColumnSchema {
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Whether its content is lost when the server restarts.
    #[serde(default)]
    pub ephemeral: bool,
    /// Whether it may change after the row was inserted.
    #[serde(default = "mutable")]
    pub mutable: bool,
}

/// What a column holds: `min` to `max` keys of one type, each with a value of another type if it is a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnType {
    /// The type of the elements, or of the keys of a map.
    pub key: AtomType,
    /// The type of the values of a map.
    pub value: Option<AtomType>,
    /// The fewest elements: 0 or 1.
    pub min: u32,
    /// The most elements; `u32::MAX` where there is no limit.
    pub max: u32,
}

/// The type of one atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AtomType {
    /// A 64-bit integer.
    Integer,
    /// A float.
    Real,
    /// A truth value.
    Boolean,
    /// A text.
    String,
    /// The identity of a row.
    Uuid,
}

impl ColumnType {
    /// A column of exactly one atom.
    pub fn scalar(key: AtomType) -> Self {
        ColumnType { key, value: None, min: 1, max: 1 }
    }

    /// Whether an update shows this column's changes as a difference and not as the whole new content.
    pub fn is_composite(&self) -> bool {
        self.max > 1
    }

    /// What a row holds here when nobody said anything (RFC 7047 section 5.2.1).
    pub fn default_datum(&self) -> Datum {
        match (&self.value, self.min) {
            (None, 0) => Datum::Set(Vec::new()),
            (None, _) => Datum::scalar(self.key.default_atom()),
            (Some(_), 0) => Datum::Map(Vec::new()),
            (Some(value), _) => Datum::map([(self.key.default_atom(), value.default_atom())]),
        }
    }
}

impl AtomType {
    fn default_atom(self) -> Atom {
        match self {
            AtomType::Integer => Atom::Integer(0),
            AtomType::Real => Atom::Real(Real(0.0)),
            AtomType::Boolean => Atom::Boolean(false),
            AtomType::String => Atom::Text("".into()),
            AtomType::Uuid => Atom::Uuid(Uuid::nil()),
        }
    }
}

fn mutable() -> bool {
    true
}

/// A type is a bare word or an object, and so is the type of its keys.
impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Bare(AtomType),
            Object { key: Base, value: Option<Base>, min: Option<u32>, max: Option<Max> },
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Base {
            Bare(AtomType),
            Object { r#type: AtomType },
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Max {
            Count(u32),
            Word(String),
        }
        let atom = |base| match base {
            Base::Bare(kind) | Base::Object { r#type: kind } => kind,
        };
        match Wire::deserialize(deserializer)? {
            Wire::Bare(kind) => Ok(ColumnType::scalar(kind)),
            Wire::Object { key, value, min, max } => {
                let max = match max {
                    None => 1,
                    Some(Max::Count(count)) => count,
                    Some(Max::Word(word)) if word == "unlimited" => u32::MAX,
                    Some(Max::Word(_)) => return Err(de::Error::custom("max is a number or \"unlimited\"")),
                };
                Ok(ColumnType { key: atom(key), value: value.map(atom), min: min.unwrap_or(1), max })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> ColumnType {
        serde_json::from_str(text).expect(text)
    }

    #[test]
    fn types_are_words_or_objects() {
        assert_eq!(kind("\"boolean\""), ColumnType::scalar(AtomType::Boolean));
        let map =
            kind(r#"{"key":{"type":"integer","minInteger":0},"value":"uuid","min":0,"max":"unlimited"}"#);
        assert_eq!(
            (map.key, map.value, map.min, map.max),
            (AtomType::Integer, Some(AtomType::Uuid), 0, u32::MAX)
        );
        assert!(serde_json::from_str::<ColumnType>(r#"{"key":"string","max":"many"}"#).is_err());
    }

    #[test]
    fn defaults_are_empty_or_zero() {
        assert_eq!(ColumnType::scalar(AtomType::Integer).default_datum(), Datum::scalar(Atom::Integer(0)));
        assert_eq!(kind(r#"{"key":"uuid","min":0}"#).default_datum(), Datum::Set(Vec::new()));
    }
}
