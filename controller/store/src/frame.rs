//! How the operations of a batch are written as one entry of the change log.
//!
//! One byte of version, then per operation: kind, table length (1 byte) and name, key length (2 bytes) and key, and for
//! a put the value length (4 bytes) and value. Numbers are big-endian; an entry ends with its last operation.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::{
    batch::Op,
    error::{Damage, StoreError},
    record::Table,
};

const VERSION: u8 = 1;
const PUT: u8 = 1;
const DELETE: u8 = 2;

/// Writes operations that have passed `Batch::validate`, so that every length fits its field.
pub(crate) fn encode(ops: &[Op]) -> Bytes {
    let size =
        ops.iter().map(|op| 8 + op.table().0.len() + op.key().len() + op.value().map_or(0, Bytes::len));
    let mut out = BytesMut::with_capacity(1 + size.sum::<usize>());
    out.put_u8(VERSION);
    for op in ops {
        out.put_u8(if op.value().is_some() { PUT } else { DELETE });
        out.put_u8(u8::try_from(op.table().0.len()).expect("a table name was validated to be short"));
        out.put_slice(op.table().0.as_bytes());
        out.put_u16(u16::try_from(op.key().len()).expect("a key was validated to be short"));
        out.put_slice(op.key());
        if let Some(value) = op.value() {
            out.put_u32(u32::try_from(value.len()).expect("a value was validated to be short"));
            out.put_slice(value);
        }
    }
    out.freeze()
}

/// Reads an entry back. Keys and values share the entry's memory.
pub(crate) fn decode(mut entry: Bytes) -> Result<Vec<Op>, StoreError> {
    let malformed = || StoreError::Damaged(Damage::LogEntry);
    if entry.try_get_u8().map_err(|_| malformed())? != VERSION {
        return Err(malformed());
    }
    let mut ops = Vec::new();
    while entry.has_remaining() {
        ops.push(decode_op(&mut entry).ok_or_else(malformed)?);
    }
    Ok(ops)
}

fn decode_op(entry: &mut Bytes) -> Option<Op> {
    let kind = entry.try_get_u8().ok()?;
    let name_len = usize::from(entry.try_get_u8().ok()?);
    let name = take(entry, name_len)?;
    let table = Table::learn(std::str::from_utf8(&name).ok()?)?;
    let key_len = usize::from(entry.try_get_u16().ok()?);
    let key = take(entry, key_len)?;
    match kind {
        PUT => {
            let value_len = usize::try_from(entry.try_get_u32().ok()?).ok()?;
            Some(Op::Put { table, key, value: take(entry, value_len)? })
        }
        DELETE => Some(Op::Delete { table, key }),
        _ => None,
    }
}

fn take(entry: &mut Bytes, len: usize) -> Option<Bytes> {
    (entry.remaining() >= len).then(|| entry.split_to(len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;

    #[test]
    fn entries_survive_and_cut_entries_are_refused() {
        let (ports, hosts) = (Table("ports"), Table("hosts"));
        let mut batch = Batch::new();
        batch.put(ports, "a", "one").delete(hosts, "").put(hosts, [0xff; 1024], "");
        let entry = encode(batch.ops());
        assert_eq!(decode(entry.clone()).ok().as_deref(), Some(batch.ops()));
        assert_eq!(decode(encode(&[])).ok(), Some(vec![]));
        // Cutting at the end of an operation gives a shorter entry; every other cut must be noticed.
        let whole: Vec<usize> = (1..=3).map(|n| encode(&batch.ops()[..n]).len()).chain([1]).collect();
        for cut in 0..entry.len() {
            assert_eq!(decode(entry.slice(..cut)).is_ok(), whole.contains(&cut), "cut at {cut}");
        }
        assert!(decode(Bytes::from_static(&[VERSION, 9, 1, b'a', 0, 0])).is_err());
    }
}
