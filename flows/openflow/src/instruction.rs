//! What a flow does with a packet that it matches (OpenFlow 1.5 section 5.5, `ofp_instruction_*`).

use crate::action::Action;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::{MeterId, TableId};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// One instruction of a flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Instruction {
    /// Go on in a later table (type 1).
    GotoTable(TableId),
    /// Set bits of the metadata (type 2).
    WriteMetadata {
        /// The bits' values.
        metadata: u64,
        /// The bits that change.
        mask: u64,
    },
    /// Merge these into the action set, which runs at the end (type 3).
    WriteActions(Vec<Action>),
    /// Do these now (type 4).
    ApplyActions(Vec<Action>),
    /// Empty the action set (type 5).
    ClearActions,
    /// Measure by this meter (type 6, before OpenFlow 1.5; later it is an action).
    Meter(MeterId),
    /// Tell the controller when statistics pass thresholds (type 7).
    StatTrigger {
        /// `ofp_stat_trigger_flags`.
        flags: u32,
        /// The thresholds: an `ofp_stats` structure with its padding, as sent.
        thresholds: Bytes,
    },
    /// An instruction that is not known, or not written the way it should be.
    Raw(RawInstruction),
}

/// An instruction kept as the bytes that it came as.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawInstruction {
    /// Its type; 0xffff is an experimenter's.
    pub kind: u16,
    /// Everything after type and length.
    pub body: Bytes,
}

impl Instruction {
    /// Reads instructions that fill the next `len` bytes.
    ///
    /// # Errors
    /// `BadLength` when an instruction's length does not fit; errors of the actions inside.
    pub fn decode_list(r: &mut Reader<'_>, len: usize) -> Result<Vec<Instruction>, DecodeError> {
        let mut list = r.sub(len)?;
        let mut out = Vec::new();
        while !list.is_empty() {
            out.push(decode_one(&mut list)?);
        }
        Ok(out)
    }

    /// Writes instructions one after the other.
    pub fn encode_list(instructions: &[Instruction], w: &mut Writer) {
        for instruction in instructions {
            instruction.encode(w);
        }
    }

    /// Writes this instruction.
    pub fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u16(self.kind());
        w.u16(0);
        match self {
            Instruction::GotoTable(table) => {
                w.u8(table.0);
                w.zeros(3);
            }
            Instruction::WriteMetadata { metadata, mask } => {
                w.zeros(4);
                w.u64(*metadata);
                w.u64(*mask);
            }
            Instruction::WriteActions(actions) | Instruction::ApplyActions(actions) => {
                w.zeros(4);
                Action::encode_list(actions, w);
            }
            Instruction::ClearActions => w.zeros(4),
            Instruction::Meter(meter) => w.u32(meter.0),
            Instruction::StatTrigger { flags, thresholds } => {
                w.u32(*flags);
                w.bytes(thresholds);
                w.pad8(mark);
            }
            Instruction::Raw(raw) => w.bytes(&raw.body),
        }
        w.patch_len(mark + 2, mark);
    }

    fn kind(&self) -> u16 {
        match self {
            Instruction::GotoTable(_) => 1,
            Instruction::WriteMetadata { .. } => 2,
            Instruction::WriteActions(_) => 3,
            Instruction::ApplyActions(_) => 4,
            Instruction::ClearActions => 5,
            Instruction::Meter(_) => 6,
            Instruction::StatTrigger { .. } => 7,
            Instruction::Raw(raw) => raw.kind,
        }
    }
}

fn decode_one(list: &mut Reader<'_>) -> Result<Instruction, DecodeError> {
    let bad = list.error(DecodeErrorKind::BadLength);
    let kind = list.u16()?;
    let length = usize::from(list.u16()?);
    if length < 8 || !length.is_multiple_of(8) {
        return Err(bad);
    }
    let mut body = list.sub(length - 4).map_err(|_| bad)?;
    let raw = body.peek_rest();
    match kind {
        // The actions' own lengths must be right: a fault in them is a fault of the message.
        3 | 4 if body.peek_rest().starts_with(&[0; 4]) => {
            body.skip(4)?;
            let actions = Action::decode_list(&mut body, length - 8)?;
            Ok(if kind == 3 {
                Instruction::WriteActions(actions)
            } else {
                Instruction::ApplyActions(actions)
            })
        }
        _ => Ok(decode_body(kind, &mut body).unwrap_or_else(|_| {
            Instruction::Raw(RawInstruction { kind, body: Bytes::copy_from_slice(raw) })
        })),
    }
}

/// Reads the body of an instruction without actions; an error makes it a raw one.
fn decode_body(kind: u16, r: &mut Reader<'_>) -> Result<Instruction, DecodeError> {
    let out = match kind {
        1 => Instruction::GotoTable(TableId(r.u8()?)),
        2 => {
            if r.u32()? != 0 {
                return Err(r.error(DecodeErrorKind::BadValue));
            }
            Instruction::WriteMetadata { metadata: r.u64()?, mask: r.u64()? }
        }
        5 => Instruction::ClearActions,
        6 => Instruction::Meter(MeterId(r.u32()?)),
        7 => Instruction::StatTrigger { flags: r.u32()?, thresholds: Bytes::copy_from_slice(r.rest()) },
        _ => return Err(r.error(DecodeErrorKind::BadType)),
    };
    // More zeros than the padding would be lost on the way back, so that counts as unknown too.
    let padding = if matches!(kind, 1) { 3 } else { 0 } + if matches!(kind, 5) { 4 } else { 0 };
    if r.remaining() != padding {
        return Err(r.error(DecodeErrorKind::TrailingBytes));
    }
    r.finish_zeros()?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &[Instruction]) {
        let mut r = Reader::new(bytes);
        let decoded = Instruction::decode_list(&mut r, bytes.len()).unwrap();
        assert_eq!(decoded, expected);
        let mut w = Writer::new();
        Instruction::encode_list(&decoded, &mut w);
        assert_eq!(w.as_slice(), bytes);
    }

    #[test]
    fn instructions_survive_as_they_were_sent() {
        check(&[0, 1, 0, 8, 9, 0, 0, 0], &[Instruction::GotoTable(TableId(9))]);
        check(&[0, 5, 0, 8, 0, 0, 0, 0], &[Instruction::ClearActions]);
        check(&[0, 4, 0, 8, 0, 0, 0, 0], &[Instruction::ApplyActions(vec![])]);
        check(&[0, 6, 0, 8, 0, 0, 0, 5], &[Instruction::Meter(MeterId(5))]);
        let raw =
            |kind, body: &[u8]| Instruction::Raw(RawInstruction { kind, body: Bytes::copy_from_slice(body) });
        check(&[0, 99, 0, 8, 1, 2, 3, 4], &[raw(99, &[1, 2, 3, 4])]);
        check(&[0, 1, 0, 8, 9, 0, 0, 1], &[raw(1, &[9, 0, 0, 1])]);
        check(&[0, 5, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[raw(5, &[0; 12])]);
    }

    #[test]
    fn lengths_must_fit() {
        for bytes in [&[0, 1, 0, 4][..], &[0, 1, 0, 9, 0, 0, 0, 0, 0], &[0, 1, 0, 16, 0, 0, 0, 0]] {
            let error = Instruction::decode_list(&mut Reader::new(bytes), bytes.len()).unwrap_err();
            assert_eq!(error.kind, DecodeErrorKind::BadLength);
        }
    }
}
