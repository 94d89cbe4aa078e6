//! One row as one piece of bytes: a tenth of what it takes as values, and copied, shared and compared as a whole.
//!
//! Each column stands in the order of the layout: the length of its content, then its elements one after the other (of a
//! map: key, value, key, value). Integers are variable-length, identities take 16 bytes, and so does a text that is
//! nothing but an identity, as `external_ids:iface-id` is; a text that the plan named as frequent takes one byte. Lengths
//! are in bytes, least significant 7 bits first.

use std::borrow::Cow;
use std::sync::Arc;

use uuid::Uuid;

use crate::datum::{Datum, Real};
use crate::notation::{AtomRef, DatumRef};
use crate::schema::{AtomType, ColumnType};

/// The content of a row, shared by all who hold the row.
pub(crate) type Packed = Arc<[u8]>;

/// Texts that are frequent, so that a number says them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words(Vec<Box<str>>);

impl Words {
    pub(crate) fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words: Vec<Box<str>> = words.into_iter().map(Box::from).collect();
        words.sort_unstable();
        words.dedup();
        Words(words)
    }

    fn number(&self, text: &str) -> Option<u64> {
        self.0.binary_search_by(|word| word.as_ref().cmp(text)).ok().map(|at| at as u64)
    }
}

/// How a text is written: the low bits of the number in front of it; the others say which word, or how many bytes.
const WORD: u64 = 0;
const PLAIN: u64 = 1;
const IDENTITY: u64 = 2;

/// Writes the content of a column if it belongs there. Counts are the server's business: a difference may well have more
/// elements than the column.
pub(crate) fn write(out: &mut Vec<u8>, kind: &ColumnType, words: &Words, datum: DatumRef<'_>) -> Option<()> {
    match (datum, kind.value) {
        (DatumRef::One(atom), None) => write_atom(out, kind.key, words, atom),
        (DatumRef::Set(mut atoms), None) => {
            atoms.sort_unstable();
            atoms.dedup();
            atoms.into_iter().try_for_each(|atom| write_atom(out, kind.key, words, atom))
        }
        (DatumRef::Map(mut pairs), Some(value)) => {
            // Of two pairs with the same key the first one stays.
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            pairs.dedup_by(|later, first| later.0 == first.0);
            pairs.into_iter().try_for_each(|(k, v)| {
                write_atom(out, kind.key, words, k)?;
                write_atom(out, value, words, v)
            })
        }
        _ => None,
    }
}

fn write_atom(out: &mut Vec<u8>, kind: AtomType, words: &Words, atom: AtomRef<'_>) -> Option<()> {
    match (kind, atom) {
        (AtomType::Integer, AtomRef::Integer(value)) => {
            // Small numbers of either sign are short.
            write_number(out, (value.wrapping_shl(1) ^ (value >> 63)).cast_unsigned());
        }
        (AtomType::Real, AtomRef::Real(Real(value))) => out.extend(value.to_bits().to_le_bytes()),
        // A real that happens to be whole is written without a point.
        (AtomType::Real, AtomRef::Integer(value)) => out.extend((value as f64).to_bits().to_le_bytes()),
        (AtomType::Boolean, AtomRef::Boolean(value)) => out.push(u8::from(value)),
        (AtomType::String, AtomRef::Text(text)) => write_text(out, words, &text),
        (AtomType::Uuid, AtomRef::Uuid(id)) => out.extend(id.as_bytes()),
        _ => return None,
    }
    Some(())
}

fn write_text(out: &mut Vec<u8>, words: &Words, text: &str) {
    if let Some(number) = words.number(text) {
        write_number(out, number << 2 | WORD);
    } else if let Some(id) = identity(text) {
        write_number(out, IDENTITY);
        out.extend(id.as_bytes());
    } else {
        write_number(out, (text.len() as u64) << 2 | PLAIN);
        out.extend(text.as_bytes());
    }
}

/// The identity that a text is, if writing the identity gives the text again.
fn identity(text: &str) -> Option<Uuid> {
    let is_written_so = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    let bytes = text.as_bytes();
    let looks_like_one = bytes.len() == 36 && bytes[8] == b'-' && bytes[13] == b'-' && bytes[18] == b'-';
    if !looks_like_one || !bytes.iter().all(is_written_so) {
        return None;
    }
    Uuid::try_parse_ascii(bytes).ok()
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], count: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(count).ok()?)?;
    *bytes = rest;
    Some(taken)
}

/// Puts columns together to a row.
pub(crate) fn join<'a>(columns: impl Iterator<Item = &'a [u8]>, scratch: &mut Vec<u8>) -> Packed {
    scratch.clear();
    for content in columns {
        write_number(scratch, content.len() as u64);
        scratch.extend_from_slice(content);
    }
    Packed::from(scratch.as_slice())
}

/// The columns of a row, in the order of its layout.
pub(crate) fn columns(mut row: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = read_number(&mut row)?;
        take(&mut row, length)
    })
}

/// The elements of a column one after the other; of a map, keys and values take turns.
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
    kinds: [AtomType; 2],
    words: &'a Words,
    turn: usize,
}

impl<'a> Elements<'a> {
    pub(crate) fn of(content: &'a [u8], kind: &ColumnType, words: &'a Words) -> Self {
        Elements { rest: content, kinds: [kind.key, kind.value.unwrap_or(kind.key)], words, turn: 0 }
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let number = read_number(&mut self.rest)?;
        match number & 3 {
            WORD => {
                let word = self.words.0.get(usize::try_from(number >> 2).ok()?)?;
                Some(Cow::Borrowed(word))
            }
            IDENTITY => {
                let id = Uuid::from_slice(take(&mut self.rest, 16)?).ok()?;
                Some(Cow::Owned(id.to_string()))
            }
            _ => std::str::from_utf8(take(&mut self.rest, number >> 2)?).ok().map(Cow::Borrowed),
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = AtomRef<'a>;

    fn next(&mut self) -> Option<AtomRef<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let kind = self.kinds[self.turn % 2];
        self.turn += 1;
        match kind {
            AtomType::Integer => {
                let number = read_number(&mut self.rest)?.cast_signed();
                Some(AtomRef::Integer((number.cast_unsigned() >> 1).cast_signed() ^ -(number & 1)))
            }
            AtomType::Real => {
                let bits = take(&mut self.rest, 8)?.try_into().map(u64::from_le_bytes).ok()?;
                Some(AtomRef::Real(Real(f64::from_bits(bits))))
            }
            AtomType::Boolean => take(&mut self.rest, 1).map(|byte| AtomRef::Boolean(byte[0] != 0)),
            AtomType::String => self.text().map(AtomRef::Text),
            AtomType::Uuid => Uuid::from_slice(take(&mut self.rest, 16)?).ok().map(AtomRef::Uuid),
        }
    }
}

/// The content of a column as a value.
pub(crate) fn datum(content: &[u8], kind: &ColumnType, words: &Words) -> Datum {
    let mut elements = Elements::of(content, kind, words).map(AtomRef::into_owned);
    if kind.value.is_none() {
        return Datum::Set(elements.collect());
    }
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
        pairs.push((key, value));
    }
    Datum::Map(pairs)
}

/// Writes the column's content after a difference: see [`Datum::apply_difference`].
pub(crate) fn write_modified(
    out: &mut Vec<u8>,
    before: &[u8],
    difference: DatumRef<'_>,
    (kind, words): (&ColumnType, &Words),
) -> Option<()> {
    if !kind.is_composite() {
        return write(out, kind, words, difference);
    }
    let mut changed = Vec::new();
    write(&mut changed, kind, words, difference)?;
    if (kind.key, kind.value) == (AtomType::Uuid, None) {
        toggle_identities(out, before, &changed);
        return Some(());
    }
    let mut after = datum(before, kind, words);
    after.apply_difference(datum(&changed, kind, words));
    write(out, kind, words, after.as_ref())
}

/// Sets of identities may be long, as the ports of a bridge are: merged as they stand, both in order.
fn toggle_identities(out: &mut Vec<u8>, before: &[u8], changed: &[u8]) {
    let (mine, _) = before.as_chunks::<16>();
    let (changed, _) = changed.as_chunks::<16>();
    out.reserve(before.len() + changed.len() * 16);
    let mut copied = 0;
    for id in changed {
        let at = copied + mine[copied..].partition_point(|other| other < id);
        out.extend_from_slice(mine[copied..at].as_flattened());
        let is_there = mine.get(at) == Some(id);
        if !is_there {
            out.extend_from_slice(id);
        }
        copied = at + usize::from(is_there);
    }
    out.extend_from_slice(mine[copied..].as_flattened());
}

#[cfg(test)]
mod tests;
