//! One simulated switch: takes OpenFlow messages and answers as Open vSwitch does.

use super::bundles::{Bundles, Order, Waiting, quoted, write_reply};
use super::counters::{Counters, KINDS};
use super::depot::Depot;
use super::digest::Digest;
use super::error::{Code, NICIRA, write_error};
use super::faults::{Echo, Faults, Refuse};
use super::flow_mod::FlowMod;
use super::groups::Change;
use super::monitors::{Monitors, Origin, write_empty};
use super::multipart::{MULTIPART_FLOW_MONITOR, View, answer};
use super::ports::{PortEvent, Ports};
use super::tables::{Done, Tables};
use super::wire::{HEADER, first_length, message, u16_at, u32_at, u64_at};
use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Role {
    #[default]
    Equal = 1,
    Primary = 2,
    Secondary = 3,
}

/// What belongs to the connection and ends with it.
#[derive(Debug, Default)]
struct Session {
    role: Role,
    /// Whether the controller has asked whose switch this is.
    known: bool,
    bundles: Bundles,
    monitors: Monitors,
    /// Flags and how much of a packet is sent up (`ofp_switch_config`).
    config: [u8; 4],
    /// Reasons by type of `ofp_async_config` property, as far as they were set.
    reasons: Vec<(u16, u32)>,
}

/// One message while it is served.
struct Exchange<'a> {
    session: &'a mut Session,
    depot: &'a mut Depot,
    /// The message, header and all.
    frame: &'a [u8],
    /// Where answers go.
    out: &'a mut Vec<u8>,
}

impl<'a> Exchange<'a> {
    fn xid(&self) -> u32 {
        u32_at(self.frame, 4)
    }

    fn body(&self) -> &'a [u8] {
        &self.frame[HEADER..]
    }
}

/// The switch.
#[derive(Debug)]
pub struct Switch {
    datapath_id: u64,
    ports: Ports,
    tables: Tables,
    /// The highest generation of a primary or secondary role; outlives connections.
    generation: Option<u64>,
    session: Option<Box<Session>>,
    faults: Faults,
    counters: Counters,
}

impl Switch {
    /// A bridge without flows.
    pub fn new(bridge: &str, datapath_id: u64) -> Switch {
        Switch {
            datapath_id,
            ports: Ports::of_bridge(bridge, datapath_id),
            tables: Tables::default(),
            generation: None,
            session: None,
            faults: Faults::default(),
            counters: Counters::default(),
        }
    }

    /// The connection is made: the switch says hello first.
    pub fn connected(&mut self, out: &mut Vec<u8>) {
        self.session = Some(Box::default());
        // A bitmap of OpenFlow 1.0, 1.3 and 1.5, which is what Weft sets on its bridges.
        message(out, HELLO, 1, |out| out.extend_from_slice(&[0, 1, 0, 8, 0, 0, 0, 0x52]));
    }

    /// The connection has ended, and with it bundles, monitors and the role.
    pub fn disconnected(&mut self) {
        self.session = None;
    }

    /// Takes one message and appends what is answered.
    pub fn handle(&mut self, depot: &mut Depot, frame: &[u8], out: &mut Vec<u8>) {
        self.counters.bytes += frame.len() as u64;
        let kind = frame.get(1).copied().unwrap_or(u8::MAX);
        self.counters.messages[usize::from(kind).min(KINDS - 1)] += 1;
        let mut session = self.session.take().unwrap_or_default();
        let outcome = if frame.len() < HEADER
            || first_length(frame) != Ok(Some(frame.len()))
            || !fits(kind, frame.len() - HEADER)
        {
            Err(Code::BAD_LENGTH)
        } else if frame[0] != 6 && kind != HELLO {
            Err(Code::BAD_VERSION)
        } else {
            self.serve(&mut Exchange { session: &mut session, depot, frame, out })
        };
        self.session = Some(session);
        if let Err(code) = outcome {
            self.counters.errors += 1;
            write_error(out, code, frame);
        }
    }

    fn serve(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Code> {
        let (kind, xid, body) = (exchange.frame[1], exchange.xid(), exchange.body());
        let changes = matches!(kind, FLOW_MOD | GROUP_MOD | METER_MOD | BUNDLE_CONTROL | BUNDLE_ADD)
            || matches!(kind, PACKET_OUT | PORT_MOD | TABLE_MOD);
        if changes && exchange.session.role == Role::Secondary {
            return Err(Code::IS_SECONDARY);
        }
        match kind {
            BUNDLE_ADD => exchange.session.bundles.add(exchange.depot, exchange.frame)?,
            FLOW_MOD | GROUP_MOD => self.change(exchange)?,
            BUNDLE_CONTROL => self.bundle_control(exchange)?,
            METER_MOD => self.change_meter(exchange)?,
            ECHO_REQUEST if self.faults.echo == Echo::Answered => {
                message(exchange.out, ECHO_REPLY, xid, |out| out.extend_from_slice(body));
            }
            HELLO | ERROR | ECHO_REQUEST | ECHO_REPLY | PACKET_OUT => {}
            BARRIER_REQUEST => message(exchange.out, BARRIER_REPLY, xid, |_| {}),
            FEATURES_REQUEST => {
                exchange.session.known = true;
                self.features(xid, exchange.out);
            }
            GET_CONFIG_REQUEST => {
                let config = &exchange.session.config;
                message(exchange.out, GET_CONFIG_REPLY, xid, |out| out.extend_from_slice(config));
            }
            SET_CONFIG => exchange.session.config = body.try_into().map_err(|_| Code::BAD_LENGTH)?,
            ROLE_REQUEST => self.change_role(exchange)?,
            SET_ASYNC => set_async(exchange.session, body)?,
            GET_ASYNC_REQUEST => message(exchange.out, GET_ASYNC_REPLY, xid, |out| {
                for (property, reasons) in &exchange.session.reasons {
                    out.extend_from_slice(&property.to_be_bytes());
                    out.extend_from_slice(&[0, 8]);
                    out.extend_from_slice(&reasons.to_be_bytes());
                }
            }),
            MULTIPART_REQUEST => self.multipart(exchange)?,
            EXPERIMENTER => self.experimenter(exchange)?,
            PORT_MOD | TABLE_MOD => self.counters.unsupported += 1,
            _ => return Err(Code::BAD_TYPE),
        }
        Ok(())
    }

    fn features(&self, xid: u32, out: &mut Vec<u8>) {
        message(out, FEATURES_REPLY, xid, |out| {
            out.extend_from_slice(&self.datapath_id.to_be_bytes());
            // No buffers, 254 tables, the main connection.
            out.extend_from_slice(&[0, 0, 0, 0, actions::TABLES, 0, 0, 0]);
            // Flow, table, port, group and queue statistics, and bundles: as Open vSwitch 3.1 says.
            out.extend_from_slice(&[0, 0, 2, 0x4f, 0, 0, 0, 0]);
        });
    }

    /// A flow or group change of its own.
    fn change(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Code> {
        let mut log = std::mem::take(&mut exchange.depot.log);
        log.clear();
        let (body, depot) = (exchange.body(), &mut *exchange.depot);
        let outcome = match exchange.frame[1] {
            FLOW_MOD => self.refuse().and_then(|()| {
                self.counters.flow_mods += 1;
                self.tables.change_flows(depot, FlowMod::new(body)?, &mut log)
            }),
            _ => {
                self.counters.group_mods += 1;
                Change::parse(body).and_then(|change| self.tables.change_groups(depot, &change, &mut log))
            }
        };
        let xid = exchange.xid();
        self.tell(exchange, &log, Origin::Own(&[(usize::MAX, xid)]));
        exchange.depot.log = log;
        outcome
    }

    /// Tells those who watch what was done.
    fn tell(&self, exchange: &mut Exchange<'_>, log: &[Done], origin: Origin<'_>) {
        let monitors = &exchange.session.monitors;
        if !monitors.is_empty() {
            monitors.report((&*exchange.depot, &self.tables), log, origin, exchange.out);
        }
    }

    /// The error of a switch that is told to refuse flow changes.
    fn refuse(&mut self) -> Result<(), Code> {
        match &mut self.faults.refuse {
            Refuse::Nothing => Ok(()),
            Refuse::Everything => Err(Code::TABLE_FULL),
            Refuse::After(0) => {
                self.faults.refuse = Refuse::Nothing;
                Err(Code::TABLE_FULL)
            }
            Refuse::After(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn bundle_control(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Code> {
        let frame = exchange.frame;
        if frame.len() < 16 {
            return Err(Code::BAD_LENGTH);
        }
        let (xid, id) = (u32_at(frame, 4), u32_at(frame, 8));
        let (command, flags) = (u16_at(frame, 12), u16_at(frame, 14));
        let bundles = &mut exchange.session.bundles;
        match command {
            0 => bundles.open(id, flags)?,
            2 => bundles.close(id, flags)?,
            4 => {
                let waiting = bundles.take(id, flags)?;
                self.commit(exchange, (waiting, id, flags))?;
            }
            6 => bundles.discard(id)?,
            _ => return Err(Code::BUNDLE_TYPE),
        }
        write_reply(exchange.out, xid, id, command + 1);
        Ok(())
    }

    fn commit(
        &mut self,
        exchange: &mut Exchange<'_>,
        (waiting, id, flags): (Vec<Waiting>, u32, u16),
    ) -> Result<(), Code> {
        let mut log = std::mem::take(&mut exchange.depot.log);
        log.clear();
        log.reserve(waiting.len());
        self.tables.reserve(waiting.len());
        let watched = !exchange.session.monitors.is_empty();
        let mut ends = Vec::new();
        let mut outcome = Ok(());
        for message in &waiting {
            if let Err(code) = self.carry_out(exchange.depot, &message.order, &mut log) {
                self.counters.errors += 1;
                write_error(exchange.out, code, &quoted(exchange.depot, message, (id, flags)));
                outcome = Err(Code::BUNDLE_MESSAGE_FAILED);
                break;
            }
            if watched {
                ends.push((log.len(), message.xid));
            }
        }
        if outcome.is_ok() && self.faults.failing_commits > 0 {
            self.faults.failing_commits -= 1;
            outcome = Err(Code::BUNDLE_MESSAGE_FAILED);
        }
        if outcome.is_err() {
            self.tables.undo(exchange.depot, &mut log);
            exchange.depot.watches.forget_flows();
        } else {
            self.counters.committed += 1;
            exchange.depot.watches.committed();
            self.tell(exchange, &log, Origin::Own(&ends));
        }
        exchange.depot.log = log;
        outcome
    }

    fn carry_out(&mut self, depot: &mut Depot, order: &Order, log: &mut Vec<Done>) -> Result<(), Code> {
        match order {
            Order::Add(flow, flags) => {
                self.refuse()?;
                self.counters.flow_mods += 1;
                self.tables.add(depot, *flow, *flags, log)
            }
            Order::Flows(body) => {
                self.refuse()?;
                self.counters.flow_mods += 1;
                self.tables.change_flows(depot, FlowMod::new(body)?, log)
            }
            Order::Groups(body) => {
                self.counters.group_mods += 1;
                self.tables.change_groups(depot, &Change::parse(body)?, log)
            }
            Order::Nothing => Ok(()),
        }
    }

    fn change_meter(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Code> {
        const ALL: u32 = 0xffff_ffff;
        let body = exchange.body();
        if body.len() < 8 {
            return Err(Code::BAD_LENGTH);
        }
        let (command, id) = (u16_at(body, 0), u32_at(body, 4));
        let exists = self.tables.meters_seen().contains_key(&id);
        match command {
            0 | 1 if !(1..=0xffff_0000).contains(&id) => return Err(Code::METER_INVALID),
            0 if exists => return Err(Code::METER_EXISTS),
            1 if !exists => return Err(Code::METER_UNKNOWN),
            0 | 1 => {
                self.tables.meters().insert(id, body.into());
            }
            2 => {
                let which: Vec<u32> = self.tables.meters_seen().keys().copied().collect();
                for id in which.into_iter().filter(|meter| id == ALL || *meter == id) {
                    let mut log = Vec::new();
                    self.tables.meters().remove(&id);
                    self.tables.delete_users_of_meter(exchange.depot, id, &mut log);
                    self.tell(exchange, &log, Origin::Other);
                }
            }
            _ => return Err(Code::METER_COMMAND),
        }
        Ok(())
    }

    fn change_role(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Code> {
        let (frame, session) = (exchange.frame, &mut *exchange.session);
        if frame.len() != 24 {
            return Err(Code::BAD_LENGTH);
        }
        let (wanted, generation) = (u32_at(frame, 8), u64_at(frame, 16));
        if matches!(wanted, 2 | 3) && generation != u64::MAX {
            // Open vSwitch compares distances, so that the counter may wrap.
            if self.generation.is_some_and(|newest| (generation.wrapping_sub(newest) as i64) < 0) {
                return Err(Code::ROLE_STALE);
            }
            self.generation = Some(generation);
        }
        session.role = match wanted {
            0 => session.role,
            1 => Role::Equal,
            2 => Role::Primary,
            3 => Role::Secondary,
            _ => return Err(Code::ROLE_BAD),
        };
        let role = session.role as u32;
        message(exchange.out, ROLE_REPLY, u32_at(frame, 4), |out| {
            out.extend_from_slice(&role.to_be_bytes());
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&self.generation.unwrap_or(u64::MAX).to_be_bytes());
        });
        Ok(())
    }

    fn multipart(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Code> {
        let Exchange { session, depot, frame, out } = exchange;
        if u16_at(frame, 8) == MULTIPART_FLOW_MONITOR && frame.len() >= 16 {
            let view = (&**depot, &self.tables);
            return session.monitors.request(&frame[16..], view, u32_at(frame, 4), out);
        }
        answer(View { depot, tables: &self.tables, ports: &self.ports }, frame, out)
    }

    fn experimenter(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Code> {
        let frame = exchange.frame;
        if frame.len() < 16 {
            return Err(Code::BAD_LENGTH);
        }
        if u32_at(frame, 8) != NICIRA {
            return Err(Code::BAD_VENDOR);
        }
        match u32_at(frame, 12) {
            // Packet-in format, controller id: nothing is ever sent up.
            16 | 20 => Ok(()),
            21 => {
                exchange.session.monitors.cancel(u32_at(frame, 16))?;
                write_empty(exchange.xid(), exchange.out);
                Ok(())
            }
            29 | 32 => {
                self.counters.conntrack_flushes += 1;
                Ok(())
            }
            24 | 25 | 28 => {
                self.counters.unsupported += 1;
                Err(Code::BAD_SUBTYPE)
            }
            _ => Err(Code::BAD_SUBTYPE),
        }
    }
}

/// Everything that happens without a message of the controller's.
impl Switch {
    /// A port comes or goes; the controller is told if it is connected.
    pub fn port(&mut self, event: PortEvent, number: u32, name: &str, out: &mut Vec<u8>) {
        if event == PortEvent::Added {
            self.ports.add(number, name);
        }
        if self.session.is_some() {
            self.ports.write_status(event, number, out);
        }
        if event == PortEvent::Deleted {
            self.ports.remove(number);
        }
    }

    /// The datapath id is another one now. A connection does not outlive that.
    pub fn set_datapath_id(&mut self, datapath_id: u64) {
        self.datapath_id = datapath_id;
    }

    /// True when there is a controller that has asked whose switch this is.
    pub fn is_known(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.known)
    }

    /// The datapath id.
    pub fn datapath_id(&self) -> u64 {
        self.datapath_id
    }

    /// Somebody changes flows behind the controller's back: the body of a flow change, as `ovs-ofctl` would send it.
    ///
    /// # Errors
    /// What Open vSwitch would answer to whoever it is.
    pub fn meddle(&mut self, depot: &mut Depot, body: &[u8], out: &mut Vec<u8>) -> Result<(), Code> {
        let mut log = Vec::new();
        let outcome = self.tables.change_flows(depot, FlowMod::new(body)?, &mut log);
        if let Some(mut session) = self.session.take() {
            let mut exchange = Exchange { session: &mut session, depot, frame: body, out };
            self.tell(&mut exchange, &log, Origin::Other);
            self.session = Some(session);
        }
        outcome
    }

    /// All flows, groups and meters are gone, as when a bridge gets its first controller or loses its last.
    pub fn flush(&mut self) {
        self.tables.clear();
    }

    /// All flows, groups and meters are gone, as after a restart of the daemon.
    pub fn restart(&mut self) {
        self.tables.clear();
        self.generation = None;
        self.session = None;
    }

    /// How it misbehaves from now on.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// What it was told.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What it holds, as numbers and hashes.
    pub fn digest(&self) -> Digest {
        self.tables.digest()
    }

    /// What it holds.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// About how many bytes it takes by itself.
    pub fn resident_bytes(&self) -> usize {
        size_of::<Switch>() + self.tables.resident_bytes() + self.ports.resident_bytes()
    }
}

/// True if a message of this type may have a body of so many bytes; a switch looks at that before anything else.
fn fits(kind: u8, body: usize) -> bool {
    match kind {
        FEATURES_REQUEST | GET_CONFIG_REQUEST | BARRIER_REQUEST | GET_ASYNC_REQUEST => body == 0,
        // What only switches send, packets, flows removed, requests forwarded: none of them is empty.
        FEATURES_REPLY | GET_CONFIG_REPLY | ROLE_REPLY | 10..=12 | 30..=32 => body > 0,
        _ => true,
    }
}

/// `ofp_async_config`: properties of a type and 32 bits.
fn set_async(session: &mut Session, body: &[u8]) -> Result<(), Code> {
    for property in body.chunks(8) {
        if property.len() != 8 || u16_at(property, 2) != 8 {
            return Err(Code(14, 1));
        }
        let (kind, reasons) = (u16_at(property, 0), u32_at(property, 4));
        match session.reasons.iter_mut().find(|(known, _)| *known == kind) {
            Some(known) => known.1 = reasons,
            None => session.reasons.push((kind, reasons)),
        }
    }
    Ok(())
}
