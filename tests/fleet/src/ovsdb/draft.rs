//! A transaction under way: the rows as they would be, beside the rows as they are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::row::{Ids, Row, pack_cell};
use super::schema::Table;
use super::store::Store;
use super::value::Datum;

/// Where a row stands: its table and its number.
pub(super) type Place = (Table, u32);

/// Changes that have not been made yet.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) store: &'a Store,
    pub(super) slots: BTreeMap<Place, Slot>,
    pub(super) next: u32,
}

/// A row that a transaction has touched.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// As it was; nothing if it is inserted.
    pub(super) old: Option<Row>,
    /// As it is; nothing if it is deleted.
    pub(super) new: Option<Row>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(store: &'a Store) -> Draft<'a> {
        Draft { store, slots: BTreeMap::new(), next: store.next() }
    }

    pub(super) fn ids(&self) -> Ids {
        self.store.ids()
    }

    /// A number for a row to be inserted.
    pub(super) fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// A row as it would be.
    pub(super) fn row(&self, (table, number): Place) -> Option<Cow<'_, Row>> {
        match self.slots.get(&(table, number)) {
            Some(slot) => slot.new.as_ref().map(Cow::Borrowed),
            None => self.store.row(table, number).map(Cow::Owned),
        }
    }

    /// One column of a row as it would be, if it is not the default.
    pub(super) fn cell(&self, (table, number): Place, column: u8) -> Option<Datum> {
        match self.slots.get(&(table, number)) {
            Some(slot) => slot.new.as_ref()?.cell(column).cloned(),
            None => self.store.cell(table, number, column),
        }
    }

    pub(super) fn contains(&self, place: Place) -> bool {
        match self.slots.get(&place) {
            Some(slot) => slot.new.is_some(),
            None => self.store.contains(place.0, place.1),
        }
    }

    /// The numbers of a table's rows.
    pub(super) fn numbers(&self, table: Table) -> Vec<u32> {
        let kept = self.store.rows(table).map(|(number, _)| number);
        let kept = kept.filter(|number| !self.slots.contains_key(&(table, *number)));
        let touched = self.slots.range((table, 0)..=(table, u32::MAX));
        let touched = touched.filter(|(_, slot)| slot.new.is_some()).map(|((_, number), _)| *number);
        let mut numbers: Vec<u32> = kept.chain(touched).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The row of this name, or whatever the column holds; values that are defaults are not found.
    pub(super) fn find(&self, table: Table, column: u8, datum: &Datum) -> Option<Place> {
        let slots = self.slots.range((table, 0)..=(table, u32::MAX));
        let mut touched =
            slots.filter(|(_, slot)| slot.new.as_ref().and_then(|row| row.cell(column)) == Some(datum));
        if let Some((place, _)) = touched.next() {
            return Some(*place);
        }
        let packed = pack_cell(table, column, datum, self.ids());
        let place = (table, self.store.find(table, column, &packed)?);
        (!self.slots.contains_key(&place)).then_some(place)
    }

    /// Inserts a row under a number of [`Draft::fresh`].
    pub(super) fn insert(&mut self, place: Place, row: Row) {
        self.slots.insert(place, Slot { old: None, new: Some(row) });
    }

    /// A row to be changed.
    pub(super) fn edit(&mut self, place: Place) -> Option<&mut Row> {
        if !self.slots.contains_key(&place) {
            let row = self.store.row(place.0, place.1)?;
            self.slots.insert(place, Slot { old: Some(row.clone()), new: Some(row) });
        }
        self.slots.get_mut(&place)?.new.as_mut()
    }

    /// Sets one column of a row.
    pub(super) fn set(&mut self, place: Place, column: u8, datum: Datum) {
        if let Some(row) = self.edit(place) {
            row.set(place.0, column, datum);
        }
    }

    pub(super) fn delete(&mut self, place: Place) {
        if self.edit(place).is_some()
            && let Some(slot) = self.slots.get_mut(&place)
        {
            slot.new = None;
        }
    }
}
