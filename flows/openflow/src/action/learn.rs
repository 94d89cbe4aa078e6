//! Adding flows made from the packet at hand (`nx_action_learn`, `nx_action_learn2`).

use super::nicira::zeros;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::{Cookie, TableId};
use crate::oxm::FieldHeader;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

bitflags::bitflags! {
    /// What else a learned flow does. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct LearnFlags: u16 {
        /// The learned flow says when it is removed.
        const SEND_FLOW_REM = 1 << 0;
        /// When this flow goes, what it learned goes too.
        const DELETE_LEARNED = 1 << 1;
        /// Store whether a flow could be learned.
        const WRITE_RESULT = 1 << 2;
        const _ = !0;
    }
}

/// Adds a flow made from the packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Learn {
    /// Idle timeout of the learned flow in seconds, 0 for none.
    pub idle_timeout: u16,
    /// Hard timeout of the learned flow in seconds, 0 for none.
    pub hard_timeout: u16,
    /// Its priority.
    pub priority: u16,
    /// Its cookie.
    pub cookie: Cookie,
    /// What else it does. `WRITE_RESULT` is taken from [`Learn::limit`] when encoding.
    pub flags: LearnFlags,
    /// Its table.
    pub table: TableId,
    /// Its idle timeout after a TCP connection ends, 0 for no change.
    pub fin_idle_timeout: u16,
    /// Its hard timeout after a TCP connection ends, 0 for no change.
    pub fin_hard_timeout: u16,
    /// The newer form: how many flows may be learned, and where to store whether one was.
    pub limit: Option<LearnLimit>,
    /// What the flow matches and does.
    pub specs: Vec<LearnSpec>,
}

/// How many flows may be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LearnLimit {
    /// How many flows may carry the learned cookie in the table; 0 for any number.
    pub max_flows: u32,
    /// The bit, as field and offset, that tells whether a flow was learned.
    pub result: Option<(FieldHeader, u16)>,
}

/// One thing that the learned flow matches or does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LearnSpec {
    /// How many bits, 1 to 1023.
    pub n_bits: u16,
    /// Where they come from.
    pub source: LearnSource,
    /// What becomes of them.
    pub target: LearnTarget,
}

/// Where the bits of a [`LearnSpec`] come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LearnSource {
    /// From a field of the packet, at this offset.
    Field(FieldHeader, u16),
    /// They are these, right-aligned in an even number of bytes.
    Value(Bytes),
}

/// What becomes of the bits of a [`LearnSpec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LearnTarget {
    /// The learned flow matches this field, at this offset, on them.
    Match(FieldHeader, u16),
    /// The learned flow loads them into this field, at this offset.
    Load(FieldHeader, u16),
    /// The learned flow outputs to the port of this number.
    Output,
}

const N_BITS: u16 = 0x3ff;
const SOURCE_VALUE: u16 = 1 << 13;
const TARGET: u16 = 3 << 11;
const TARGET_LOAD: u16 = 1 << 11;
const TARGET_OUTPUT: u16 = 2 << 11;

/// Bytes that an immediate value of so many bits takes.
fn value_len(n_bits: u16) -> usize {
    2 * usize::from(n_bits.div_ceil(16))
}

impl Learn {
    /// A learn action with the defaults that the text syntax has: table 1, no timeouts, the default
    /// priority, no limit.
    pub fn new(specs: Vec<LearnSpec>) -> Learn {
        Learn {
            idle_timeout: 0,
            hard_timeout: 0,
            priority: 0x8000,
            cookie: Cookie(0),
            flags: LearnFlags::default(),
            table: TableId(1),
            fin_idle_timeout: 0,
            fin_hard_timeout: 0,
            limit: None,
            specs,
        }
    }

    pub(super) fn decode(subtype: u16, r: &mut Reader<'_>) -> Result<Learn, DecodeError> {
        let mut learn = Learn::new(Vec::new());
        (learn.idle_timeout, learn.hard_timeout, learn.priority) = (r.u16()?, r.u16()?, r.u16()?);
        learn.cookie = Cookie(r.u64()?);
        let flags = LearnFlags::from_bits_retain(r.u16()?);
        learn.flags = flags - LearnFlags::WRITE_RESULT;
        learn.table = TableId(r.u8()?);
        zeros(r, 1)?;
        (learn.fin_idle_timeout, learn.fin_hard_timeout) = (r.u16()?, r.u16()?);
        let write_result = flags.contains(LearnFlags::WRITE_RESULT);
        if subtype == 45 {
            let (max_flows, offset) = (r.u32()?, r.u16()?);
            zeros(r, 2)?;
            let result = if write_result { Some((FieldHeader::decode(r)?, offset)) } else { None };
            if result.is_none() && offset != 0 {
                return Err(r.error(DecodeErrorKind::BadValue));
            }
            learn.limit = Some(LearnLimit { max_flows, result });
        } else if write_result {
            return Err(r.error(DecodeErrorKind::BadValue));
        }
        while let Some(spec) = LearnSpec::decode(r)? {
            learn.specs.push(spec);
        }
        Ok(learn)
    }

    pub(super) fn encode(&self, w: &mut Writer) -> u16 {
        for number in [self.idle_timeout, self.hard_timeout, self.priority] {
            w.u16(number);
        }
        w.u64(self.cookie.0);
        let result = self.limit.and_then(|limit| limit.result);
        let mut flags = self.flags - LearnFlags::WRITE_RESULT;
        flags.set(LearnFlags::WRITE_RESULT, result.is_some());
        w.u16(flags.bits());
        w.u8(self.table.0);
        w.u8(0);
        w.u16(self.fin_idle_timeout);
        w.u16(self.fin_hard_timeout);
        if let Some(limit) = self.limit {
            w.u32(limit.max_flows);
            w.u16(result.map_or(0, |(_, offset)| offset));
            w.u16(0);
            if let Some((field, _)) = result {
                field.encode(w);
            }
        }
        for spec in &self.specs {
            spec.encode(w);
        }
        if self.limit.is_some() { 45 } else { 16 }
    }
}

impl LearnSpec {
    /// The next spec, or `None` at the end or at the padding.
    fn decode(r: &mut Reader<'_>) -> Result<Option<LearnSpec>, DecodeError> {
        if r.is_empty() || r.peek_u16(0)? == 0 {
            return Ok(None);
        }
        let bad = r.error(DecodeErrorKind::BadValue);
        let header = r.u16()?;
        let n_bits = header & N_BITS;
        if n_bits == 0 || header & !(N_BITS | SOURCE_VALUE | TARGET) != 0 {
            return Err(bad);
        }
        let source = if header & SOURCE_VALUE != 0 {
            LearnSource::Value(Bytes::copy_from_slice(r.bytes(value_len(n_bits))?))
        } else {
            LearnSource::Field(FieldHeader::decode_short(r)?, r.u16()?)
        };
        let target = match header & TARGET {
            0 => LearnTarget::Match(FieldHeader::decode_short(r)?, r.u16()?),
            TARGET_LOAD => LearnTarget::Load(FieldHeader::decode_short(r)?, r.u16()?),
            TARGET_OUTPUT => LearnTarget::Output,
            _ => return Err(bad),
        };
        Ok(Some(LearnSpec { n_bits, source, target }))
    }

    fn encode(&self, w: &mut Writer) {
        let source = if matches!(self.source, LearnSource::Value(_)) { SOURCE_VALUE } else { 0 };
        let target = match self.target {
            LearnTarget::Match(..) => 0,
            LearnTarget::Load(..) => TARGET_LOAD,
            LearnTarget::Output => TARGET_OUTPUT,
        };
        w.u16(self.n_bits & N_BITS | source | target);
        match &self.source {
            LearnSource::Field(field, offset) => {
                field.encode_short(w);
                w.u16(*offset);
            }
            LearnSource::Value(value) => {
                let length = value_len(self.n_bits & N_BITS);
                let kept = &value[value.len().saturating_sub(length)..];
                w.zeros(length - kept.len());
                w.bytes(kept);
            }
        }
        if let LearnTarget::Match(field, offset) | LearnTarget::Load(field, offset) = self.target {
            field.encode_short(w);
            w.u16(offset);
        }
    }
}
