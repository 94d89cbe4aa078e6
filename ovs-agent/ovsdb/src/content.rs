//! The rows of a database, held once however many look at them.
//!
//! Rows stand in order in pieces of bounded size. A copy of the whole shares all pieces; a change makes one piece anew, so
//! that a session's replica and its watcher's mirror differ in what the watcher has not taken yet and share the rest.

use std::sync::Arc;

use uuid::Uuid;

use crate::packed::Packed;
use crate::plan::Plan;

/// The most rows in a piece: what a change has to copy.
const PIECE: usize = 64;

type Entry = (Uuid, Packed);

/// The rows of one table by identity.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    pieces: Arc<Vec<Arc<[Entry]>>>,
    rows: usize,
}

impl Shelf {
    /// A shelf of these rows, in any order; of two with the same identity the last one stays.
    pub(crate) fn of(mut rows: Vec<Entry>) -> Self {
        // Stable, so that later rows of one identity stand behind earlier ones.
        rows.sort_by_key(|row| row.0);
        rows.reverse();
        rows.dedup_by_key(|row| row.0);
        rows.reverse();
        let pieces = rows.chunks(PIECE).map(Arc::from).collect();
        Shelf { pieces: Arc::new(pieces), rows: rows.len() }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    pub(crate) fn get(&self, id: &Uuid) -> Option<&Packed> {
        let piece = self.pieces.get(self.piece_of(id))?;
        piece.binary_search_by(|(other, _)| other.cmp(id)).ok().map(|at| &piece[at].1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    /// Puts a row in its place, or takes it away; gives back what was there.
    pub(crate) fn put(&mut self, id: Uuid, row: Option<Packed>) -> Option<Packed> {
        let at = self.piece_of(&id);
        let piece: &[Entry] = self.pieces.get(at).map_or(&[], |piece| piece);
        let place = piece.binary_search_by(|(other, _)| other.cmp(&id));
        let before = place.ok().map(|place| piece[place].1.clone());
        if before.is_none() && row.is_none() {
            return None;
        }
        let (Ok(place) | Err(place)) = place;
        let rest = &piece[place + usize::from(before.is_some())..];
        let comes = usize::from(row.is_some());
        let made: Vec<Entry> = piece[..place]
            .iter()
            .cloned()
            .chain(row.map(|row| (id, row)))
            .chain(rest.iter().cloned())
            .collect();
        let new = made.chunks(if made.len() > PIECE { PIECE / 2 + 1 } else { PIECE }).map(Arc::from);
        let had = usize::from(!piece.is_empty());
        let new: Vec<Arc<[Entry]>> = new.collect();
        let pieces = Arc::make_mut(&mut self.pieces);
        pieces.splice(at..at + had, new);
        self.rows = self.rows + comes - usize::from(before.is_some());
        before
    }

    /// Where the piece stands that has a row or would get it.
    fn piece_of(&self, id: &Uuid) -> usize {
        self.pieces.partition_point(|piece| piece[0].0 <= *id).saturating_sub(1)
    }
}

/// The rows of each table of a plan, by the table's position in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content(pub(crate) Vec<Shelf>);

impl Content {
    pub(crate) fn of(plan: &Plan) -> Self {
        Content(vec![Shelf::default(); plan.layouts().len()])
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Shelf::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A shelf is an ordered map, a copy of it stays what it was, and no piece grows beyond its bound or stays empty.
        #[test]
        fn a_shelf_is_an_ordered_map(
            first in prop::collection::vec((0u128..400, any::<u8>()), 0..300),
            steps in prop::collection::vec((0u128..400, any::<Option<u8>>()), 0..300),
        ) {
            let row = |byte: u8| Packed::from([byte].as_slice());
            let rows = first.iter().map(|(id, byte)| (Uuid::from_u128(*id), row(*byte))).collect();
            let mut shelf = Shelf::of(rows);
            let mut map: BTreeMap<Uuid, Packed> =
                first.iter().map(|(id, byte)| (Uuid::from_u128(*id), row(*byte))).collect();
            for (id, byte) in steps {
                let id = Uuid::from_u128(id);
                let (old, copy) = (map.clone(), shelf.clone());
                let expected = match byte {
                    Some(byte) => map.insert(id, row(byte)),
                    None => map.remove(&id),
                };
                prop_assert_eq!(shelf.put(id, byte.map(row)), expected);
                prop_assert_eq!((shelf.len(), shelf.get(&id)), (map.len(), map.get(&id)));
                prop_assert!(copy.iter().map(|(id, row)| (id, row)).eq(&old));
            }
            prop_assert!(shelf.iter().map(|(id, row)| (id, row)).eq(&map));
            prop_assert!(shelf.pieces.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
        }
    }
}
