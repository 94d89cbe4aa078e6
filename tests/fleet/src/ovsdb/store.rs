//! The rows of one host: packed, in tables, with a count of what points at each.

use super::row::{self, Ids, Row};
use super::schema::Table;
use super::value::Datum;

/// All rows.
#[derive(Debug)]
pub(super) struct Store {
    ids: Ids,
    tables: [Vec<Entry>; Table::ALL.len()],
    next: u32,
}

/// One row.
#[derive(Debug)]
struct Entry {
    number: u32,
    /// How many columns of how many rows point at it.
    pointers: u32,
    bytes: Box<[u8]>,
}

impl Store {
    pub(super) fn new(ids: Ids) -> Store {
        Store { ids, tables: Default::default(), next: 1 }
    }

    pub(super) fn ids(&self) -> Ids {
        self.ids
    }

    /// The number that the next new row gets.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    /// Numbers below this one are taken from now on.
    pub(super) fn reserve_until(&mut self, next: u32) {
        self.next = next;
    }

    /// The rows of a table, by number.
    pub(super) fn rows(&self, table: Table) -> impl Iterator<Item = (u32, &[u8])> {
        self.tables[table as usize].iter().map(|entry| (entry.number, entry.bytes.as_ref()))
    }

    /// The row whose column holds what is packed into these bytes.
    pub(super) fn find(&self, table: Table, column: u8, packed: &[u8]) -> Option<u32> {
        let mut rows = self.rows(table);
        rows.find(|(_, bytes)| row::packed_cell(table, bytes, column) == Some(packed))
            .map(|(number, _)| number)
    }

    pub(super) fn count(&self, table: Table) -> usize {
        self.tables[table as usize].len()
    }

    pub(super) fn row(&self, table: Table, number: u32) -> Option<Row> {
        self.entry(table, number).map(|entry| Row::unpack(table, &entry.bytes, self.ids))
    }

    pub(super) fn contains(&self, table: Table, number: u32) -> bool {
        self.entry(table, number).is_some()
    }

    /// One column of a row, if it is not the default.
    pub(super) fn cell(&self, table: Table, number: u32, column: u8) -> Option<Datum> {
        row::cell(table, &self.entry(table, number)?.bytes, column, self.ids)
    }

    pub(super) fn pointers(&self, table: Table, number: u32) -> u32 {
        self.entry(table, number).map_or(0, |entry| entry.pointers)
    }

    /// Puts a row where one was or was not.
    pub(super) fn put(&mut self, table: Table, number: u32, row: &Row) {
        let bytes = row.pack(table, self.ids);
        let entries = &mut self.tables[table as usize];
        match entries.binary_search_by_key(&number, |entry| entry.number) {
            Ok(at) => entries[at].bytes = bytes,
            Err(at) => entries.insert(at, Entry { number, pointers: 0, bytes }),
        }
    }

    /// Removes rows of a table; their numbers are in ascending order.
    pub(super) fn remove(&mut self, table: Table, numbers: &[u32]) {
        let entries = &mut self.tables[table as usize];
        entries.retain(|entry| numbers.binary_search(&entry.number).is_err());
        if entries.capacity() > 2 * entries.len() + 8 {
            entries.shrink_to_fit();
        }
    }

    pub(super) fn add_pointers(&mut self, table: Table, number: u32, change: i64) {
        let entries = &mut self.tables[table as usize];
        if let Ok(at) = entries.binary_search_by_key(&number, |entry| entry.number) {
            let pointers = i64::from(entries[at].pointers) + change;
            entries[at].pointers = u32::try_from(pointers).unwrap_or(0);
        }
    }

    /// Bytes on the heap; of each row also what an allocator adds.
    pub(super) fn resident_bytes(&self) -> usize {
        let rows =
            self.tables.iter().flatten().map(|entry| (entry.bytes.len() + 8).next_multiple_of(16).max(32));
        let tables = self.tables.iter().map(|entries| entries.capacity() * size_of::<Entry>());
        rows.sum::<usize>() + tables.sum::<usize>()
    }

    fn entry(&self, table: Table, number: u32) -> Option<&Entry> {
        let entries = &self.tables[table as usize];
        entries.binary_search_by_key(&number, |entry| entry.number).ok().map(|at| &entries[at])
    }
}
