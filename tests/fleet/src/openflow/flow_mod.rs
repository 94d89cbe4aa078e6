//! Flow changes as they stand in a message (OpenFlow 1.5 section 7.3.4.2), and what a flow is made of.

use super::actions::{self, Named};
use super::error::Code;
use super::oxm::{self, Terms};
use super::wire::{u16_at, u32_at, u64_at};
use xxhash_rust::xxh3::xxh3_128;

/// Bytes of `ofp_flow_mod` between the header and the match.
pub const FIXED: usize = 40;
/// Any port or group.
pub const ANY: u32 = u32::MAX;
/// Flags that there are. A flow keeps them all, also those that only mean something to the add.
const FLAGS: u16 = 0b1_1111;
/// `OFPFF_CHECK_OVERLAP`.
pub const CHECK_OVERLAP: u16 = 1 << 1;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `OFPFC_ADD`
    Add,
    /// `OFPFC_MODIFY`
    Modify,
    /// `OFPFC_MODIFY_STRICT`
    ModifyStrict,
    /// `OFPFC_DELETE`
    Delete,
    /// `OFPFC_DELETE_STRICT`
    DeleteStrict,
}

/// A view of the message's bytes after the header.
#[derive(Debug, Clone, Copy)]
pub struct FlowMod<'a> {
    /// The bytes.
    pub body: &'a [u8],
}

/// What remains when everything that may be said in more than one way is said in one.
#[derive(Debug, Clone)]
pub struct Meaning {
    /// Hash of table, priority and match: two flows with the same cannot stand side by side.
    pub key: u128,
    /// Hash of everything about the flow.
    pub digest: u128,
    /// What its instructions name.
    pub named: Named,
}

impl<'a> FlowMod<'a> {
    /// Looks at the body of a message.
    ///
    /// # Errors
    /// When it is too short.
    pub fn new(body: &'a [u8]) -> Result<FlowMod<'a>, Code> {
        if body.len() < FIXED + 8 { Err(Code::BAD_LENGTH) } else { Ok(FlowMod { body }) }
    }

    /// The label, or the filter of labels.
    pub fn cookie(self) -> u64 {
        u64_at(self.body, 0)
    }

    /// Which bits of the label count as a filter.
    pub fn cookie_mask(self) -> u64 {
        u64_at(self.body, 8)
    }

    /// In which table.
    pub fn table(self) -> u8 {
        self.body[16]
    }

    /// What is done.
    ///
    /// # Errors
    /// When it is unknown.
    pub fn command(self) -> Result<Command, Code> {
        Ok(match self.body[17] {
            0 => Command::Add,
            1 => Command::Modify,
            2 => Command::ModifyStrict,
            3 => Command::Delete,
            4 => Command::DeleteStrict,
            _ => return Err(Code::FLOW_COMMAND),
        })
    }

    /// True for an add: the one command whose bytes are worth remembering.
    pub fn is_add(self) -> bool {
        self.body[17] == 0
    }

    /// Seconds without a packet, then seconds at all.
    pub fn timeouts(self) -> (u16, u16) {
        (u16_at(self.body, 18), u16_at(self.body, 20))
    }

    /// Which of several matching flows wins.
    pub fn priority(self) -> u16 {
        u16_at(self.body, 22)
    }

    /// A filter of deletions.
    pub fn out_port(self) -> u32 {
        u32_at(self.body, 28)
    }

    /// A filter of deletions.
    pub fn out_group(self) -> u32 {
        u32_at(self.body, 32)
    }

    /// What else is asked.
    pub fn flags(self) -> u16 {
        u16_at(self.body, 36)
    }

    /// The flags that the flow keeps.
    pub fn kept_flags(self) -> u16 {
        self.flags() & FLAGS
    }

    /// Which flows are evicted first.
    pub fn importance(self) -> u16 {
        u16_at(self.body, 38)
    }

    /// The fields of the match, and the instructions.
    ///
    /// # Errors
    /// When they are cut off.
    pub fn parts(self) -> Result<(&'a [u8], &'a [u8]), Code> {
        oxm::split(&self.body[FIXED..])
    }

    /// The terms of the match.
    ///
    /// # Errors
    /// When it is not a match.
    pub fn terms(self) -> Result<Terms, Code> {
        oxm::parse(self.parts()?.0)
    }

    /// Checks the whole message as Open vSwitch does when it decodes it.
    ///
    /// # Errors
    /// What Open vSwitch answers.
    pub fn check(self) -> Result<(Terms, Named), Code> {
        let (fields, instructions) = self.parts()?;
        let terms = oxm::parse(fields)?;
        let is_delete = matches!(self.body[17], 3 | 4);
        if self.table() == 0xff && !is_delete {
            return Err(Code::FLOW_TABLE);
        }
        self.command()?;
        let named = actions::check(instructions, self.table())?;
        if self.flags() & !FLAGS != 0 {
            return Err(Code::FLOW_FLAGS);
        }
        Ok((terms, named))
    }

    /// What the message means, if it is one that Open vSwitch takes.
    ///
    /// # Errors
    /// What Open vSwitch answers.
    pub fn meaning(self, scratch: &mut Vec<u8>) -> Result<Meaning, Code> {
        let (terms, named) = self.check()?;
        let key = place(self.table(), self.priority(), &terms, scratch);
        scratch.extend_from_slice(&self.body[0..8]);
        scratch.extend_from_slice(&self.body[18..22]);
        scratch.extend_from_slice(&self.kept_flags().to_be_bytes());
        scratch.extend_from_slice(&self.body[38..40]);
        actions::write_in_order(self.parts()?.1, scratch);
        Ok(Meaning { key, digest: xxh3_128(scratch), named })
    }
}

/// The body of a deletion of every flow, for those who meddle with a switch.
pub fn deleting_everything() -> Vec<u8> {
    meddling(0xff, 3, 0, 0)
}

/// The body of an add of a flow that matches everything and drops it, for those who meddle with a switch.
pub fn adding_drop(table: u8, priority: u16, cookie: u64) -> Vec<u8> {
    meddling(table, 0, priority, cookie)
}

fn meddling(table: u8, command: u8, priority: u16, cookie: u64) -> Vec<u8> {
    let mut body = cookie.to_be_bytes().to_vec();
    body.extend_from_slice(&[0; 8]);
    body.extend_from_slice(&[table, command, 0, 0, 0, 0]);
    body.extend_from_slice(&priority.to_be_bytes());
    // No buffer, any port, any group.
    body.extend_from_slice(&[0xff; 12]);
    body.extend_from_slice(&[0; 4]);
    // A match without fields.
    body.extend_from_slice(&[0, 1, 0, 4, 0, 0, 0, 0]);
    body
}

/// The hash of a place in a switch's tables: two flows with the same cannot stand side by side.
pub fn place(table: u8, priority: u16, terms: &Terms, scratch: &mut Vec<u8>) -> u128 {
    scratch.clear();
    scratch.push(table);
    scratch.extend_from_slice(&priority.to_be_bytes());
    terms.write(scratch);
    xxh3_128(scratch)
}
