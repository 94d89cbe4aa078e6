//! Typed columns: what may be read from, written to and asked of each.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use serde::Serialize;

use crate::datum::{Atom, Datum};
use crate::schema::{AtomType, ColumnType};
use crate::table::{Id, Pointer};

/// A column of table `T` whose content is a `V`.
#[derive(Debug)]
pub struct Column<T, V> {
    name: &'static str,
    marker: PhantomData<fn(T) -> V>,
}

impl<T, V> Clone for Column<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Column<T, V> {}

impl<T, V> Column<T, V> {
    /// The column with this name.
    pub const fn new(name: &'static str) -> Self {
        Column { name, marker: PhantomData }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.name
    }
}

impl<T, V: Value> Column<T, V> {
    /// Rows whose content is exactly this.
    pub fn equals(self, value: impl ValueFor<V>) -> Clause<T> {
        Clause::new(self.name, "==", value.datum())
    }

    /// Rows whose content is anything else.
    pub fn differs(self, value: impl ValueFor<V>) -> Clause<T> {
        Clause::new(self.name, "!=", value.datum())
    }

    /// Rows whose content has all of these elements.
    pub fn includes(self, value: impl ValueFor<V>) -> Clause<T> {
        Clause::new(self.name, "includes", value.datum())
    }

    /// Rows whose content has none of these elements.
    pub fn excludes(self, value: impl ValueFor<V>) -> Clause<T> {
        Clause::new(self.name, "excludes", value.datum())
    }
}

impl<T, S: Scalar> Column<T, BTreeSet<S>> {
    /// Adds elements; those already there stay.
    pub fn insert(self, values: impl ValueFor<BTreeSet<S>>) -> Mutations<T> {
        Mutations::one(self.name, "insert", values.datum())
    }

    /// Takes elements away; those not there are no error.
    pub fn delete(self, values: impl ValueFor<BTreeSet<S>>) -> Mutations<T> {
        Mutations::one(self.name, "delete", values.datum())
    }
}

impl<T, K: Scalar, V: Scalar> Column<T, BTreeMap<K, V>> {
    /// Sets keys to values, whether they were there or not, and leaves the other keys alone.
    pub fn put(self, pairs: impl ValueFor<BTreeMap<K, V>>) -> Mutations<T> {
        let pairs = pairs.datum();
        // The protocol's insert keeps the old value of a key that is there, so the key has to go first.
        let keys = match &pairs {
            Datum::Map(pairs) => Datum::set(pairs.iter().map(|(key, _)| key.clone())),
            Datum::Set(_) => Datum::Set(Vec::new()),
        };
        Mutations::one(self.name, "delete", keys).and(Mutations::one(self.name, "insert", pairs))
    }

    /// Takes keys away, whatever their values; those not there are no error.
    pub fn remove(self, keys: impl ValueFor<BTreeSet<K>>) -> Mutations<T> {
        Mutations::one(self.name, "delete", keys.datum())
    }
}

impl<T> Column<T, i64> {
    /// Adds to a number.
    pub fn increase(self, amount: i64) -> Mutations<T> {
        Mutations::one(self.name, "+=", Datum::scalar(Atom::Integer(amount)))
    }
}

/// A condition on one column of `T` (RFC 7047 section 5.1).
#[derive(Debug)]
pub struct Clause<T> {
    pub(crate) condition: Condition,
    marker: PhantomData<fn(T)>,
}

/// Column, function and argument, as they are sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Condition(&'static str, &'static str, Datum);

impl<T> Clause<T> {
    pub(crate) fn new(column: &'static str, function: &'static str, argument: Datum) -> Self {
        Clause { condition: Condition(column, function, argument), marker: PhantomData }
    }
}

impl<T> Clone for Clause<T> {
    fn clone(&self) -> Self {
        Clause { condition: self.condition.clone(), marker: PhantomData }
    }
}

/// Changes to the content of columns of a `T` that do not replace it (RFC 7047 section 5.1).
#[derive(Debug)]
pub struct Mutations<T> {
    pub(crate) steps: Vec<(&'static str, &'static str, Datum)>,
    marker: PhantomData<fn(T)>,
}

impl<T> Mutations<T> {
    /// These and then those.
    #[must_use]
    pub fn and(mut self, other: Mutations<T>) -> Self {
        self.steps.extend(other.steps);
        self
    }

    fn one(column: &'static str, mutator: &'static str, argument: Datum) -> Self {
        Mutations { steps: vec![(column, mutator, argument)], marker: PhantomData }
    }
}

/// What a column can hold.
pub trait Value: Sized {
    /// Whether a live column of this type can be read and written as `Self`.
    fn fits(kind: &ColumnType) -> bool;
    /// Reads a datum; nothing if it is of another kind.
    fn read(datum: &Datum) -> Option<Self>;
    /// Writes a datum.
    fn write(self) -> Datum;
    /// What a column reads as where the server does not have it.
    fn absent() -> Self;
}

/// What an element of a column can be.
pub trait Scalar: Sized + Ord + Clone {
    /// The type in the schema.
    const KIND: AtomType;
    /// Reads an atom; nothing if it is of another kind.
    fn from_atom(atom: &Atom) -> Option<Self>;
    /// Writes an atom.
    fn into_atom(self) -> Atom;
    /// The default of the protocol for this type.
    fn zero() -> Self;
}

impl<S: Scalar> Value for S {
    fn fits(kind: &ColumnType) -> bool {
        *kind == ColumnType::scalar(S::KIND)
    }

    fn read(datum: &Datum) -> Option<Self> {
        S::from_atom(datum.single()?)
    }

    fn write(self) -> Datum {
        Datum::scalar(self.into_atom())
    }

    fn absent() -> Self {
        S::zero()
    }
}

impl<S: Scalar> Value for Option<S> {
    fn fits(kind: &ColumnType) -> bool {
        kind.key == S::KIND && kind.value.is_none() && kind.max == 1
    }

    fn read(datum: &Datum) -> Option<Self> {
        match datum {
            Datum::Set(atoms) if atoms.is_empty() => Some(None),
            one => S::from_atom(one.single()?).map(Some),
        }
    }

    fn write(self) -> Datum {
        Datum::set(self.map(S::into_atom))
    }

    fn absent() -> Self {
        None
    }
}

impl<S: Scalar> Value for BTreeSet<S> {
    fn fits(kind: &ColumnType) -> bool {
        kind.key == S::KIND && kind.value.is_none()
    }

    fn read(datum: &Datum) -> Option<Self> {
        match datum {
            Datum::Set(atoms) => atoms.iter().map(S::from_atom).collect(),
            Datum::Map(_) => None,
        }
    }

    fn write(self) -> Datum {
        Datum::set(self.into_iter().map(S::into_atom))
    }

    fn absent() -> Self {
        BTreeSet::new()
    }
}

impl<K: Scalar, V: Scalar> Value for BTreeMap<K, V> {
    fn fits(kind: &ColumnType) -> bool {
        kind.key == K::KIND && kind.value == Some(V::KIND)
    }

    fn read(datum: &Datum) -> Option<Self> {
        match datum {
            Datum::Map(pairs) => {
                pairs.iter().map(|(key, value)| Some((K::from_atom(key)?, V::from_atom(value)?))).collect()
            }
            Datum::Set(_) => None,
        }
    }

    fn write(self) -> Datum {
        Datum::map(self.into_iter().map(|(key, value)| (key.into_atom(), value.into_atom())))
    }

    fn absent() -> Self {
        BTreeMap::new()
    }
}

/// Something that can be written where a `V` is expected: a `V`, or a handier spelling of one.
pub trait ValueFor<V> {
    /// What is written.
    fn datum(self) -> Datum;
}

impl<V: Value> ValueFor<V> for V {
    fn datum(self) -> Datum {
        self.write()
    }
}

impl ValueFor<String> for &str {
    fn datum(self) -> Datum {
        Datum::scalar(text(self))
    }
}

impl ValueFor<Option<String>> for &str {
    fn datum(self) -> Datum {
        Datum::scalar(text(self))
    }
}

impl<S: Scalar> ValueFor<Option<S>> for S {
    fn datum(self) -> Datum {
        Datum::scalar(self.into_atom())
    }
}

impl<const N: usize> ValueFor<BTreeSet<String>> for [&str; N] {
    fn datum(self) -> Datum {
        Datum::set(self.map(text))
    }
}

impl<const N: usize> ValueFor<BTreeMap<String, String>> for [(&str, &str); N] {
    fn datum(self) -> Datum {
        Datum::map(self.map(|(key, value)| (text(key), text(value))))
    }
}

impl<T, P: Pointer<T>, const N: usize> ValueFor<BTreeSet<Id<T>>> for [P; N] {
    fn datum(self) -> Datum {
        Datum::set(self.map(Pointer::atom))
    }
}

impl<T, P: Pointer<T>> ValueFor<BTreeSet<Id<T>>> for Vec<P> {
    fn datum(self) -> Datum {
        Datum::set(self.into_iter().map(Pointer::atom))
    }
}

fn text(value: &str) -> Atom {
    Atom::Text(value.into())
}
