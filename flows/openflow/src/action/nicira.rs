//! Nicira's experimenter actions: which subtype is which, and the small ones among them.

use super::openflow::padded;
use super::{Action, Bundle, Controller, Controller2, Ct, Encap, Learn, Multipath, Nat, Resubmit, Sample};
use super::{Subfield, Tuple};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::{PortNo, TableId};
use crate::oxm::{FieldHeader, FieldId};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// Bytes a remark takes on the wire: the action is a multiple of 8 and at least 16 bytes long, 10 of them
/// its header.
pub(super) fn note_len(length: usize) -> usize {
    (length + 10).next_multiple_of(8).max(16) - 10
}

/// Reads an experimenter's action from its experimenter id on.
pub(super) fn decode(mut r: Reader<'_>) -> Result<Action, DecodeError> {
    let total = r.remaining();
    if r.u32()? != FieldId::NICIRA {
        return Err(r.error(DecodeErrorKind::BadType));
    }
    let subtype = r.u16()?;
    // No action of Nicira's is shorter than 16 bytes; what is longer than it needs to be stays raw.
    let action = decode_body(subtype, &mut r)?;
    if r.remaining() > 0 && matches!(subtype, 5 | 17 | 27 | 28 | 32 | 43 | 48 | 49 | 50) {
        fixed(&mut r, subtype, total)?;
    } else {
        padded(&mut r, total)?;
    }
    Ok(action)
}

/// Actions whose size is fixed by a structure rather than by their contents.
fn fixed(r: &mut Reader<'_>, subtype: u16, total: usize) -> Result<(), DecodeError> {
    if total + 4 != fixed_len(subtype) {
        return Err(r.error(DecodeErrorKind::BadLength));
    }
    r.finish_zeros()
}

fn fixed_len(subtype: u16) -> usize {
    if matches!(subtype, 27 | 28 | 32 | 49 | 50) { 24 } else { 16 }
}

fn decode_body(subtype: u16, r: &mut Reader<'_>) -> Result<Action, DecodeError> {
    Ok(match subtype {
        1 | 14 | 44 => resubmit(subtype, r)?,
        2 => {
            zeros(r, 2)?;
            Action::SetTunnel(r.u32()?)
        }
        9 => {
            zeros(r, 6)?;
            Action::SetTunnel64(r.u64()?)
        }
        5 => Action::PopQueue,
        8 => Action::Note(Bytes::copy_from_slice(r.rest())),
        10 => Action::Multipath(Multipath::decode(r)?),
        12 | 13 => Action::Bundle(Bundle::decode(subtype, r)?),
        15 | 32 => output_reg(subtype, r)?,
        16 | 45 => Action::Learn(Box::new(Learn::decode(subtype, r)?)),
        17 => Action::Exit,
        19 => Action::FinTimeout { idle: r.u16()?, hard: r.u16()? },
        20 => Action::Controller(Controller::decode(r)?),
        21 => dec_ttl_cnt_ids(r)?,
        22 => {
            zeros(r, 6)?;
            Action::WriteMetadata { metadata: r.u64()?, mask: r.u64()? }
        }
        27 => Action::StackPush(stack(r)?),
        28 => Action::StackPop(stack(r)?),
        29 | 38 | 41 | 51 => Action::Sample(Box::new(Sample::decode(subtype, r)?)),
        34 => {
            let (clause, clauses) = (r.u8()?, r.u8()?);
            Action::Conjunction { id: r.u32()?, clause, clauses }
        }
        35 => Action::Ct(Box::new(Ct::decode(r)?)),
        36 => Action::Nat(Nat::decode(r)?),
        37 => Action::Controller2(Box::new(Controller2::decode(r)?)),
        39 => Action::OutputTrunc { port: PortNo::from_u16(r.u16()?), max_len: r.u32()? },
        42 => {
            zeros(r, 6)?;
            let length = r.remaining();
            let mut inner = r.nested(length)?;
            Action::Clone(Action::decode_list(&mut inner, length)?)
        }
        43 => Action::CtClear,
        46 => Action::Encap(Encap::decode(r)?),
        47 => {
            zeros(r, 2)?;
            Action::Decap(r.u32()?)
        }
        48 => Action::DecNshTtl,
        49 => {
            let (length, offset) = (r.u16()?, r.u16()?);
            Action::CheckPktLarger { length, dst: FieldHeader::decode(r)?, offset }
        }
        50 => Action::DeleteField(FieldHeader::decode(r)?),
        _ => return Err(r.error(DecodeErrorKind::BadType)),
    })
}

/// Requires `n` zero bytes.
pub(super) fn zeros(r: &mut Reader<'_>, n: usize) -> Result<(), DecodeError> {
    let bad = r.error(DecodeErrorKind::BadValue);
    if r.bytes(n)?.iter().any(|&byte| byte != 0) { Err(bad) } else { Ok(()) }
}

fn resubmit(subtype: u16, r: &mut Reader<'_>) -> Result<Action, DecodeError> {
    let port = PortNo::from_u16(r.u16()?);
    let table = if subtype == 1 { None } else { Some(TableId(r.u8()?)) };
    let tuple = if subtype == 44 { Tuple::Tracked } else { Tuple::Packet };
    Ok(Action::Resubmit(Resubmit { port, table, tuple }))
}

fn output_reg(subtype: u16, r: &mut Reader<'_>) -> Result<Action, DecodeError> {
    let (offset, n_bits) = Subfield::unpack(r.u16()?);
    if subtype == 15 {
        let field = FieldHeader::decode_short(r)?;
        let max_len = r.u16()?;
        zeros(r, 6)?;
        return Ok(Action::OutputReg { src: Subfield { field, offset, n_bits }, max_len });
    }
    let max_len = r.u16()?;
    let field = FieldHeader::decode(r)?;
    // A field that fits the older form would be written back in that form.
    if field.id.header_len() == 4 {
        return Err(r.error(DecodeErrorKind::BadValue));
    }
    Ok(Action::OutputReg { src: Subfield { field, offset, n_bits }, max_len })
}

fn dec_ttl_cnt_ids(r: &mut Reader<'_>) -> Result<Action, DecodeError> {
    let count = usize::from(r.u16()?);
    zeros(r, 4)?;
    let mut ids = r.sub(count * 2)?;
    let mut out = Vec::with_capacity(count);
    while !ids.is_empty() {
        out.push(ids.u16()?);
    }
    Ok(Action::DecTtlCntIds(out))
}

fn stack(r: &mut Reader<'_>) -> Result<Subfield, DecodeError> {
    let offset = r.u16()?;
    let field = FieldHeader::decode(r)?;
    Ok(Subfield { field, offset, n_bits: r.u16()? })
}

/// Writes the body of one of Nicira's actions, whose first byte is at `mark`.
pub(super) fn encode(action: &Action, w: &mut Writer, mark: usize) {
    w.u32(FieldId::NICIRA);
    let subtype_at = w.len();
    w.u16(0);
    let subtype = encode_body(action, w);
    w.patch_u16(subtype_at, subtype);
    w.pad_to(mark, fixed_len(subtype));
}

fn encode_body(action: &Action, w: &mut Writer) -> u16 {
    match action {
        Action::Resubmit(resubmit) => encode_resubmit(resubmit, w),
        Action::SetTunnel(id) => {
            w.zeros(2);
            w.u32(*id);
            2
        }
        Action::SetTunnel64(id) => {
            w.zeros(6);
            w.u64(*id);
            9
        }
        Action::PopQueue => 5,
        Action::Note(note) => {
            w.bytes(note);
            8
        }
        Action::Multipath(multipath) => multipath.encode(w),
        Action::Bundle(bundle) => bundle.encode(w),
        Action::OutputReg { src, max_len } => encode_output_reg(*src, *max_len, w),
        Action::Learn(learn) => learn.encode(w),
        Action::Exit => 17,
        Action::FinTimeout { idle, hard } => {
            w.u16(*idle);
            w.u16(*hard);
            19
        }
        Action::Controller(controller) => controller.encode(w),
        Action::Controller2(controller) => controller.encode(w),
        Action::Sample(sample) => sample.encode(w),
        Action::Ct(ct) => ct.encode(w),
        Action::Nat(nat) => nat.encode(w),
        Action::Encap(encap) => encap.encode(w),
        _ => encode_small(action, w),
    }
}

fn encode_small(action: &Action, w: &mut Writer) -> u16 {
    match action {
        Action::DecTtlCntIds(ids) => {
            w.u16(u16::try_from(ids.len()).unwrap_or(u16::MAX));
            w.zeros(4);
            for id in ids {
                w.u16(*id);
            }
            21
        }
        Action::WriteMetadata { metadata, mask } => {
            w.zeros(6);
            w.u64(*metadata);
            w.u64(*mask);
            22
        }
        Action::StackPush(subfield) => encode_stack(*subfield, w, 27),
        Action::StackPop(subfield) => encode_stack(*subfield, w, 28),
        Action::Conjunction { id, clause, clauses } => {
            w.u8(*clause);
            w.u8(*clauses);
            w.u32(*id);
            34
        }
        Action::OutputTrunc { port, max_len } => {
            w.u16(short_port(*port));
            w.u32(*max_len);
            39
        }
        Action::Clone(actions) => {
            w.zeros(6);
            Action::encode_list(actions, w);
            42
        }
        Action::CtClear => 43,
        Action::Decap(packet_type) => {
            w.zeros(2);
            w.u32(*packet_type);
            47
        }
        Action::DecNshTtl => 48,
        Action::CheckPktLarger { length, dst, offset } => {
            w.u16(*length);
            w.u16(*offset);
            dst.encode(w);
            49
        }
        Action::DeleteField(field) => {
            field.encode(w);
            50
        }
        // The standard actions never come here, and every other one is listed above.
        _ => 17,
    }
}

/// The 16-bit form of a port; a port that has none becomes "no port", which drops the packet.
pub(super) fn short_port(port: PortNo) -> u16 {
    port.to_u16().unwrap_or(0xffff)
}

fn encode_resubmit(resubmit: &Resubmit, w: &mut Writer) -> u16 {
    w.u16(short_port(resubmit.port));
    match (resubmit.table, resubmit.tuple) {
        (None, Tuple::Packet) => 1,
        (table, tuple) => {
            w.u8(table.unwrap_or(TableId::ALL).0);
            w.zeros(3);
            if tuple == Tuple::Tracked { 44 } else { 14 }
        }
    }
}

fn encode_output_reg(src: Subfield, max_len: u16, w: &mut Writer) -> u16 {
    w.u16(src.packed());
    if src.field.id.header_len() == 4 {
        src.field.encode(w);
        w.u16(max_len);
        w.zeros(6);
        return 15;
    }
    w.u16(max_len);
    src.field.encode(w);
    32
}

fn encode_stack(subfield: Subfield, w: &mut Writer, subtype: u16) -> u16 {
    w.u16(subfield.offset);
    subfield.field.encode(w);
    w.u16(subfield.n_bits);
    subtype
}
