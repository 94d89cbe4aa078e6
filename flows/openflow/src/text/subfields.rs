//! Runs of bits such as `NXM_NX_REG0[0..15]`, both ways.

use super::error::{ParseError, ParseErrorKind};
use super::values::parse_int;
use crate::action::Subfield;
use crate::oxm::table;
use crate::oxm::{FieldHeader, FieldId};
use std::fmt::{self, Display, Formatter};

/// A field as subfields and `delete_field` name it.
pub(super) struct WireName(pub FieldHeader);

impl Display for WireName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let FieldId { class, number, experimenter } = self.0.id;
        // Open vSwitch prefers the old names wherever there is one.
        let id = table::nicira_twin(self.0.id).unwrap_or(self.0.id);
        match table::spec(id) {
            Some(spec) => f.write_str(&spec.wire_name()),
            None => write!(f, "<field {class:#x}:{number}:{experimenter:#x}>"),
        }
    }
}

impl Display for Subfield {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", WireName(self.field))?;
        let Subfield { offset, n_bits, .. } = *self;
        if *self == Subfield::whole(self.field) {
            f.write_str("[]")
        } else if n_bits == 1 {
            write!(f, "[{offset}]")
        } else {
            write!(f, "[{offset}..{}]", u32::from(offset) + u32::from(n_bits) - u32::from(n_bits > 0))
        }
    }
}

/// Reads a field and the bits of it, such as `reg0`, `NXM_NX_REG0[]`, `reg0[3]` or `reg0[0..15]`.
pub(super) fn parse_subfield(text: &str) -> Result<Subfield, ParseError> {
    let bad = || ParseErrorKind::BadValue.of(text);
    let (name, range) = match text.split_once('[') {
        Some((name, rest)) => (name, rest.strip_suffix(']').ok_or_else(bad)?),
        None => (text, ""),
    };
    let whole = Subfield::whole(parse_field(name)?);
    let (low, high): (u16, u16) = match range.split_once("..") {
        Some((low, high)) => (parse_int(low)?, parse_int(high)?),
        None if range.is_empty() => return Ok(whole),
        None => (parse_int(range)?, parse_int(range)?),
    };
    if low > high || high >= whole.n_bits {
        return Err(ParseErrorKind::OutOfRange.of(text));
    }
    Ok(Subfield { offset: low, n_bits: high - low + 1, ..whole })
}

/// Reads a field's name; the old Nicira form is preferred, as Open vSwitch prefers it here.
pub(super) fn parse_field(name: &str) -> Result<FieldHeader, ParseError> {
    // `in_port` without more is the 16-bit port, which only exists in the old form.
    let name = if name == "in_port" { "NXM_OF_IN_PORT" } else { name };
    let spec = table::by_name(name).ok_or_else(|| ParseErrorKind::UnknownField.of(name))?;
    let twin = table::nicira_twin(spec.id()).and_then(table::spec);
    Ok(twin.unwrap_or(spec).header())
}
