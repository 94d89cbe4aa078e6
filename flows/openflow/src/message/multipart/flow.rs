//! The flows of a switch, as it lists them (OpenFlow 1.5 sections 7.3.5.2 and 7.3.5.4).

use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::{Cookie, FlowFlags, GroupId, PortNo, TableId};
use crate::instruction::Instruction;
use crate::message::FlowStats;
use crate::message::codec::{Part, rest_of};
use crate::oxm::Match;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// Which flows are meant (`ofp_flow_stats_request`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowFilter {
    /// Those of this table, or of every table with [`TableId::ALL`].
    pub table: TableId,
    /// Those that output to this port, or anywhere with [`PortNo::ANY`].
    pub out_port: PortNo,
    /// Those that send to this group, or anywhere with [`GroupId::ANY`].
    pub out_group: GroupId,
    /// Those whose cookie has these bits...
    pub cookie: Cookie,
    /// ...under this mask; 0 filters nothing.
    pub cookie_mask: u64,
    /// Those that this match covers.
    pub matching: Match,
}

impl FlowFilter {
    /// Every flow.
    pub fn all() -> FlowFilter {
        FlowFilter::table(TableId::ALL)
    }

    /// The flows of one table.
    pub fn table(table: TableId) -> FlowFilter {
        FlowFilter {
            table,
            out_port: PortNo::ANY,
            out_group: GroupId::ANY,
            cookie: Cookie(0),
            cookie_mask: 0,
            matching: Match::new(),
        }
    }

    /// The flows, in every table, whose cookie has these bits under this mask.
    pub fn cookie(cookie: Cookie, cookie_mask: u64) -> FlowFilter {
        FlowFilter { cookie, cookie_mask, ..FlowFilter::all() }
    }
}

impl Part for FlowFilter {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        let table = TableId(r.u8()?);
        r.skip(3)?;
        let (out_port, out_group) = (PortNo(r.u32()?), GroupId(r.u32()?));
        r.skip(4)?;
        let (cookie, cookie_mask) = (Cookie(r.u64()?), r.u64()?);
        Ok(FlowFilter { table, out_port, out_group, cookie, cookie_mask, matching: Match::decode(r)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.table.0);
        w.zeros(3);
        w.u32(self.out_port.0);
        w.u32(self.out_group.0);
        w.zeros(4);
        w.u64(self.cookie.0);
        w.u64(self.cookie_mask);
        self.matching.encode(w);
    }
}

/// A flow on a switch (`ofp_flow_desc`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowDesc {
    /// The table it is in.
    pub table: TableId,
    /// Its priority.
    pub priority: u16,
    /// Seconds without a packet after which it goes; 0 for never.
    pub idle_timeout: u16,
    /// Seconds after which it goes; 0 for never.
    pub hard_timeout: u16,
    /// What else was asked when it was added.
    pub flags: FlowFlags,
    /// How important it is when the table is full.
    pub importance: u16,
    /// The controller's label.
    pub cookie: Cookie,
    /// Which packets it is for.
    pub matching: Match,
    /// What it has counted.
    pub stats: FlowStats,
    /// What happens to the packets.
    pub instructions: Vec<Instruction>,
}

impl Part for FlowDesc {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (entry, mut body) = FlowEntry::head(r)?;
        let matching = Match::decode(&mut body)?;
        let stats = FlowStats::decode(&mut body, src)?;
        let length = body.remaining();
        let instructions = Instruction::decode_list(&mut body, length)?;
        Ok(FlowDesc {
            table: entry.table,
            priority: entry.priority,
            idle_timeout: entry.idle_timeout,
            hard_timeout: entry.hard_timeout,
            flags: entry.flags,
            importance: entry.importance,
            cookie: entry.cookie,
            matching,
            stats,
            instructions,
        })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u32(0);
        w.u8(self.table.0);
        w.zeros(1);
        w.u16(self.priority);
        w.u16(self.idle_timeout);
        w.u16(self.hard_timeout);
        w.u16(self.flags.bits());
        w.u16(self.importance);
        w.u64(self.cookie.0);
        self.matching.encode(w);
        self.stats.encode(w);
        Instruction::encode_list(&self.instructions, w);
        w.patch_len(mark, mark);
    }
}

/// A flow on a switch, with what it is made of still as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowEntry<'a> {
    /// The table it is in.
    pub table: TableId,
    /// Its priority.
    pub priority: u16,
    /// Seconds without a packet after which it goes; 0 for never.
    pub idle_timeout: u16,
    /// Seconds after which it goes; 0 for never.
    pub hard_timeout: u16,
    /// What else was asked when it was added.
    pub flags: FlowFlags,
    /// How important it is when the table is full.
    pub importance: u16,
    /// The controller's label.
    pub cookie: Cookie,
    /// The fields of its match, without header and padding.
    pub match_fields: &'a [u8],
    /// Its counters, without padding.
    pub stats: &'a [u8],
    /// Its instructions.
    pub instructions: &'a [u8],
}

impl<'a> FlowEntry<'a> {
    /// Reads the match.
    ///
    /// # Errors
    /// What is wrong with it; offsets count from its first field.
    pub fn matching(&self) -> Result<Match, DecodeError> {
        Match::decode_fields(&mut Reader::new(self.match_fields))
    }

    /// Reads the counters.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn stats(&self) -> Result<FlowStats, DecodeError> {
        // Counters are few and small; the copy saves every caller from carrying the shared buffer along.
        let src = Bytes::copy_from_slice(self.stats);
        FlowStats::decode(&mut Reader::new(&src), &src)
    }

    /// Reads the instructions.
    ///
    /// # Errors
    /// What is wrong with them; offsets count from the first one.
    pub fn instructions(&self) -> Result<Vec<Instruction>, DecodeError> {
        Instruction::decode_list(&mut Reader::new(self.instructions), self.instructions.len())
    }

    fn decode(r: &mut Reader<'a>) -> Result<FlowEntry<'a>, DecodeError> {
        let (mut entry, mut body) = FlowEntry::head(r)?;
        let start = body.clone();
        body.skip(2)?;
        let length = usize::from(body.u16()?);
        let fields = length.checked_sub(4).ok_or(start.error(DecodeErrorKind::BadLength))?;
        entry.match_fields = body.bytes(fields)?;
        body.skip(length.next_multiple_of(8) - length)?;
        let stats = usize::from(body.peek_u16(2)?);
        entry.stats = body.bytes(stats)?;
        body.skip(stats.next_multiple_of(8) - stats)?;
        entry.instructions = body.rest();
        Ok(entry)
    }

    /// The fixed part of an entry, and a reader over what follows it in the entry.
    fn head(r: &mut Reader<'a>) -> Result<(FlowEntry<'a>, Reader<'a>), DecodeError> {
        let start = r.clone();
        let length = r.u16()?;
        let mut body = rest_of(r, &start, length)?;
        body.skip(2)?;
        let table = TableId(body.u8()?);
        body.skip(1)?;
        let entry = FlowEntry {
            table,
            priority: body.u16()?,
            idle_timeout: body.u16()?,
            hard_timeout: body.u16()?,
            flags: FlowFlags::from_bits_retain(body.u16()?),
            importance: body.u16()?,
            cookie: Cookie(body.u64()?),
            match_fields: &[],
            stats: &[],
            instructions: &[],
        };
        Ok((entry, body))
    }
}

/// The flows of an answer, one by one. After an error there are no more.
#[derive(Clone, Debug)]
pub struct FlowEntries<'a> {
    reader: Reader<'a>,
}

impl<'a> FlowEntries<'a> {
    /// Walks the body of an answer.
    pub fn over(body: &'a [u8]) -> FlowEntries<'a> {
        FlowEntries { reader: Reader::new(body) }
    }
}

impl<'a> Iterator for FlowEntries<'a> {
    type Item = Result<FlowEntry<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let entry = FlowEntry::decode(&mut self.reader);
        if entry.is_err() {
            self.reader.rest();
        }
        Some(entry)
    }
}
