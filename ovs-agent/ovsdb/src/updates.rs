//! Table updates as they come off the wire, all three kinds: RFC 7047 section 4.1.6 and ovsdb-server(7) 4.1.14, 4.1.16.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::notation::DatumRef;
use crate::packed::Packed;
use crate::plan::Plan;
use crate::row::{Layout, Packer, Patch};

/// What happened to one row.
#[derive(Debug)]
pub(crate) enum RowUpdate<'a> {
    /// It is now this, whatever it was.
    Put(Packed),
    /// These columns changed.
    Modify(Patch<'a>),
    /// It is gone.
    Delete,
}

/// One row's update, with the position of its table in the plan.
pub(crate) type Update<'a> = (usize, Uuid, RowUpdate<'a>);

/// Reads the updates of a monitor with this plan. Rows are packed as they are read; nothing else is built on the way.
pub(crate) fn read_updates<'a>(plan: &Plan, text: &'a RawValue) -> serde_json::Result<Vec<Update<'a>>> {
    let (mut updates, mut packer) = (Vec::new(), Packer::default());
    let mut deserializer = serde_json::Deserializer::from_str(text.get());
    Tables { plan, updates: &mut updates, packer: &mut packer }.deserialize(&mut deserializer)?;
    Ok(updates)
}

struct Tables<'a, 'de> {
    plan: &'a Plan,
    updates: &'a mut Vec<Update<'de>>,
    packer: &'a mut Packer,
}

impl<'de> DeserializeSeed<'de> for Tables<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tables<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("updates by table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let table = self.plan.position(&name).ok_or_else(|| unasked("table", &name))?;
            let layout = self.plan.layout(table);
            map.next_value_seed(Rows { table, layout, updates: self.updates, packer: self.packer })?;
        }
        Ok(())
    }
}

struct Rows<'a, 'de> {
    table: usize,
    layout: &'a Layout,
    updates: &'a mut Vec<Update<'de>>,
    packer: &'a mut Packer,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("updates by row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(id) = map.next_key::<Uuid>()? {
            let update = map.next_value_seed(OneRow { layout: self.layout, packer: self.packer })?;
            self.updates.push((self.table, id, update));
        }
        Ok(())
    }
}

struct OneRow<'a> {
    layout: &'a Layout,
    packer: &'a mut Packer,
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
    type Value = RowUpdate<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RowUpdate<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneRow<'_> {
    type Value = RowUpdate<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one row's update")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RowUpdate<'de>, A::Error> {
        let mut update = None;
        while let Some(word) = map.next_key::<Word>()? {
            match word {
                Word::New | Word::Initial | Word::Insert => {
                    map.next_value_seed(Whole { layout: self.layout, packer: self.packer })?;
                    update = Some(RowUpdate::Put(self.packer.finish(self.layout)));
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

/// A column's position, by its name.
struct Place<'a> {
    layout: &'a Layout,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<usize, E> {
        self.layout.position(name).ok_or_else(|| unasked("column", name))
    }
}

/// All columns of a row that differ from their defaults, packed as they come.
struct Whole<'a> {
    layout: &'a Layout,
    packer: &'a mut Packer,
}

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values by column")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.packer.start(self.layout);
        while let Some(position) = map.next_key_seed(Place { layout: self.layout })? {
            let datum = map.next_value::<DatumRef<'de>>()?;
            let admitted = self.packer.put(self.layout, position, datum);
            admitted.ok_or_else(|| misfit(self.layout, position))?;
        }
        Ok(())
    }
}

/// The columns that changed.
struct Columns<'a> {
    layout: &'a Layout,
}

impl<'de> DeserializeSeed<'de> for Columns<'_> {
    type Value = Patch<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Patch<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Columns<'_> {
    type Value = Patch<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("differences by column")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Patch<'de>, A::Error> {
        let mut patch = Vec::new();
        while let Some(position) = map.next_key_seed(Place { layout: self.layout })? {
            patch.push((position, map.next_value()?));
        }
        Ok(patch)
    }
}

fn misfit<E: de::Error>(layout: &Layout, position: usize) -> E {
    let (column, table) = (layout.name(position), layout.table());
    E::custom(format_args!("column {column} of {table} holds another type"))
}

fn unasked<E: de::Error>(what: &str, name: &str) -> E {
    E::custom(format_args!("{what} {name} was not asked for"))
}
