//! Typed rows: what a table is, how its rows are named, and the macro that declares one.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use uuid::Uuid;

use crate::column::{Column, Scalar, Value, ValueFor};
use crate::datum::{Atom, Datum};
use crate::row::Row;
use crate::schema::{AtomType, ColumnType};

/// A table of the database and the struct that stands for one row of it. Declared by [`ovsdb_table!`](crate::ovsdb_table).
pub trait Table: Sized + Send + Sync + 'static {
    /// The table's name.
    const NAME: &'static str;
    /// The columns that the struct has.
    const COLUMNS: &'static [ColumnSpec];

    /// Reads a row; a column that is not there has its default.
    fn read(columns: &impl Columns) -> Self;

    /// Content for an insert or an update, to be filled with [`Record::set`].
    fn record() -> Record<Self> {
        Record { columns: BTreeMap::new(), marker: PhantomData }
    }
}

/// What the struct of a table expects of one column.
#[derive(Debug)]
pub struct ColumnSpec {
    /// The column's name.
    pub name: &'static str,
    /// Whether a server without it can't be worked with.
    pub required: bool,
    /// Whether a live column of that type can be read as the field's type.
    pub fits: fn(&ColumnType) -> bool,
}

/// Content by column, wherever it comes from.
pub trait Columns {
    /// The content of a column, if it is there.
    fn datum(&self, column: &str) -> Option<Cow<'_, Datum>>;
}

impl Columns for Row {
    fn datum(&self, column: &str) -> Option<Cow<'_, Datum>> {
        self.get(column).map(Cow::Owned)
    }
}

impl Columns for BTreeMap<String, Datum> {
    fn datum(&self, column: &str) -> Option<Cow<'_, Datum>> {
        self.get(column).map(Cow::Borrowed)
    }
}

/// Reads one field. Content of another kind can't come in: the schema was checked when the plan was made, and every
/// update is checked against the schema.
pub fn field<V: Value>(columns: &impl Columns, name: &str) -> V {
    columns.datum(name).and_then(|datum| V::read(&datum)).unwrap_or_else(V::absent)
}

/// Content for some columns of a `T`.
#[derive(Debug)]
pub struct Record<T> {
    pub(crate) columns: BTreeMap<&'static str, Datum>,
    marker: PhantomData<fn(T)>,
}

impl<T> Record<T> {
    /// With this column's content as well.
    #[must_use]
    pub fn set<V>(mut self, column: Column<T, V>, value: impl ValueFor<V>) -> Self {
        self.columns.insert(column.name(), value.datum());
        self
    }
}

/// The identity of a row of table `T`.
pub struct Id<T> {
    uuid: Uuid,
    marker: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// The row with this UUID.
    pub const fn new(uuid: Uuid) -> Self {
        Id { uuid, marker: PhantomData }
    }

    /// Its UUID.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, f)
    }
}

impl<T> Scalar for Id<T> {
    const KIND: AtomType = AtomType::Uuid;

    fn from_atom(atom: &Atom) -> Option<Self> {
        Uuid::from_atom(atom).map(Id::new)
    }

    fn into_atom(self) -> Atom {
        Atom::Uuid(self.uuid)
    }

    fn zero() -> Self {
        Id::new(Uuid::nil())
    }
}

/// A row that a transaction inserts, before the server has named it. Means nothing in another transaction.
#[derive(Debug)]
pub struct Fresh<T> {
    pub(crate) operation: usize,
    marker: PhantomData<fn() -> T>,
}

impl<T> Fresh<T> {
    pub(crate) fn new(operation: usize) -> Self {
        Fresh { operation, marker: PhantomData }
    }

    pub(crate) fn name(self) -> String {
        format!("row{}", self.operation)
    }
}

impl<T> Clone for Fresh<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Fresh<T> {}

/// Something that names a row of `T` inside a transaction.
pub trait Pointer<T> {
    /// How it is written.
    fn atom(self) -> Atom;
}

impl<T> Pointer<T> for Id<T> {
    fn atom(self) -> Atom {
        Atom::Uuid(self.uuid)
    }
}

impl<T> Pointer<T> for Fresh<T> {
    fn atom(self) -> Atom {
        Atom::Fresh(self.name().into_boxed_str())
    }
}

/// Declares a table: a struct with a public field per column, a function per column that names it in conditions,
/// inserts and mutations, and the [`Table`] implementation. `must` columns have to be in the live schema, `may` columns
/// read as their defaults where they are not. A field whose name is not the column's says so with `as "column"`.
///
/// ```
/// weft_ovsdb::ovsdb_table! {
///     /// A tap into a switch.
///     pub struct Mirror in "Mirror" {
///         /// Its name.
///         must name: String,
///         /// The VLAN that copies go to.
///         may output_vlan: Option<i64>,
///     }
/// }
/// use weft_ovsdb::Table;
/// let row = Mirror::record().set(Mirror::name(), "m0").set(Mirror::output_vlan(), 7);
/// ```
#[macro_export]
macro_rules! ovsdb_table {
    (
        $(#[$about:meta])*
        pub struct $table:ident in $name:literal {
            $( $(#[$note:meta])* $presence:ident $field:ident $(as $column:literal)? : $kind:ty ),* $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $table {
            $( $(#[$note])* pub $field: $kind, )*
        }

        impl $table {
            $(
                $(#[$note])*
                pub const fn $field() -> $crate::Column<$table, $kind> {
                    $crate::Column::new($crate::ovsdb_table!(@name $field $($column)?))
                }
            )*
        }

        impl $crate::Table for $table {
            const NAME: &'static str = $name;
            const COLUMNS: &'static [$crate::ColumnSpec] = &[
                $( $crate::ColumnSpec {
                    name: $crate::ovsdb_table!(@name $field $($column)?),
                    required: $crate::ovsdb_table!(@required $presence),
                    fits: <$kind as $crate::Value>::fits,
                }, )*
            ];

            fn read(columns: &impl $crate::Columns) -> Self {
                $table { $( $field: $crate::field(columns, $crate::ovsdb_table!(@name $field $($column)?)), )* }
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $column:literal) => { $column };
    (@required must) => { true };
    (@required may) => { false };
}
