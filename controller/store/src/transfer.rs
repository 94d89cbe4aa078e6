//! Exports: a store as JSON lines that any engine can read back, closed by a digest so that damage is refused.
//!
//! ```text
//! {"weft_store_export":1,"revision":42}
//! {"table":"ports","key":"<hex>","value":"<hex>"}       one per record, ordered by table, then key
//! {"records":1,"sha256":"<hex of all bytes before this line>"}
//! ```

use std::io::{BufRead, BufReader, Read, Write};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    contract::Snapshot,
    error::StoreError,
    record::{KEY_BYTES_MAX, Record, Revision, Span, Table, VALUE_BYTES_MAX},
};

const VERSION: u32 = 1;
/// The longest line that a well-formed export can have, with room to spare for its punctuation.
const LINE_BYTES_MAX: u64 = (2 * (KEY_BYTES_MAX + VALUE_BYTES_MAX) + 1024) as u64;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    weft_store_export: u32,
    revision: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    table: String,
    key: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trailer {
    records: u64,
    sha256: String,
}

/// Writes everything a snapshot shows.
pub(crate) fn write(snapshot: &dyn Snapshot, to: &mut dyn Write) -> Result<(), StoreError> {
    let mut digest = Sha256::new();
    let mut line = |content: &dyn LineContent, digest: &mut Sha256| {
        let mut bytes = content.to_json();
        bytes.push(b'\n');
        digest.update(&bytes);
        to.write_all(&bytes).map_err(StoreError::WriteExport)
    };
    line(&Header { weft_store_export: VERSION, revision: snapshot.revision().0 }, &mut digest)?;
    let mut records = 0;
    for table in snapshot.tables()? {
        for record in snapshot.scan(table, &Span::all())? {
            let Record { key, value } = record?;
            line(
                &Entry { table: table.0.to_owned(), key: to_hex(&key), value: to_hex(&value) },
                &mut digest,
            )?;
            records += 1;
        }
    }
    let sha256 = to_hex(&digest.clone().finalize());
    line(&Trailer { records, sha256 }, &mut digest)?;
    to.flush().map_err(StoreError::WriteExport)
}

trait LineContent {
    fn to_json(&self) -> Vec<u8>;
}

impl<T: Serialize> LineContent for T {
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers always have a JSON form")
    }
}

/// The records of an export, in the order they are written there. The last `next()` gives an error if the export as a
/// whole is not what was written: whoever reads must not keep anything before it has returned `None`.
pub(crate) struct Lines<'a> {
    from: BufReader<&'a mut dyn Read>,
    digest: Sha256,
    revision: Revision,
    line: u64,
    records: u64,
    last: Option<(Table, Bytes)>,
    done: bool,
}

impl<'a> Lines<'a> {
    /// Reads the first line.
    pub(crate) fn start(from: &'a mut dyn Read) -> Result<Lines<'a>, StoreError> {
        let from = BufReader::with_capacity(64 * 1024, from);
        let mut lines = Lines {
            from,
            digest: Sha256::new(),
            revision: Revision::ZERO,
            line: 0,
            records: 0,
            last: None,
            done: false,
        };
        let first = lines.read_line()?;
        let header: Header =
            serde_json::from_slice(&first).map_err(|_| lines.bad("this is not an export of a Weft store"))?;
        if header.weft_store_export != VERSION {
            return Err(lines.bad("the export has another version"));
        }
        lines.revision = Revision(header.revision);
        lines.digest.update(&first);
        Ok(lines)
    }

    /// The revision that was exported.
    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    fn read_line(&mut self) -> Result<Vec<u8>, StoreError> {
        self.line += 1;
        let mut line = Vec::new();
        (&mut self.from).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(StoreError::ReadExport)?;
        match line.last() {
            Some(b'\n') => Ok(line),
            Some(_) => Err(self.bad("the line does not end, or is longer than any record")),
            None => Err(self.bad("the export ends without its digest")),
        }
    }

    fn read_entry(&mut self) -> Result<Option<(Table, Record)>, StoreError> {
        let line = self.read_line()?;
        let Ok(entry) = serde_json::from_slice::<Entry>(&line) else {
            return self.finish(&line).map(|()| None);
        };
        self.digest.update(&line);
        let table = Table::learn(&entry.table).ok_or_else(|| self.bad("the table name is not valid"))?;
        let key = from_hex(&entry.key).ok_or_else(|| self.bad("the key is not hexadecimal"))?;
        let value = from_hex(&entry.value).ok_or_else(|| self.bad("the value is not hexadecimal"))?;
        if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            return Err(self.bad("the record is larger than a store takes"));
        }
        let place = (table, key.clone());
        if self.last.as_ref().is_some_and(|last| *last >= place) {
            return Err(self.bad("the record is not in order"));
        }
        self.last = Some(place);
        self.records += 1;
        Ok(Some((table, Record { key, value })))
    }

    fn finish(&mut self, line: &[u8]) -> Result<(), StoreError> {
        let trailer: Trailer =
            serde_json::from_slice(line).map_err(|_| self.bad("this is neither a record nor the digest"))?;
        if trailer.records != self.records {
            return Err(self.bad("the number of records is not what was written"));
        }
        if trailer.sha256 != to_hex(&self.digest.clone().finalize()) {
            return Err(self.bad("the digest is not that of the lines before"));
        }
        if !self.from.fill_buf().map_err(StoreError::ReadExport)?.is_empty() {
            return Err(self.bad("something follows the digest"));
        }
        Ok(())
    }

    fn bad(&self, reason: &'static str) -> StoreError {
        StoreError::BadExport { line: self.line, reason }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<(Table, Record), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let entry = self.read_entry().transpose();
        self.done = !matches!(entry, Some(Ok(_)));
        entry
    }
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n)]);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Takes lower case only: an export has one form, so that the smallest change to it is damage.
fn from_hex(text: &str) -> Option<Bytes> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?))
        .collect::<Option<Vec<u8>>>()
        .map(Bytes::from)
}
