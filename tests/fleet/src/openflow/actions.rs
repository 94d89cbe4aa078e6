//! Instructions and actions: whether Open vSwitch would take them, and which groups, meters and ports they name.

use super::error::{Code, NICIRA};
use super::oxm;
use super::wire::{Reader, u16_at, u32_at};

/// What the instructions of a flow refer to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Groups that packets are sent to.
    pub groups: Vec<u32>,
    /// Meters that packets pass.
    pub meters: Vec<u32>,
    /// Ports that packets leave by.
    pub ports: Vec<u32>,
}

/// Tables that a switch has.
pub const TABLES: u8 = 254;
/// How deep actions may hold actions.
const DEPTH: u8 = 8;

const GOTO_TABLE: u16 = 1;
const WRITE_METADATA: u16 = 2;
const WRITE_ACTIONS: u16 = 3;
const APPLY_ACTIONS: u16 = 4;
const CLEAR_ACTIONS: u16 = 5;
const METER: u16 = 6;

/// Checks the instructions of a flow in this table.
///
/// # Errors
/// What Open vSwitch answers to instructions that it does not take.
pub fn check(instructions: &[u8], table: u8) -> Result<Named, Code> {
    let mut named = Named::default();
    let mut seen = 0u8;
    let mut goto = None;
    for part in Parts::over(instructions) {
        let (kind, body) = part.map_err(|()| Code::INSTRUCTION_LENGTH)?;
        let fits = match kind {
            GOTO_TABLE | METER => body.len() == 8,
            WRITE_METADATA => body.len() == 24,
            WRITE_ACTIONS | APPLY_ACTIONS | CLEAR_ACTIONS => true,
            0xffff => return Err(Code::INSTRUCTION_VENDOR),
            _ => return Err(Code::INSTRUCTION_UNKNOWN),
        };
        if !fits {
            return Err(Code::INSTRUCTION_LENGTH);
        }
        if seen & 1 << kind != 0 {
            return Err(Code::INSTRUCTION_TWICE);
        }
        seen |= 1 << kind;
        match kind {
            WRITE_ACTIONS | APPLY_ACTIONS => check_actions(&body[8..], DEPTH, &mut named)?,
            METER => named.meters.push(u32_at(body, 4)),
            GOTO_TABLE => goto = Some(body[4]),
            _ => {}
        }
    }
    match goto {
        // Open vSwitch lets a flow go to its hidden table 254.
        Some(next) if next == 0xff || (table != 0xff && next <= table) => Err(Code::INSTRUCTION_TABLE),
        _ => Ok(named),
    }
}

/// Checks a list of actions and notes what they name.
///
/// # Errors
/// What Open vSwitch answers to actions that it does not take.
pub fn check_actions(actions: &[u8], depth: u8, named: &mut Named) -> Result<(), Code> {
    if depth == 0 {
        return Err(Code::ACTION_LENGTH);
    }
    for part in Parts::over(actions) {
        let (kind, body) = part.map_err(|()| Code::ACTION_LENGTH)?;
        let length = match kind {
            0 => 16,
            15..=21 | 23 | 24 | 29 | 22 => 8,
            25 => {
                set_field(body)?;
                continue;
            }
            28 => continue,
            0xffff => {
                experimenter(body, depth, named)?;
                continue;
            }
            _ => return Err(Code::ACTION_TYPE),
        };
        if body.len() != length {
            return Err(Code::ACTION_LENGTH);
        }
        match kind {
            0 => named.ports.push(out_port(u32_at(body, 4))?),
            22 => named.groups.push(u32_at(body, 4)),
            29 => named.meters.push(u32_at(body, 4)),
            _ => {}
        }
    }
    Ok(())
}

/// A port that may be sent to; whether it exists does not matter.
fn out_port(port: u32) -> Result<u32, Code> {
    let known = port < 0xff00 || (0xffff_fff8..0xffff_ffff).contains(&port);
    if known { Ok(port) } else { Err(Code::ACTION_OUT_PORT) }
}

fn set_field(body: &[u8]) -> Result<(), Code> {
    let (class, rest, length) = (u16_at(body, 4), body[6], usize::from(body[7]));
    if class == 0xffff {
        // Fields of experimenters (NSH, ERSPAN, GTP-U) are taken unseen.
        return Ok(());
    }
    let size = oxm::size(oxm::Field { class, number: rest >> 1 }).ok_or(Code::ACTION_SET_LENGTH)?;
    if length != size * (1 + usize::from(rest & 1)) || body.len() != (8 + length).next_multiple_of(8) {
        return Err(Code::ACTION_SET_LENGTH);
    }
    Ok(())
}

fn experimenter(body: &[u8], depth: u8, named: &mut Named) -> Result<(), Code> {
    const ONF: u32 = 0x4f4e_4600;
    match (u32_at(body, 4), u16_at(body, 8)) {
        _ if body.len() < 16 => Err(Code::ACTION_LENGTH),
        // clone: the actions it holds follow its header.
        (NICIRA, 42) => check_actions(&body[16..], depth - 1, named),
        // ct: likewise, after a longer header.
        (NICIRA, 35) => check_actions(body.get(24..).ok_or(Code::ACTION_LENGTH)?, depth - 1, named),
        (NICIRA, 1 | 2 | 4..=10 | 12..=49) | (ONF, 3200) => Ok(()),
        (NICIRA | ONF, _) => Err(Code::ACTION_VENDOR_TYPE),
        _ => Err(Code::ACTION_VENDOR),
    }
}

/// Type-length-value parts whose lengths are multiples of eight, header included.
struct Parts<'a> {
    reader: Reader<'a>,
}

impl<'a> Parts<'a> {
    fn over(bytes: &'a [u8]) -> Parts<'a> {
        Parts { reader: Reader::new(bytes) }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Result<(u16, &'a [u8]), ()>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.reader.rest();
        if rest.is_empty() {
            return None;
        }
        let length = usize::from(u16_at(rest, 2));
        if length < 8 || length % 8 != 0 {
            self.reader = Reader::new(&[]);
            return Some(Err(()));
        }
        let body = self.reader.take(length);
        if body.is_none() {
            self.reader = Reader::new(&[]);
        }
        Some(body.map(|body| (u16_at(body, 0), body)).ok_or(()))
    }
}

/// Appends instructions as Open vSwitch gives them back: in the order in which they run, empty lists left out.
pub fn write_in_order(instructions: &[u8], out: &mut Vec<u8>) {
    for wanted in [METER, APPLY_ACTIONS, CLEAR_ACTIONS, WRITE_ACTIONS, WRITE_METADATA, GOTO_TABLE] {
        for (kind, body) in Parts::over(instructions).map_while(Result::ok) {
            let empty = body.len() == 8 && matches!(kind, WRITE_ACTIONS | APPLY_ACTIONS);
            if kind == wanted && !empty {
                out.extend_from_slice(body);
            }
        }
    }
}
