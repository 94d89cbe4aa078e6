//! The end of a transaction: pointers must lead somewhere, rows that nothing points at go, names are had once.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::draft::{Draft, Place, Slot};
use super::refusal::Refusal;
use super::row::{Row, pack_cell, packed_cell};
use super::schema::{Base, Table};
use super::store::Store;
use super::value::{Atom, Datum, id_text};

/// A row that a transaction changed; inserted if it has no `old`, deleted if it has no `new`.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) table: Table,
    pub(super) number: u32,
    pub(super) old: Option<Row>,
    pub(super) new: Option<Row>,
}

/// A transaction that may be carried out.
#[derive(Debug)]
pub(super) struct Commit {
    /// In the order of tables and rows; only what is different afterwards.
    pub(super) changes: Vec<Change>,
    pointers: BTreeMap<Place, i64>,
    next: u32,
}

impl Commit {
    /// Checks a draft, as ovsdb-server checks a transaction before it commits.
    pub(super) fn of(mut draft: Draft<'_>) -> Result<Commit, Refusal> {
        draft.slots.retain(|_, slot| slot.old != slot.new);
        let pointers = count_pointers(&draft)?;
        let pointers = collect_garbage(&mut draft, pointers)?;
        check_limits(&draft)?;
        for table in Table::ALL {
            check_index(&draft, table)?;
        }
        let next = draft.next;
        let slots = draft.slots.into_iter().filter(|(_, slot)| slot.old.is_some() || slot.new.is_some());
        let changes = slots
            .map(|((table, number), slot)| Change { table, number, old: slot.old, new: slot.new })
            .collect();
        Ok(Commit { changes, pointers, next })
    }

    /// Carries it out.
    pub(super) fn apply(&self, store: &mut Store) {
        store.reserve_until(self.next);
        let mut gone: BTreeMap<Table, Vec<u32>> = BTreeMap::new();
        for change in &self.changes {
            match &change.new {
                Some(row) => store.put(change.table, change.number, row),
                None => gone.entry(change.table).or_default().push(change.number),
            }
        }
        for ((table, number), change) in &self.pointers {
            store.add_pointers(*table, *number, *change);
        }
        for (table, numbers) in gone {
            store.remove(table, &numbers);
        }
    }
}

/// The columns of a table that point at rows, and at rows of which table.
fn pointing(table: Table) -> impl Iterator<Item = (u8, Table)> {
    (0..).zip(table.columns()).filter_map(|(number, column)| match column.key {
        Base::Row(target) => Some((number, target)),
        _ => None,
    })
}

/// By how much the counts of pointers change; a pointer that leads nowhere is refused.
fn count_pointers(draft: &Draft<'_>) -> Result<BTreeMap<Place, i64>, Refusal> {
    let mut pointers = BTreeMap::new();
    let ids = draft.ids();
    for ((table, number), slot) in &draft.slots {
        for (column, target) in pointing(*table) {
            let id = ids.id(*number);
            let old = slot.old.as_ref().map(|row| row.get(*table, column, id));
            let new = slot.new.as_ref().map(|row| row.get(*table, column, id));
            if old == new {
                continue;
            }
            for id in old.iter().flat_map(|datum| datum.ids()) {
                let row = ids.row(id).unwrap_or_default();
                *pointers.entry((target, row)).or_default() -= 1;
            }
            for id in new.iter().flat_map(|datum| datum.ids()) {
                let row = ids.row(id).filter(|row| draft.contains((target, *row)));
                let row = row.ok_or_else(|| {
                    let (name, from) = (table.column(column).name, id_text(ids.id(*number)));
                    let (table, target, id) = (table.name(), target.name(), id_text(id));
                    Refusal::reference(format!(
                        "Table {table} column {name} row {from} references nonexistent row {id} in table {target}."
                    ))
                })?;
                *pointers.entry((target, row)).or_default() += 1;
            }
        }
    }
    Ok(pointers)
}

/// Deletes what nothing points at any more; refuses to delete what something still points at.
fn collect_garbage(
    draft: &mut Draft<'_>,
    mut pointers: BTreeMap<Place, i64>,
) -> Result<BTreeMap<Place, i64>, Refusal> {
    let left = |pointers: &BTreeMap<Place, i64>, place: Place| {
        i64::from(draft.store.pointers(place.0, place.1)) + pointers.get(&place).copied().unwrap_or(0)
    };
    for (place, slot) in &draft.slots {
        let count = left(&pointers, *place);
        if slot.old.is_some() && slot.new.is_none() && count > 0 {
            let (table, id) = (place.0.name(), id_text(draft.store.ids().id(place.1)));
            return Err(Refusal::reference(format!(
                "cannot delete {table} row {id} because of {count} remaining reference(s)"
            )));
        }
    }
    let inserted = draft.slots.iter().filter(|(_, slot)| slot.old.is_none()).map(|(place, _)| *place);
    let lost = pointers.iter().filter(|(_, change)| **change < 0).map(|(place, _)| *place);
    let mut doubtful: Vec<Place> = inserted.chain(lost).filter(|(table, _)| !table.is_root()).collect();
    while let Some(place) = doubtful.pop() {
        let count =
            i64::from(draft.store.pointers(place.0, place.1)) + pointers.get(&place).copied().unwrap_or(0);
        let Some(row) = draft.row(place).filter(|_| count <= 0).map(|row| row.into_owned()) else { continue };
        let ids = draft.ids();
        draft.delete(place);
        for (column, target) in pointing(place.0) {
            for id in row.cell(column).iter().flat_map(|datum| datum.ids()) {
                let pointed = (target, ids.row(id).unwrap_or_default());
                *pointers.entry(pointed).or_default() -= 1;
                doubtful.push(pointed);
            }
        }
    }
    Ok(pointers)
}

fn check_limits(draft: &Draft<'_>) -> Result<(), Refusal> {
    for table in Table::ALL {
        let Some(limit) = table.max_rows() else { continue };
        let slots = draft.slots.range((table, 0)..=(table, u32::MAX));
        let (mut come, mut gone) = (0, 0);
        for (_, slot) in slots {
            come += usize::from(slot.old.is_none() && slot.new.is_some());
            gone += usize::from(slot.old.is_some() && slot.new.is_none());
        }
        let rows = draft.store.count(table) + come - gone;
        if rows > limit {
            return Err(Refusal::constraint(format!(
                "transaction causes \"{}\" table to contain {rows} rows, greater than the schema-defined \
                 limit of {limit} row(s)",
                table.name()
            )));
        }
    }
    Ok(())
}

/// No two rows may have the same value in their table's index. Looks through the table once, however many are new.
fn check_index(draft: &Draft<'_>, table: Table) -> Result<(), Refusal> {
    let Some(column) = table.index() else { return Ok(()) };
    let ids = draft.ids();
    let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut is_news = false;
    for ((_, number), slot) in draft.slots.range((table, 0)..=(table, u32::MAX)) {
        let Some(row) = &slot.new else { continue };
        is_news |= slot.old.as_ref().is_none_or(|old| old.cell(column) != row.cell(column));
        let value = row.get(table, column, ids.id(*number));
        if let Some(other) = seen.insert(pack_cell(table, column, &value, ids), *number) {
            return Err(twice(draft, table, &value, [other, *number]));
        }
    }
    if !is_news {
        return Ok(());
    }
    let default = Datum::default_of(table.column(column));
    let default = pack_cell(table, column, &default, ids);
    for (number, bytes) in draft.store.rows(table) {
        let value = packed_cell(table, bytes, column).unwrap_or(&default);
        let Some(other) = seen.get(value).filter(|_| !draft.slots.contains_key(&(table, number))) else {
            continue;
        };
        let value = draft.store.cell(table, number, column).unwrap_or_else(Datum::nothing);
        return Err(twice(draft, table, &value, [number, *other]));
    }
    Ok(())
}

fn twice(draft: &Draft<'_>, table: Table, value: &Datum, rows: [u32; 2]) -> Refusal {
    let column = table.index().map_or("", |column| table.column(column).name);
    let text = match value {
        Datum::Set(atoms) => match atoms.as_slice() {
            [Atom::Text(text)] if !text.is_empty() => text.to_string(),
            _ => "\"\"".to_owned(),
        },
        Datum::Map(_) => String::new(),
    };
    let story = |number: u32| {
        let id = id_text(draft.ids().id(number));
        let what = match draft.slots.get(&(table, number)) {
            None => "existed in the database before this transaction and was not modified by the transaction",
            Some(Slot { old: None, .. }) => "was inserted by this transaction",
            Some(_) => "existed in the database before this transaction and was modified by the transaction",
        };
        (id, what)
    };
    let [(first, first_story), (second, second_story)] = rows.map(story);
    Refusal::constraint(format!(
        "Transaction causes multiple rows in \"{}\" table to have identical values ({text}) for index on column \
         \"{column}\".  First row, with UUID {first}, {first_story}.  Second row, with UUID {second}, {second_story}.",
        table.name()
    ))
}
