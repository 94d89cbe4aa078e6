//! Table updates as they come off the wire, all three kinds: RFC 7047 section 4.1.6 and ovsdb-server(7) 4.1.14, 4.1.16.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::datum::Datum;
use crate::plan::Plan;
use crate::row::{Layout, Patch, Row};

/// What happened to one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowUpdate {
    /// It is now this, whatever it was.
    Put(Row),
    /// These columns changed.
    Modify(Patch),
    /// It is gone.
    Delete,
}

/// One row's update, with the position of its table in the plan.
pub(crate) type Update = (usize, Uuid, RowUpdate);

/// Reads the updates of a monitor with this plan.
pub(crate) fn read_updates(plan: &Plan, text: &RawValue) -> serde_json::Result<Vec<Update>> {
    let mut updates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(text.get());
    Tables { plan, updates: &mut updates }.deserialize(&mut deserializer)?;
    Ok(updates)
}

struct Tables<'a> {
    plan: &'a Plan,
    updates: &'a mut Vec<Update>,
}

impl<'de> DeserializeSeed<'de> for Tables<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tables<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("updates by table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let table = self.plan.position(&name).ok_or_else(|| unasked("table", &name))?;
            map.next_value_seed(Rows { table, layout: self.plan.layout(table), updates: self.updates })?;
        }
        Ok(())
    }
}

struct Rows<'a> {
    table: usize,
    layout: &'a Arc<Layout>,
    updates: &'a mut Vec<Update>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("updates by row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(id) = map.next_key::<Uuid>()? {
            let update = map.next_value_seed(OneRow { layout: self.layout })?;
            self.updates.push((self.table, id, update));
        }
        Ok(())
    }
}

struct OneRow<'a> {
    layout: &'a Arc<Layout>,
}

/// The words of all three kinds of updates; only `old` and `new` may stand together.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Old,
    New,
    Initial,
    Insert,
    Modify,
    Delete,
}

impl<'de> DeserializeSeed<'de> for OneRow<'_> {
    type Value = RowUpdate;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RowUpdate, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneRow<'_> {
    type Value = RowUpdate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one row's update")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RowUpdate, A::Error> {
        let mut update = None;
        while let Some(word) = map.next_key::<Word>()? {
            match word {
                Word::New | Word::Initial | Word::Insert => {
                    let patch = map.next_value_seed(Columns { layout: self.layout })?;
                    update = Some(RowUpdate::Put(Row::with_defaults(self.layout, patch)));
                }
                Word::Modify => {
                    update = Some(RowUpdate::Modify(map.next_value_seed(Columns { layout: self.layout })?));
                }
                // An old row without a new one is a deletion; with a new one it tells nothing that we don't know.
                Word::Old | Word::Delete => {
                    map.next_value::<IgnoredAny>()?;
                    update.get_or_insert(RowUpdate::Delete);
                }
            }
        }
        update.ok_or_else(|| de::Error::custom("a row's update says nothing"))
    }
}

struct Columns<'a> {
    layout: &'a Layout,
}

impl<'de> DeserializeSeed<'de> for Columns<'_> {
    type Value = Patch;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Patch, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Columns<'_> {
    type Value = Patch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values by column")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Patch, A::Error> {
        let mut patch = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let position = self.layout.position(&name).ok_or_else(|| unasked("column", &name))?;
            let datum = map.next_value::<Datum>()?;
            let datum = self.layout.kind(position).admit(datum).ok_or_else(|| {
                de::Error::custom(format_args!("column {name} of {} holds another type", self.layout.table()))
            })?;
            patch.push((position, datum));
        }
        Ok(patch)
    }
}

fn unasked<E: de::Error>(what: &str, name: &str) -> E {
    E::custom(format_args!("{what} {name} was not asked for"))
}
