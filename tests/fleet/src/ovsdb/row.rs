//! Rows: spread out while a transaction works on them, packed into few bytes otherwise.
//!
//! A packed row holds the columns that differ from their defaults, each as its number and its value; numbers are
//! varints, frequent words are one byte ([`super::words`]), and pointers to rows of the same host are row numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::schema::{Base, Column, Table, UUID, VERSION_COLUMN};
use super::value::{Atom, Datum, separate, write_text};
use super::words;

/// How the ids of a host's rows follow from its number and theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ids {
    host: u32,
}

/// Marks ids as ours; the version and variant bits are those of a random UUID.
const MARK: u128 = 0x7765_6674_0000_4000_8000_0000_0000_0000;
/// An odd factor and its inverse modulo 2^32: ids of rows are in another order than their numbers, as real ones are.
const SPREAD: u32 = 0x9e37_79b1;
const GATHER: u32 = 0x0e8b_2f51;

impl Ids {
    pub(super) fn new(host: u32) -> Ids {
        Ids { host }
    }

    /// The id of the row of this number.
    pub(super) fn id(self, row: u32) -> u128 {
        let host = u128::from(self.host);
        MARK ^ (host >> 16) << 80 ^ (host & 0xffff) << 32 ^ u128::from(row.wrapping_mul(SPREAD))
    }

    /// The number of the row of this id, if it can be one of this host.
    pub(super) fn row(self, id: u128) -> Option<u32> {
        let row = (id as u32).wrapping_mul(GATHER);
        (self.id(row) == id).then_some(row)
    }
}

/// A row being worked on: what differs from the defaults, by column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Row {
    cells: BTreeMap<u8, Datum>,
}

impl Row {
    /// A row of a table in which nothing is set.
    pub(super) fn new() -> Row {
        Row::default()
    }

    /// What a column holds; for a pseudo-column, what follows from the row's id.
    pub(super) fn get(&self, table: Table, column: u8, id: u128) -> Cow<'_, Datum> {
        match column {
            UUID => Cow::Owned(Datum::one(Atom::Uuid(id))),
            // Nobody compares versions of a row that is not a mirror of a cluster; it only has to be an id.
            VERSION_COLUMN => Cow::Owned(Datum::one(Atom::Uuid(id.rotate_left(64)))),
            _ => match self.cell(column) {
                Some(datum) => Cow::Borrowed(datum),
                None => Cow::Owned(Datum::default_of(table.column(column))),
            },
        }
    }

    /// What a column holds if that is not its default.
    pub(super) fn cell(&self, column: u8) -> Option<&Datum> {
        self.cells.get(&column)
    }

    /// The columns that differ from their defaults.
    pub(super) fn cells(&self) -> impl Iterator<Item = (u8, &Datum)> {
        self.cells.iter().map(|(column, datum)| (*column, datum))
    }

    /// Puts a value into a column; true if it was another one before.
    pub(super) fn set(&mut self, table: Table, column: u8, datum: Datum) -> bool {
        if datum == Datum::default_of(table.column(column)) {
            return self.cells.remove(&column).is_some();
        }
        let is_new = self.cells.get(&column) != Some(&datum);
        self.cells.insert(column, datum);
        is_new
    }

    pub(super) fn unpack(table: Table, bytes: &[u8], ids: Ids) -> Row {
        Row { cells: Cells { table, bytes, ids }.collect() }
    }

    pub(super) fn pack(&self, table: Table, ids: Ids) -> Box<[u8]> {
        let mut out = Vec::new();
        for (number, datum) in self.cells() {
            out.push(number);
            pack_datum(table.column(number), datum, ids, &mut out);
        }
        out.into_boxed_slice()
    }
}

/// The value of one column of a packed row, if it is not the default.
pub(super) fn cell(table: Table, bytes: &[u8], column: u8, ids: Ids) -> Option<Datum> {
    let mut bytes = packed_cell(table, bytes, column)?;
    Some(unpack_datum(table.column(column), &mut bytes, ids))
}

/// The packed value of one column of a packed row, if it is not the default. The same value is always the same bytes.
pub(super) fn packed_cell(table: Table, mut bytes: &[u8], column: u8) -> Option<&[u8]> {
    while let Some((number, rest)) = bytes.split_first() {
        if *number > column {
            return None;
        }
        bytes = rest;
        skip_datum(table.column(*number), &mut bytes);
        if *number == column {
            return Some(&rest[..rest.len() - bytes.len()]);
        }
    }
    None
}

/// The bytes that a packed row has for a value of a column.
pub(super) fn pack_cell(table: Table, column: u8, datum: &Datum, ids: Ids) -> Vec<u8> {
    let mut out = Vec::new();
    pack_datum(table.column(column), datum, ids, &mut out);
    out
}

/// Appends `column: value, ...` of a packed row as JSON, without spreading it out: what is shown to every monitor that
/// starts, row by row.
pub(super) fn write_cells(
    table: Table,
    mut bytes: &[u8],
    ids: Ids,
    is_seen: impl Fn(u8) -> bool,
    out: &mut Vec<u8>,
) {
    let mut count = 0;
    while let Some((number, rest)) = bytes.split_first() {
        bytes = rest;
        let column = table.column(*number);
        let start = out.len();
        separate(out, count);
        write_text(out, column.name);
        out.push(b':');
        write_packed(column, &mut bytes, ids, out);
        if is_seen(*number) {
            count += 1;
        } else {
            out.truncate(start);
        }
    }
}

fn write_packed(column: &Column, bytes: &mut &[u8], ids: Ids, out: &mut Vec<u8>) {
    let count = if is_uncounted(column) { 1 } else { unpack_number(bytes) };
    if count == 1 && column.value.is_none() {
        return write_packed_atom(column.key, bytes, ids, out);
    }
    out.extend_from_slice(if column.value.is_none() { b"[\"set\",[" } else { b"[\"map\",[" });
    for at in 0..count {
        separate(out, usize::from(at > 0));
        match column.value {
            None => write_packed_atom(column.key, bytes, ids, out),
            Some(value) => {
                out.push(b'[');
                write_packed_atom(column.key, bytes, ids, out);
                out.push(b',');
                write_packed_atom(value, bytes, ids, out);
                out.push(b']');
            }
        }
    }
    out.extend_from_slice(b"]]");
}

fn write_packed_atom(base: Base, bytes: &mut &[u8], ids: Ids, out: &mut Vec<u8>) {
    match base {
        Base::Text | Base::Words(_) => words::write(bytes, out),
        _ => unpack_atom(base, bytes, ids).write(out),
    }
}

/// The columns of a packed row, in order.
struct Cells<'a> {
    table: Table,
    bytes: &'a [u8],
    ids: Ids,
}

impl Iterator for Cells<'_> {
    type Item = (u8, Datum);

    fn next(&mut self) -> Option<(u8, Datum)> {
        let (number, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        let column = self.table.column(*number);
        Some((*number, unpack_datum(column, &mut self.bytes, self.ids)))
    }
}

/// Whether a cell of this column is always exactly one atom, so that no count is written: an empty one is the default.
fn is_uncounted(column: &Column) -> bool {
    column.is_single() && column.value.is_none() && (column.min == 0 || column.is_scalar())
}

fn pack_datum(column: &Column, datum: &Datum, ids: Ids, out: &mut Vec<u8>) {
    if !is_uncounted(column) {
        pack_number(datum.len() as u64, out);
    }
    match datum {
        Datum::Set(atoms) => atoms.iter().for_each(|atom| pack_atom(atom, ids, out)),
        Datum::Map(pairs) => {
            for (key, value) in pairs {
                pack_atom(key, ids, out);
                pack_atom(value, ids, out);
            }
        }
    }
}

fn unpack_datum(column: &Column, bytes: &mut &[u8], ids: Ids) -> Datum {
    let count = if is_uncounted(column) { 1 } else { unpack_number(bytes) };
    match column.value {
        None => {
            let mut atoms: Vec<Atom> = (0..count).map(|_| unpack_atom(column.key, bytes, ids)).collect();
            // Row numbers and ids have different orders, but packing keeps the order of the ids.
            debug_assert!(atoms.is_sorted());
            atoms.shrink_to_fit();
            Datum::Set(atoms)
        }
        Some(value) => Datum::Map(
            (0..count)
                .map(|_| (unpack_atom(column.key, bytes, ids), unpack_atom(value, bytes, ids)))
                .collect(),
        ),
    }
}

fn skip_datum(column: &Column, bytes: &mut &[u8]) {
    let count = if is_uncounted(column) { 1 } else { unpack_number(bytes) };
    for _ in 0..count {
        skip_atom(column.key, bytes);
        if let Some(value) = column.value {
            skip_atom(value, bytes);
        }
    }
}

fn skip_atom(base: Base, bytes: &mut &[u8]) {
    match base {
        Base::Integer | Base::Range(..) => _ = unpack_number(bytes),
        Base::Boolean => _ = take(bytes, 1),
        Base::Text | Base::Words(_) => words::skip(bytes),
        Base::Uuid | Base::Row(_) => {
            if unpack_number(bytes) == 0 {
                take(bytes, 16);
            }
        }
    }
}

fn pack_atom(atom: &Atom, ids: Ids, out: &mut Vec<u8>) {
    match atom {
        Atom::Integer(number) => pack_number((number << 1 ^ number >> 63) as u64, out),
        Atom::Boolean(truth) => out.push(u8::from(*truth)),
        Atom::Text(text) => words::pack(text, out),
        Atom::Uuid(id) => match ids.row(*id) {
            Some(row) => pack_number(u64::from(row) + 1, out),
            None => {
                out.push(0);
                out.extend_from_slice(&id.to_be_bytes());
            }
        },
    }
}

fn unpack_atom(base: Base, bytes: &mut &[u8], ids: Ids) -> Atom {
    match base {
        Base::Integer | Base::Range(..) => {
            let number = unpack_number(bytes);
            Atom::Integer((number >> 1) as i64 ^ -((number & 1) as i64))
        }
        Base::Boolean => Atom::Boolean(take(bytes, 1) == [1]),
        Base::Text | Base::Words(_) => Atom::Text(words::unpack(bytes)),
        Base::Uuid | Base::Row(_) => match unpack_number(bytes) {
            0 => Atom::Uuid(take(bytes, 16).iter().fold(0, |id, byte| id << 8 | u128::from(*byte))),
            row => Atom::Uuid(ids.id((row - 1) as u32)),
        },
    }
}

/// Appends a number, seven bits to a byte.
pub(super) fn pack_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads what [`pack_number`] wrote.
pub(super) fn unpack_number(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1).first().copied().unwrap_or(0);
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

/// The next bytes; fewer if there are no more, which a packed row of ours never has.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count.min(bytes.len()));
    *bytes = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ovsdb::schema::column;

    #[test]
    fn ids_lead_back_to_rows_and_hosts() {
        for host in [0, 1, 9_999, 0x1_0000, u32::MAX] {
            let ids = Ids::new(host);
            for row in [0, 1, 2, 77, 1 << 20, u32::MAX] {
                assert_eq!(ids.row(ids.id(row)), Some(row), "host {host} row {row}");
                assert_eq!(Ids::new(host ^ 1).row(ids.id(row)), None, "host {host} row {row}");
            }
            assert_eq!(ids.row(0), None);
        }
    }

    #[test]
    fn a_packed_row_unpacks_to_itself_and_is_small() {
        let ids = Ids::new(7);
        let mut row = Row::new();
        let table = Table::Interface;
        row.set(table, column(table, "name"), Datum::text("wv-1234"));
        row.set(table, column(table, "type"), Datum::text("vxlan"));
        row.set(table, column(table, "ofport"), Datum::integer(-1));
        row.set(table, column(table, "ofport_request"), Datum::integer(34_234));
        row.set(table, column(table, "mac_in_use"), Datum::text("02:00:00:00:12:34"));
        let options = [("key", "flow"), ("remote_ip", "172.31.0.1"), ("x\u{e9}", "")];
        row.set(table, column(table, "options"), Datum::dictionary(options));
        let bytes = row.pack(table, ids);
        assert_eq!(Row::unpack(table, &bytes, ids), row);
        assert_eq!(cell(table, &bytes, column(table, "ofport"), ids), Some(Datum::integer(-1)));
        assert_eq!(cell(table, &bytes, column(table, "error"), ids), None);
        for (column, datum) in row.cells() {
            assert_eq!(cell(table, &bytes, column, ids).as_ref(), Some(datum));
            assert_eq!(
                packed_cell(table, &bytes, column),
                Some(pack_cell(table, column, datum, ids).as_slice())
            );
        }
        assert!(bytes.len() < 60, "{} bytes", bytes.len());

        let mut bridge = Row::new();
        for (table, row) in [(Table::Interface, &row), (Table::Bridge, &bridge)] {
            let (mut direct, mut spread) = (Vec::new(), Vec::new());
            write_cells(table, &row.pack(table, ids), ids, |_| true, &mut direct);
            for (at, (column, datum)) in row.cells().enumerate() {
                separate(&mut spread, at);
                write_text(&mut spread, table.column(column).name);
                spread.push(b':');
                datum.write(&mut spread);
            }
            assert_eq!(String::from_utf8(direct), String::from_utf8(spread));
        }
        let ports = Datum::set_of((0..500).map(|row| Atom::Uuid(ids.id(row))).collect());
        bridge.set(Table::Bridge, column(Table::Bridge, "ports"), ports);
        let bytes = bridge.pack(Table::Bridge, ids);
        assert_eq!(Row::unpack(Table::Bridge, &bytes, ids), bridge);
        assert!(bytes.len() < 1100, "{} bytes", bytes.len());
    }
}
