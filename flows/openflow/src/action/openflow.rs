//! The standard actions, and the way to the experimenters' (`ofp_action_type`).

use super::{Action, CopyField, nicira};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::{GroupId, MeterId, PortNo};
use crate::oxm::OxmField;
use crate::wire::{Reader, Writer};

/// Type of every experimenter's action.
const EXPERIMENTER: u16 = 0xffff;

/// Reads the body of an action. An error makes it a raw one, so nothing is lost.
pub(super) fn decode(kind: u16, mut r: Reader<'_>) -> Result<Action, DecodeError> {
    let total = r.remaining();
    let action = match kind {
        EXPERIMENTER => return nicira::decode(r),
        0 => Action::Output { port: PortNo(r.u32()?), max_len: r.u16()? },
        11 => Action::CopyTtlOut,
        12 => Action::CopyTtlIn,
        15 => Action::SetMplsTtl(r.u8()?),
        16 => Action::DecMplsTtl,
        17 => Action::PushVlan(r.u16()?),
        18 => Action::PopVlan,
        19 => Action::PushMpls(r.u16()?),
        20 => Action::PopMpls(r.u16()?),
        21 => Action::SetQueue(r.u32()?),
        22 => Action::Group(GroupId(r.u32()?)),
        23 => Action::SetNwTtl(r.u8()?),
        24 => Action::DecNwTtl,
        25 => Action::SetField(OxmField::decode(&mut r)?),
        26 => Action::PushPbb(r.u16()?),
        27 => Action::PopPbb,
        28 => Action::CopyField(CopyField::decode(&mut r)?),
        29 => Action::Meter(MeterId(r.u32()?)),
        _ => return Err(r.error(DecodeErrorKind::BadType)),
    };
    padded(&mut r, total)?;
    Ok(action)
}

/// Requires that what is left of a body of `total` bytes is exactly its padding, and zero: only then does
/// writing the action again give the same bytes.
pub(super) fn padded(r: &mut Reader<'_>, total: usize) -> Result<(), DecodeError> {
    // Type and length, 4 bytes, stand in front of the body and count for the alignment.
    let used = 4 + total - r.remaining();
    if used.next_multiple_of(8) != 4 + total {
        return Err(r.error(DecodeErrorKind::TrailingBytes));
    }
    r.finish_zeros()
}

/// Writes the body of an action that began at `mark`, and returns its type.
pub(super) fn encode(action: &Action, w: &mut Writer, mark: usize) -> u16 {
    match action {
        Action::Output { port, max_len } => {
            w.u32(port.0);
            w.u16(*max_len);
            0
        }
        Action::CopyTtlOut => 11,
        Action::CopyTtlIn => 12,
        Action::SetMplsTtl(ttl) => byte(w, *ttl, 15),
        Action::DecMplsTtl => 16,
        Action::PushVlan(ethertype) => short(w, *ethertype, 17),
        Action::PopVlan => 18,
        Action::PushMpls(ethertype) => short(w, *ethertype, 19),
        Action::PopMpls(ethertype) => short(w, *ethertype, 20),
        Action::SetQueue(queue) => word(w, *queue, 21),
        Action::Group(group) => word(w, group.0, 22),
        Action::SetNwTtl(ttl) => byte(w, *ttl, 23),
        Action::DecNwTtl => 24,
        Action::SetField(field) => {
            field.encode(w);
            25
        }
        Action::PushPbb(ethertype) => short(w, *ethertype, 26),
        Action::PopPbb => 27,
        Action::CopyField(copy) => {
            copy.encode(w);
            28
        }
        Action::Meter(meter) => word(w, meter.0, 29),
        Action::Raw(raw) => {
            w.bytes(&raw.body);
            raw.kind
        }
        _ => {
            nicira::encode(action, w, mark);
            EXPERIMENTER
        }
    }
}

fn byte(w: &mut Writer, value: u8, kind: u16) -> u16 {
    w.u8(value);
    kind
}

fn short(w: &mut Writer, value: u16, kind: u16) -> u16 {
    w.u16(value);
    kind
}

fn word(w: &mut Writer, value: u32, kind: u16) -> u16 {
    w.u32(value);
    kind
}
