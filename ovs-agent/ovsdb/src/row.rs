//! Rows as a monitor holds them: packed, in the order of a layout that all rows of the table share.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use uuid::Uuid;

use crate::column::{Column, Scalar};
use crate::datum::Datum;
use crate::notation::{AtomRef, DatumRef};
use crate::packed::{self, Elements, Packed, Words};
use crate::schema::ColumnType;
use crate::table::Id;

/// The monitored columns of one table.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    table: String,
    columns: Vec<(String, ColumnType)>,
    /// What each column holds when nobody said anything, packed.
    defaults: Vec<Box<[u8]>>,
    words: Arc<Words>,
}

impl Layout {
    /// A layout of these columns, in any order.
    pub(crate) fn new(table: String, mut columns: Vec<(String, ColumnType)>, words: Arc<Words>) -> Self {
        columns.sort_by(|a, b| a.0.cmp(&b.0));
        columns.dedup_by(|a, b| a.0 == b.0);
        let packed = |(_, kind): &(String, ColumnType)| {
            let mut out = Vec::new();
            packed::write(&mut out, kind, &words, kind.default_datum().as_ref())
                .expect("a column admits its default");
            out.into_boxed_slice()
        };
        let defaults = columns.iter().map(packed).collect();
        Layout { table, columns, defaults, words }
    }

    /// The table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The names of the columns in order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn position(&self, column: &str) -> Option<usize> {
        self.columns.binary_search_by(|(name, _)| name.as_str().cmp(column)).ok()
    }

    pub(crate) fn name(&self, position: usize) -> &str {
        &self.columns[position].0
    }

    pub(crate) fn kind(&self, position: usize) -> &ColumnType {
        &self.columns[position].1
    }

    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    /// The row that another layout of the table has packed, as this one packs it; what it lacks has its default.
    pub(crate) fn adopt(&self, other: &Layout, row: &[u8]) -> Packed {
        let old = RawRow { layout: other, bytes: row };
        let mut packer = Packer::default();
        packer.start(self);
        for (position, (name, kind)) in self.columns.iter().enumerate() {
            let Some(at) = other.position(name).filter(|at| other.kind(*at) == kind) else { continue };
            // What one layout holds of this type, another one admits.
            let _ = packer.put(self, position, old.datum(at).as_ref());
        }
        packer.finish(self)
    }
}

/// Puts rows together, one after the other, in buffers that it keeps.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    bytes: Vec<u8>,
    row: Vec<u8>,
    columns: Vec<Option<(usize, usize)>>,
}

impl Packer {
    /// Begins a row of defaults: updates leave out what has its default.
    pub(crate) fn start(&mut self, layout: &Layout) {
        self.bytes.clear();
        self.columns.clear();
        self.columns.resize(layout.columns.len(), None);
    }

    /// Gives a column its content; nothing if it does not belong there.
    pub(crate) fn put(&mut self, layout: &Layout, position: usize, datum: DatumRef<'_>) -> Option<()> {
        let from = self.bytes.len();
        packed::write(&mut self.bytes, layout.kind(position), layout.words(), datum)?;
        self.columns[position] = Some((from, self.bytes.len()));
        Some(())
    }

    /// The row.
    pub(crate) fn finish(&mut self, layout: &Layout) -> Packed {
        let (bytes, columns) = (&self.bytes, &self.columns);
        let content = |(place, default): (&Option<(usize, usize)>, _)| match place {
            Some((from, to)) => &bytes[*from..*to],
            None => default,
        };
        let defaults = layout.defaults.iter().map(AsRef::as_ref);
        packed::join(columns.iter().zip(defaults).map(content), &mut self.row)
    }

    /// The row after a modification of the second or third kind of update; nothing if it does not belong there.
    pub(crate) fn modify(&mut self, layout: &Layout, before: &[u8], patch: Patch<'_>) -> Option<Packed> {
        self.start(layout);
        for (position, difference) in patch {
            let from = self.bytes.len();
            let (kind, words) = (layout.kind(position), layout.words());
            let content = packed::columns(before).nth(position).unwrap_or_default();
            packed::write_modified(&mut self.bytes, content, difference, (kind, words))?;
            self.columns[position] = Some((from, self.bytes.len()));
        }
        let (bytes, row) = (&self.bytes, &mut self.row);
        let contents = packed::columns(before).zip(&self.columns).map(|(old, place)| match place {
            Some((from, to)) => &bytes[*from..*to],
            None => old,
        });
        Some(packed::join(contents, row))
    }
}

/// New content, or differences, for some columns by their position in the layout.
pub(crate) type Patch<'a> = Vec<(usize, DatumRef<'a>)>;

/// A packed row where it lies.
#[derive(Clone, Copy)]
struct RawRow<'a> {
    layout: &'a Layout,
    bytes: &'a [u8],
}

impl<'a> RawRow<'a> {
    fn content(self, position: usize) -> &'a [u8] {
        packed::columns(self.bytes).nth(position).unwrap_or_default()
    }

    fn datum(self, position: usize) -> Datum {
        packed::datum(self.content(position), self.layout.kind(position), self.layout.words())
    }

    fn elements(self, column: &str) -> Option<Elements<'a>> {
        let position = self.layout.position(column)?;
        Some(Elements::of(self.content(position), self.layout.kind(position), self.layout.words()))
    }
}

/// One row of a monitored table.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    layout: Arc<Layout>,
    packed: Packed,
}

impl Row {
    pub(crate) fn new(layout: &Arc<Layout>, packed: &Packed) -> Self {
        Row { layout: Arc::clone(layout), packed: Arc::clone(packed) }
    }

    fn raw(&self) -> RawRow<'_> {
        RawRow { layout: &self.layout, bytes: &self.packed }
    }

    /// The table that the row belongs to.
    pub fn table(&self) -> &str {
        self.layout.table()
    }

    /// The content of a column, if it is monitored.
    pub fn get(&self, column: &str) -> Option<Datum> {
        self.layout.position(column).map(|position| self.raw().datum(position))
    }

    /// All monitored columns with their content, in the order of their names.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Datum)> {
        self.layout.columns().enumerate().map(|(position, name)| (name, self.raw().datum(position)))
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.table())?;
        f.debug_map().entries(self.columns()).finish()
    }
}

/// A row of table `T` where it lies, for reading single columns without building the whole struct.
pub struct View<'a, T> {
    row: RawRow<'a>,
    marker: PhantomData<fn() -> T>,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

impl<'a, T> View<'a, T> {
    pub(crate) fn new(layout: &'a Layout, packed: &'a Packed) -> Self {
        View { row: RawRow { layout, bytes: packed }, marker: PhantomData }
    }

    /// A column that is a text; empty where it is not monitored.
    pub fn text(self, column: Column<T, String>) -> Cow<'a, str> {
        match self.row.elements(column.name()).and_then(|mut elements| elements.next()) {
            Some(AtomRef::Text(text)) => text,
            _ => Cow::Borrowed(""),
        }
    }

    /// A column that is a text or none.
    pub fn maybe_text(self, column: Column<T, Option<String>>) -> Option<Cow<'a, str>> {
        match self.row.elements(column.name())?.next() {
            Some(AtomRef::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The texts of a set, in order.
    pub fn texts(
        self,
        column: Column<T, std::collections::BTreeSet<String>>,
    ) -> impl Iterator<Item = Cow<'a, str>> {
        let elements = self.row.elements(column.name());
        elements.into_iter().flatten().filter_map(|atom| match atom {
            AtomRef::Text(text) => Some(text),
            _ => None,
        })
    }

    /// A column that is a number or none.
    pub fn maybe_integer(self, column: Column<T, Option<i64>>) -> Option<i64> {
        match self.row.elements(column.name())?.next() {
            Some(AtomRef::Integer(number)) => Some(number),
            _ => None,
        }
    }

    /// The pairs of a dictionary, in the order of their keys.
    pub fn pairs(
        self,
        column: Column<T, BTreeMap<String, String>>,
    ) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let mut elements = self.row.elements(column.name());
        std::iter::from_fn(move || match (elements.as_mut()?.next()?, elements.as_mut()?.next()?) {
            (AtomRef::Text(key), AtomRef::Text(value)) => Some((key, value)),
            _ => None,
        })
    }

    /// What a dictionary has under a key.
    pub fn entry(self, column: Column<T, BTreeMap<String, String>>, key: &str) -> Option<Cow<'a, str>> {
        self.pairs(column).find(|(found, _)| found == key).map(|(_, value)| value)
    }

    /// The rows that a column points at.
    pub fn ids<U>(self, column: Column<T, std::collections::BTreeSet<Id<U>>>) -> Ids<'a, U>
    where
        Id<U>: Scalar,
    {
        let content = self.row.layout.position(column.name()).map(|position| self.row.content(position));
        Ids { bytes: content.unwrap_or_default().as_chunks().0, marker: PhantomData }
    }
}

/// The identities in a column that points at rows of `U`, in order.
#[derive(Debug)]
pub struct Ids<'a, U> {
    bytes: &'a [[u8; 16]],
    marker: PhantomData<fn() -> U>,
}

impl<U> Clone for Ids<'_, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U> Copy for Ids<'_, U> {}

impl<'a, U> Ids<'a, U> {
    /// No identities.
    pub const fn none() -> Self {
        Ids { bytes: &[], marker: PhantomData }
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Id<U>> + use<'a, U> {
        self.bytes.iter().map(|bytes| Id::new(Uuid::from_bytes(*bytes)))
    }

    /// The first.
    pub fn first(self) -> Option<Id<U>> {
        self.iter().next()
    }

    /// Whether one of them is this.
    pub fn contains(self, id: Id<U>) -> bool {
        self.bytes.binary_search(id.uuid().as_bytes()).is_ok()
    }

    /// How many there are.
    pub fn len(self) -> usize {
        self.bytes.len()
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Those that are in only one of the two, in order. Costs a comparison of the bytes and what differs.
    pub fn difference(self, other: Ids<'_, U>) -> Vec<Id<U>> {
        let (mut mine, mut theirs) = (self.bytes, other.bytes);
        let mut found = Vec::new();
        loop {
            let same = common_prefix(mine, theirs);
            (mine, theirs) = (&mine[same..], &theirs[same..]);
            let id = match (mine.first(), theirs.first()) {
                (None, None) => return found,
                (Some(a), Some(b)) if a > b => take_first(&mut theirs),
                (None, Some(_)) => take_first(&mut theirs),
                (Some(_), _) => take_first(&mut mine),
            };
            found.push(Id::new(Uuid::from_bytes(id)));
        }
    }
}

/// How many identities two lists have in common from the start, looked for in blocks.
fn common_prefix(a: &[[u8; 16]], b: &[[u8; 16]]) -> usize {
    const BLOCK: usize = 32;
    let mut same = 0;
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK));
    same += blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

fn take_first(ids: &mut &[[u8; 16]]) -> [u8; 16] {
    let (first, rest) = ids.split_first().expect("the caller saw it");
    *ids = rest;
    *first
}
