//! The encoded full state of network-wide scopes, kept for the next newcomer as far as a number of bytes allows.
//!
//! What is not here is compiled and encoded again, so this is only a matter of time, never of truth.

use std::collections::BTreeMap;
use std::sync::Arc;

use weft_compiler::Scope;

use crate::parcel::Parcel;

/// Full parcels by scope; the least recently used go first.
#[derive(Debug)]
pub struct Shelf {
    most: usize,
    bytes: usize,
    clock: u64,
    books: BTreeMap<Scope, Book>,
    by_use: BTreeMap<u64, Scope>,
}

#[derive(Debug)]
struct Book {
    parcels: Vec<Arc<Parcel>>,
    bytes: usize,
    used: u64,
}

impl Shelf {
    /// A shelf for at most so many bytes.
    pub fn new(most: usize) -> Shelf {
        Shelf { most, bytes: 0, clock: 0, books: BTreeMap::new(), by_use: BTreeMap::new() }
    }

    /// How many bytes are kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The full state of a scope, if it is here.
    pub fn get(&mut self, scope: Scope) -> Option<Vec<Arc<Parcel>>> {
        let book = self.books.get_mut(&scope)?;
        self.clock += 1;
        self.by_use.remove(&book.used);
        self.by_use.insert(self.clock, scope);
        book.used = self.clock;
        Some(book.parcels.clone())
    }

    /// Keeps the full state of a scope, and lets go of others if it takes their room.
    pub fn put(&mut self, scope: Scope, parcels: Vec<Arc<Parcel>>) {
        self.remove(scope);
        let bytes = parcels.iter().map(|parcel| parcel.footprint()).sum();
        if bytes > self.most {
            return;
        }
        self.clock += 1;
        self.by_use.insert(self.clock, scope);
        self.books.insert(scope, Book { parcels, bytes, used: self.clock });
        self.bytes += bytes;
        while self.bytes > self.most
            && let Some((_, oldest)) = self.by_use.first_key_value()
        {
            self.remove(*oldest);
        }
    }

    /// Forgets a scope that has changed or that nobody has any more.
    pub fn remove(&mut self, scope: Scope) {
        if let Some(book) = self.books.remove(&scope) {
            self.by_use.remove(&book.used);
            self.bytes -= book.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use weft_model::Vni;

    fn scope(n: u32) -> Scope {
        Scope::Network(Vni::new(n).unwrap())
    }

    fn book(bytes: usize) -> Vec<Arc<Parcel>> {
        vec![Arc::new(Parcel { bytes: Bytes::from(vec![0; bytes]), first: 1, commit: 3, messages: 1 })]
    }

    #[test]
    fn the_least_recently_used_goes_first_and_the_bound_holds() {
        let mut shelf = Shelf::new(1000);
        (1..=3).for_each(|n| shelf.put(scope(n), book(200)));
        assert!(shelf.get(scope(1)).is_some());
        shelf.put(scope(4), book(200));
        assert!(shelf.bytes() <= 1000);
        assert!(shelf.get(scope(2)).is_none() && shelf.get(scope(1)).is_some());
        shelf.put(scope(5), book(2000));
        assert!(shelf.get(scope(5)).is_none(), "what is larger than the shelf is not kept");
        (1..=5).for_each(|n| shelf.remove(scope(n)));
        assert_eq!((shelf.bytes(), shelf.by_use.len()), (0, 0));
    }
}
