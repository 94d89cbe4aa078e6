//! Flow monitors: telling a controller what changed (OpenFlow 1.5 section 7.3.5.19, as Open vSwitch does it).

use super::MULTIPART_REPLY;
use super::depot::{Depot, FlowId};
use super::error::Code;
use super::flow_mod::ANY;
use super::multipart::{MULTIPART_FLOW_MONITOR, Parts, write_match};
use super::tables::{Done, Filter, Reason, Tables};
use super::wire::{Reader, message, patch_length};
use super::{actions, oxm};

const INITIAL: u16 = 1 << 0;
const ADD: u16 = 1 << 1;
const REMOVED: u16 = 1 << 2;
const MODIFY: u16 = 1 << 3;
const INSTRUCTIONS: u16 = 1 << 4;
const NO_ABBREV: u16 = 1 << 5;
const ONLY_OWN: u16 = 1 << 6;

const EVENT_INITIAL: u16 = 0;
const EVENT_ADDED: u16 = 1;
const EVENT_REMOVED: u16 = 2;
const EVENT_MODIFIED: u16 = 3;
const EVENT_ABBREVIATED: u16 = 4;

/// One monitor.
#[derive(Debug, Clone)]
struct Monitor {
    id: u32,
    flags: u16,
    filter: Filter,
}

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// This connection: by requests with these transaction ids, each up to a number of changes.
    Own(&'a [(usize, u32)]),
    /// Somebody else, such as an operator with `ovs-ofctl`.
    Other,
}

/// The monitors of a connection.
#[derive(Debug, Default)]
pub struct Monitors {
    all: Vec<Monitor>,
}

impl Monitors {
    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Serves a request: any number of commands. The answer lists the flows that are there at the start.
    ///
    /// # Errors
    /// What Open vSwitch answers; monitors that the same request started are stopped again.
    pub fn request(
        &mut self,
        body: &[u8],
        (depot, tables): (&Depot, &Tables),
        xid: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Code> {
        let mut started = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            if let Err(code) = self.command(&mut rest, &mut started) {
                self.all.retain(|monitor| !started.contains(&monitor.id));
                return Err(code);
            }
        }
        let mut parts = Parts::start(out, MULTIPART_FLOW_MONITOR, xid);
        let new = || self.all.iter().filter(|m| started.contains(&m.id) && m.flags & INITIAL != 0);
        for flow in tables.flows() {
            let flags =
                new().filter(|m| tables.takes(depot, &m.filter, flow)).fold(0, |sum, m| sum | m.flags);
            if flags != 0 {
                parts.entry(out, |out| write_full(depot, flow, (EVENT_INITIAL, 0), flags, out));
            }
        }
        Ok(())
    }

    fn command(&mut self, rest: &mut &[u8], started: &mut Vec<u32>) -> Result<(), Code> {
        let mut reader = Reader::new(rest);
        let fixed = reader.take(16).ok_or(Code::BAD_LENGTH)?;
        let word = |at: usize| super::wire::u32_at(fixed, at);
        let (id, flags) = (word(0), super::wire::u16_at(fixed, 12));
        let (table, command) = (fixed[14], fixed[15]);
        let known = INITIAL | ADD | REMOVED | MODIFY | INSTRUCTIONS | ONLY_OWN;
        // Open vSwitch does not take NO_ABBREV in OpenFlow 1.5, although the specification has it.
        debug_assert!(known & NO_ABBREV == 0);
        if command != 2 && (flags & (ADD | REMOVED | MODIFY) == 0 || flags & !known != 0) {
            return Err(Code::MONITOR_FLAGS);
        }
        let (fields, after) = oxm::split(reader.rest())?;
        let terms = oxm::parse(fields)?;
        *rest = after;
        if command != 2 && table != 0xff && table >= actions::TABLES {
            return Err(Code::BAD_REQUEST_TABLE);
        }
        let at = self.all.iter().position(|monitor| monitor.id == id);
        match (command, at) {
            (0, Some(_)) => return Err(Code::MONITOR_EXISTS),
            (1 | 2, None) => return Err(Code::MONITOR_UNKNOWN),
            (1 | 2, Some(at)) => {
                self.all.remove(at);
            }
            (0, None) => {}
            _ => return Err(Code::MONITOR_COMMAND),
        }
        if command != 2 {
            let filter = Filter { table, cookie: 0, mask: 0, out_port: word(4), out_group: word(8), terms };
            self.all.push(Monitor { id, flags, filter });
            started.push(id);
        }
        Ok(())
    }

    /// Stops a monitor (Nicira's message).
    ///
    /// # Errors
    /// When there is none with this number.
    pub fn cancel(&mut self, id: u32) -> Result<(), Code> {
        let at = self.all.iter().position(|monitor| monitor.id == id).ok_or(Code::MONITOR_UNKNOWN)?;
        self.all.remove(at);
        Ok(())
    }

    /// Tells what was changed.
    pub fn report(
        &self,
        (depot, tables): (&Depot, &Tables),
        log: &[Done],
        origin: Origin<'_>,
        out: &mut Vec<u8>,
    ) {
        let mut updates = Vec::new();
        let mut abbreviated = false;
        for (index, done) in log.iter().enumerate() {
            let Some((flow, wanted, event)) = told(depot, done) else { continue };
            let takes = |m: &&Monitor| m.flags & wanted != 0 && tables.takes(depot, &m.filter, flow);
            let flags = self.all.iter().filter(takes).fold(0, |sum, m| sum | m.flags);
            if flags == 0 {
                continue;
            }
            match origin {
                Origin::Own(xids) if flags & ONLY_OWN == 0 => {
                    if !abbreviated {
                        let xid = xids.iter().find(|(end, _)| index < *end).map_or(0, |(_, xid)| *xid);
                        updates.push(abbreviation(xid));
                    }
                    abbreviated = true;
                }
                _ => {
                    let mut update = Vec::new();
                    write_full(depot, flow, event, flags, &mut update);
                    updates.push(update);
                }
            }
        }
        if !updates.is_empty() {
            let mut parts = Parts::start(out, MULTIPART_FLOW_MONITOR, 0);
            for update in updates {
                parts.entry(out, |out| out.extend_from_slice(&update));
            }
        }
    }
}

fn abbreviation(xid: u32) -> Vec<u8> {
    let mut update = vec![0, 8];
    update.extend_from_slice(&EVENT_ABBREVIATED.to_be_bytes());
    update.extend_from_slice(&xid.to_be_bytes());
    update
}

/// The flow that a change is about, the flag that asks for it, and event and reason.
fn told(depot: &Depot, done: &Done) -> Option<(FlowId, u16, (u16, u8))> {
    let Done::Flow { before, after, reason, .. } = done else { return None };
    match (before, after, reason) {
        // An add is told as such even where it replaces a flow, or changes nothing about it.
        (_, Some(flow), Reason::Add) => Some((*flow, ADD, (EVENT_ADDED, 0))),
        (Some(flow), None, _) => {
            let reason = if *reason == Reason::GroupDelete { 3 } else { 2 };
            Some((*flow, REMOVED, (EVENT_REMOVED, reason)))
        }
        // A modification that changes nothing is not told.
        (Some(old), Some(new), _) => {
            let differs = depot.summary(*old).1 != depot.summary(*new).1;
            differs.then_some((*new, MODIFY, (EVENT_MODIFIED, 0)))
        }
        (None, _, _) => None,
    }
}

fn write_full(depot: &Depot, flow: FlowId, (event, reason): (u16, u8), flags: u16, out: &mut Vec<u8>) {
    let flow = depot.bytes(flow);
    let mark = out.len();
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&event.to_be_bytes());
    out.extend_from_slice(&[flow.table(), reason]);
    // Idle timeout, hard timeout and priority stand together as in the message that made the flow.
    out.extend_from_slice(&flow.body[18..24]);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&flow.cookie().to_be_bytes());
    let (fields, instructions) = flow.parts().unwrap_or_default();
    write_match(fields, out);
    if flags & INSTRUCTIONS != 0 {
        actions::write_in_order(instructions, out);
    }
    patch_length(out, mark, mark);
}

/// A filter that takes every flow.
pub fn everything() -> Filter {
    Filter { table: 0xff, cookie: 0, mask: 0, out_port: ANY, out_group: ANY, terms: oxm::Terms::default() }
}

/// An update message with nothing in it: what a monitor's stop is answered with.
pub fn write_empty(xid: u32, out: &mut Vec<u8>) {
    message(out, MULTIPART_REPLY, xid, |out| out.extend_from_slice(&[0, 16, 0, 0, 0, 0, 0, 0]));
}
