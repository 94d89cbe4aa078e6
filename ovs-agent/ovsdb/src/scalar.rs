//! The Rust types that stand for the atoms of the protocol.

use uuid::Uuid;

use crate::column::Scalar;
use crate::datum::{Atom, Real};
use crate::schema::AtomType;

impl Scalar for i64 {
    const KIND: AtomType = AtomType::Integer;

    fn from_atom(atom: &Atom) -> Option<Self> {
        match atom {
            Atom::Integer(value) => Some(*value),
            _ => None,
        }
    }

    fn into_atom(self) -> Atom {
        Atom::Integer(self)
    }

    fn zero() -> Self {
        0
    }
}

impl Scalar for Real {
    const KIND: AtomType = AtomType::Real;

    fn from_atom(atom: &Atom) -> Option<Self> {
        match atom {
            Atom::Real(value) => Some(*value),
            _ => None,
        }
    }

    fn into_atom(self) -> Atom {
        Atom::Real(self)
    }

    fn zero() -> Self {
        Real(0.0)
    }
}

impl Scalar for bool {
    const KIND: AtomType = AtomType::Boolean;

    fn from_atom(atom: &Atom) -> Option<Self> {
        match atom {
            Atom::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    fn into_atom(self) -> Atom {
        Atom::Boolean(self)
    }

    fn zero() -> Self {
        false
    }
}

impl Scalar for String {
    const KIND: AtomType = AtomType::String;

    fn from_atom(atom: &Atom) -> Option<Self> {
        match atom {
            Atom::Text(value) => Some(value.as_ref().to_owned()),
            _ => None,
        }
    }

    fn into_atom(self) -> Atom {
        Atom::Text(self.into_boxed_str())
    }

    fn zero() -> Self {
        String::new()
    }
}

impl Scalar for Uuid {
    const KIND: AtomType = AtomType::Uuid;

    fn from_atom(atom: &Atom) -> Option<Self> {
        match atom {
            Atom::Uuid(value) => Some(*value),
            _ => None,
        }
    }

    fn into_atom(self) -> Atom {
        Atom::Uuid(self)
    }

    fn zero() -> Self {
        Uuid::nil()
    }
}
