//! Bundles: messages that take effect together or not at all (section 7.3.9, as Open vSwitch does it).

use super::depot::{Depot, FlowId};
use super::error::Code;
use super::flow_mod::FlowMod;
use super::groups::Change;
use super::wire::{HEADER, Reader, first_length, message, u16_at, u32_at};
use super::{BUNDLE_ADD, BUNDLE_CONTROL, FLOW_MOD, GROUP_MOD, PACKET_OUT, PORT_MOD};

/// One message that waits for the commit.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its transaction id.
    pub xid: u32,
    /// What it asks for.
    pub order: Order,
}

/// What a message in a bundle asks for.
#[derive(Debug, Clone)]
pub enum Order {
    /// A flow to add, with the flags of the message.
    Add(FlowId, u16),
    /// Another flow change: the body.
    Flows(Box<[u8]>),
    /// A group change: the body.
    Groups(Box<[u8]>),
    /// Something that has no effect here: a packet to send, a port's configuration.
    Nothing,
}

#[derive(Debug)]
struct Bundle {
    id: u32,
    flags: u16,
    closed: bool,
    waiting: Vec<Waiting>,
}

/// The bundles of a connection.
#[derive(Debug, Default)]
pub struct Bundles {
    all: Vec<Bundle>,
}

/// How many may be open at once; Open vSwitch has no limit, and no controller that works comes near this one.
const BUNDLES_MAX: usize = 4096;

impl Bundles {
    /// Puts a message into its bundle; opens the bundle if there is none.
    ///
    /// # Errors
    /// What Open vSwitch answers; the bundle is gone when it was closed or has other flags.
    pub fn add(&mut self, depot: &mut Depot, frame: &[u8]) -> Result<(), Code> {
        let mut reader = Reader::new(frame.get(HEADER..).unwrap_or_default());
        let place = reader.take(8).ok_or(Code::BAD_LENGTH)?;
        let (id, flags) = (u32_at(place, 0), u16_at(place, 6));
        let waiting = inner(depot, frame, reader.rest())?;
        // The bundle that was opened last is nearly always the one.
        let at = self.all.iter().rposition(|bundle| bundle.id == id);
        let at = match at {
            Some(at) => at,
            None => {
                self.open(id, flags)?;
                self.all.len() - 1
            }
        };
        let bundle = &mut self.all[at];
        if bundle.closed || bundle.flags != flags {
            let code = if bundle.closed { Code::BUNDLE_CLOSED } else { Code::BUNDLE_FLAGS };
            self.all.remove(at);
            return Err(code);
        }
        bundle.waiting.push(waiting);
        Ok(())
    }

    /// Opens a bundle.
    ///
    /// # Errors
    /// When there is one with this number already: it is gone then.
    pub fn open(&mut self, id: u32, flags: u16) -> Result<(), Code> {
        if let Some(at) = self.all.iter().position(|bundle| bundle.id == id) {
            self.all.remove(at);
            return Err(Code::BUNDLE_ID);
        }
        if self.all.len() >= BUNDLES_MAX {
            return Err(Code(17, 5));
        }
        self.all.push(Bundle { id, flags, closed: false, waiting: Vec::new() });
        Ok(())
    }

    /// Closes a bundle.
    ///
    /// # Errors
    /// When it is not there, closed already, or has other flags; in the latter cases it is gone.
    pub fn close(&mut self, id: u32, flags: u16) -> Result<(), Code> {
        let at = self.all.iter().position(|bundle| bundle.id == id).ok_or(Code::BUNDLE_ID)?;
        let bundle = &mut self.all[at];
        if bundle.closed || bundle.flags != flags {
            let code = if bundle.closed { Code::BUNDLE_CLOSED } else { Code::BUNDLE_FLAGS };
            self.all.remove(at);
            return Err(code);
        }
        bundle.closed = true;
        Ok(())
    }

    /// Takes a bundle away to commit it.
    ///
    /// # Errors
    /// When it is not there or has other flags; it is gone in any case.
    pub fn take(&mut self, id: u32, flags: u16) -> Result<Vec<Waiting>, Code> {
        let at = self.all.iter().rposition(|bundle| bundle.id == id).ok_or(Code::BUNDLE_ID)?;
        let bundle = self.all.remove(at);
        if bundle.flags == flags { Ok(bundle.waiting) } else { Err(Code::BUNDLE_FLAGS) }
    }

    /// Forgets a bundle.
    ///
    /// # Errors
    /// When it is not there.
    pub fn discard(&mut self, id: u32) -> Result<(), Code> {
        let at = self.all.iter().position(|bundle| bundle.id == id).ok_or(Code::BUNDLE_ID)?;
        self.all.remove(at);
        Ok(())
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.all = Vec::new();
    }
}

fn inner(depot: &mut Depot, frame: &[u8], rest: &[u8]) -> Result<Waiting, Code> {
    if rest.len() < HEADER {
        return Err(Code::BUNDLE_MESSAGE_LENGTH);
    }
    if rest[0] != frame[0] {
        return Err(Code::BUNDLE_MESSAGE_VERSION);
    }
    let length = first_length(rest).ok().flatten().filter(|length| *length <= rest.len());
    let Some(length) = length else { return Err(Code::BUNDLE_MESSAGE_LENGTH) };
    let (kind, body) = (rest[1], &rest[HEADER..length]);
    let xid = u32_at(rest, 4);
    if xid != u32_at(frame, 4) {
        return Err(Code::BUNDLE_MESSAGE_XID);
    }
    let order = match kind {
        FLOW_MOD => {
            let change = FlowMod::new(body)?;
            if change.is_add() {
                Order::Add(depot.flow(change)?, change.flags())
            } else {
                change.check()?;
                Order::Flows(body.into())
            }
        }
        GROUP_MOD => {
            Change::parse(body)?;
            Order::Groups(body.into())
        }
        PACKET_OUT | PORT_MOD => Order::Nothing,
        _ => return Err(Code::BUNDLE_MESSAGE_UNSUPPORTED),
    };
    Ok(Waiting { xid, order })
}

/// The bundle-add that a waiting message came in, as far as an error quotes it.
pub fn quoted(depot: &Depot, waiting: &Waiting, (bundle, flags): (u32, u16)) -> Vec<u8> {
    let (kind, body): (u8, &[u8]) = match &waiting.order {
        Order::Add(flow, _) => (FLOW_MOD, depot.bytes(*flow).body),
        Order::Flows(body) => (FLOW_MOD, body),
        Order::Groups(body) => (GROUP_MOD, body),
        Order::Nothing => (PACKET_OUT, &[]),
    };
    let mut out = Vec::new();
    message(&mut out, BUNDLE_ADD, waiting.xid, |out| {
        out.extend_from_slice(&bundle.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&flags.to_be_bytes());
        message(out, kind, waiting.xid, |out| out.extend_from_slice(body));
    });
    out
}

/// Writes the answer to a bundle control message.
pub fn write_reply(out: &mut Vec<u8>, xid: u32, bundle: u32, command: u16) {
    message(out, BUNDLE_CONTROL, xid, |out| {
        out.extend_from_slice(&bundle.to_be_bytes());
        out.extend_from_slice(&command.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
    });
}
