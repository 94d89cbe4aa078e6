//! How the sled engine keeps large values: in pieces, so that no page of sled's ever grows into a blob file.
//!
//! A page that is larger than a quarter of a segment goes to a file of its own, which sled neither syncs nor removes in
//! step with its log; acknowledged data could be lost with it. A leaf holds about 16 entries, so entries are kept small.
//!
//! ```text
//! <key>                                 number of further pieces (2 bytes BE), then the first bytes of the value
//! p <key length, 2 bytes BE> <key> <piece, 2 bytes BE>      the bytes that follow
//! ```

use std::{collections::BTreeMap, ops::Bound};

use bytes::{Bytes, BytesMut};

use crate::{
    error::{Damage, StoreError},
    layout::Stretch,
    medium::Write,
    record::after_prefix,
};

/// The most bytes of a value in one piece.
pub(crate) const PIECE_BYTES: usize = 16 * 1024;
const COUNT_BYTES: usize = 2;
/// Starts the keys of further pieces; no logical key starts with it.
const PIECE: &[u8] = b"p";

/// Reads one physical key.
pub(crate) type Get<'a> = &'a dyn Fn(&[u8]) -> Result<Option<sled::IVec>, StoreError>;

/// What writing these does to each key: of several writes to one key, the last one stands.
pub(crate) fn effects(writes: Vec<Write>) -> BTreeMap<Vec<u8>, Option<Bytes>> {
    let effect = |write| match write {
        Write::Put(key, value) => (key, Some(value)),
        Write::Delete(key) => (key, None),
    };
    writes.into_iter().map(effect).collect()
}

/// Adds to a batch what gives `key` this value, or none. `get` shows what is there before the batch.
pub(crate) fn plan(
    key: &[u8],
    value: Option<&Bytes>,
    get: Get<'_>,
    batch: &mut sled::Batch,
) -> Result<(), StoreError> {
    let before = match get(key)? {
        Some(head) => usize::from(split_head(&head)?.0),
        None => 0,
    };
    let Some(value) = value else {
        batch.remove(key);
        (1..=before).for_each(|n| batch.remove(piece_key(key, n)));
        return Ok(());
    };
    let first = value.len().min(PIECE_BYTES);
    let rest = value[first..].chunks(PIECE_BYTES);
    let count = u16::try_from(rest.len()).expect("values are limited to far fewer pieces");
    batch.insert(key, [&count.to_be_bytes(), &value[..first]].concat());
    (usize::from(count) + 1..=before).for_each(|n| batch.remove(piece_key(key, n)));
    (1..).zip(rest).for_each(|(n, piece)| batch.insert(piece_key(key, n), piece));
    Ok(())
}

/// Puts a value together from its head and its further pieces.
pub(crate) fn join(key: &[u8], head: &[u8], get: Get<'_>) -> Result<Bytes, StoreError> {
    let (count, first) = split_head(head)?;
    if count == 0 {
        return Ok(Bytes::copy_from_slice(first));
    }
    let mut value = BytesMut::from(first);
    for n in 1..=usize::from(count) {
        value.extend_from_slice(&get(&piece_key(key, n))?.ok_or(StoreError::Damaged(Damage::Engine))?);
    }
    Ok(value.freeze())
}

/// Reads everything and makes sure that every further piece belongs to a value: others would never be freed.
pub(crate) fn check(database: &sled::Db, get: Get<'_>) -> Result<(), StoreError> {
    for pair in database.iter() {
        let (key, head) = pair.map_err(|e| StoreError::Check(e.into()))?;
        let Some(rest) = key.strip_prefix(PIECE) else {
            join(&key, &head, get)?;
            continue;
        };
        let (owner, n) = split_piece_key(rest).ok_or(StoreError::Damaged(Damage::UnknownKey))?;
        let head = get(owner)?.ok_or(StoreError::Damaged(Damage::Engine))?;
        if n > split_head(&head)?.0 {
            return Err(StoreError::Damaged(Damage::Engine));
        }
    }
    Ok(())
}

/// The stretches before and after all further pieces.
pub(crate) fn around() -> (Stretch, Stretch) {
    let after = after_prefix(PIECE).expect("the prefix is not all 0xff");
    ((Bound::Unbounded, Bound::Excluded(PIECE.to_vec())), (Bound::Included(after), Bound::Unbounded))
}

fn split_piece_key(rest: &[u8]) -> Option<(&[u8], u16)> {
    let (length, rest) = rest.split_first_chunk()?;
    let (owner, n) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((owner, u16::from_be_bytes(n.try_into().ok()?)))
}

fn split_head(head: &[u8]) -> Result<(u16, &[u8]), StoreError> {
    let (count, first) =
        head.split_first_chunk::<COUNT_BYTES>().ok_or(StoreError::Damaged(Damage::Engine))?;
    Ok((u16::from_be_bytes(*count), first))
}

fn piece_key(key: &[u8], n: usize) -> Vec<u8> {
    let length = u16::try_from(key.len()).expect("keys are limited to 1 KiB and a prefix");
    let n = u16::try_from(n).expect("the number of pieces was counted in 16 bits");
    [PIECE, &length.to_be_bytes(), key, &n.to_be_bytes()].concat()
}
