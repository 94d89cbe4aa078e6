//! The connection tracker of one switch: which connections it knows by zone, and what it says of a packet.
//!
//! As Open vSwitch's userspace tracker (`conntrack.c`), without time: connections do not expire, and a TCP connection is
//! established as soon as there was a packet of the other direction.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use weft_openflow::action::{CtFlags, Nat, NatFlags};
use weft_openflow::oxm;
use weft_openflow::oxm::ct_state_bit::{DNAT, EST, INV, NEW, RPL, SNAT, TRK};

use crate::packet::Packet;

/// The most connections that a zone holds; beyond that packets pass without being remembered, as on a switch.
const ZONE_LIMIT: usize = 10_000;

/// All connections that one switch knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tracker {
    zones: BTreeMap<u16, Vec<Connection>>,
    assumed: Option<VecDeque<u32>>,
}

/// One end to another: what a connection is told apart by within its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tuple {
    /// The protocol number.
    pub protocol: u8,
    /// The type of an ICMP echo; 0 for other protocols.
    pub kind: u8,
    /// Where it comes from.
    pub source: (IpAddr, u16),
    /// Where it goes.
    pub destination: (IpAddr, u16),
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// What its first packet was, before any translation.
    pub forward: Tuple,
    /// What answers look like when they arrive.
    pub reply: Tuple,
    /// Its mark.
    pub mark: u32,
    /// Its label.
    pub label: u128,
    /// Whether an answer has been seen.
    pub answered: bool,
}

/// What a packet asks of the tracker (`ct(...)`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub zone: u16,
    pub flags: CtFlags,
    pub nat: Option<&'a Nat>,
    /// What `exec` set, with the bits that it set.
    pub mark: (u32, u32),
    pub label: (u128, u128),
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Reply,
}

impl Tuple {
    /// The tuple of a packet; `None` for one that connections are not made of.
    pub fn of(packet: &Packet) -> Option<Tuple> {
        let (source, destination) = packet.addresses()?;
        let protocol = packet.protocol();
        let (kind, (from, to)) = match protocol {
            // An echo and its answer have the same identifier, and are told apart by their types.
            1 | 58 => (echo(packet)?, (packet.echo, packet.echo)),
            6 | 17 | 132 => (0, packet.ports()),
            _ => (0, (0, 0)),
        };
        Some(Tuple { protocol, kind, source: (source, from), destination: (destination, to) })
    }

    /// The tuple of an answer.
    #[must_use]
    pub fn reversed(self) -> Tuple {
        let kind = match (self.protocol, self.kind) {
            (1, kind) => 8 - kind.min(8),
            (58, 128) => 129,
            (58, _) => 128,
            _ => 0,
        };
        Tuple { protocol: self.protocol, kind, source: self.destination, destination: self.source }
    }
}

/// The type of an echo request or reply (RFC 792, RFC 4443 section 4); `None` for other messages.
fn echo(packet: &Packet) -> Option<u8> {
    let kind = u8::try_from(packet.ports().0).ok()?;
    let known = if packet.protocol() == 1 { [8, 0] } else { [128, 129] };
    known.contains(&kind).then_some(kind)
}

impl Connection {
    /// A connection that began with this packet, without translation, and was answered.
    pub fn established(first: Tuple) -> Connection {
        Connection { forward: first, reply: first.reversed(), mark: 0, label: 0, answered: true }
    }
}

impl Tracker {
    /// A tracker that says these states (`ct_state`) of the packets that come, whatever they are, and then `+trk+new`: as
    /// `ofproto/trace` does with `--ct-next`. It knows no connection, so what belongs to one is not translated back.
    pub fn assuming(states: impl IntoIterator<Item = u32>) -> Tracker {
        Tracker { zones: BTreeMap::new(), assumed: Some(states.into_iter().collect()) }
    }

    /// Remembers a connection.
    pub fn remember(&mut self, zone: u16, connection: Connection) {
        let connections = self.zones.entry(zone).or_default();
        if connections.len() < ZONE_LIMIT {
            connections.push(connection);
        }
    }

    /// The connections of a zone.
    pub fn connections(&self, zone: u16) -> &[Connection] {
        self.zones.get(&zone).map_or(&[], Vec::as_slice)
    }

    /// All connections with their zones.
    pub fn all(&self) -> impl Iterator<Item = (u16, &Connection)> {
        self.zones.iter().flat_map(|(zone, connections)| connections.iter().map(move |c| (*zone, c)))
    }

    /// Sends a packet through: sets its `ct_*` fields, translates its addresses, remembers the connection if asked to.
    pub(crate) fn track(&mut self, packet: &mut Packet, request: &Request<'_>) {
        if let Some(assumed) = &mut self.assumed {
            assume(packet, assumed.pop_front().unwrap_or(TRK | NEW), request);
            return;
        }
        packet.untrack();
        let Some(tuple) = Tuple::of(packet) else {
            set(packet, [oxm::ct_state(TRK | INV), oxm::ct_zone(request.zone)]);
            return;
        };
        let connections = self.zones.entry(request.zone).or_default();
        let mut found = find(connections, tuple);
        if let Some((at, Direction::Reply)) = found
            && request.flags.contains(CtFlags::FORCE)
        {
            connections.remove(at);
            found = None;
        }
        match found {
            Some((at, direction)) => known(&mut connections[at], direction, packet, request),
            None => unknown(connections, tuple, packet, request),
        }
    }
}

/// What is known of a packet by the action alone, whatever the state (`ofproto_trace_recirc_node`): mark and label as it sets
/// them, over those that the packet has, and the first address and port of a translation.
fn assume(packet: &mut Packet, state: u32, request: &Request<'_>) {
    set(packet, [oxm::ct_state(state), oxm::ct_zone(request.zone)]);
    let ((mark, mark_bits), (label, label_bits)) = (request.mark, request.label);
    set(packet, [oxm::ct_mark_masked(mark, mark_bits), oxm::ct_label_masked(label, label_bits)]);
    let Some(nat) = request.nat else { return };
    let (Some((mut source, mut destination)), (mut from, mut to)) = (packet.addresses(), packet.ports())
    else {
        return;
    };
    let address = nat.ipv4_min.map(IpAddr::V4).or(nat.ipv6_min.map(IpAddr::V6));
    for (flag, ip, port) in
        [(NatFlags::SRC, &mut source, &mut from), (NatFlags::DST, &mut destination, &mut to)]
    {
        if nat.flags.contains(flag) {
            *ip = address.unwrap_or(*ip);
            *port = nat.port_min.unwrap_or(*port);
        }
    }
    packet.set_addresses(source, destination);
    packet.set_ports(from, to);
}

fn find(connections: &[Connection], tuple: Tuple) -> Option<(usize, Direction)> {
    connections.iter().enumerate().find_map(|(at, connection)| {
        if connection.forward == tuple {
            Some((at, Direction::Forward))
        } else {
            (connection.reply == tuple).then_some((at, Direction::Reply))
        }
    })
}

/// A packet of a connection that is known.
fn known(connection: &mut Connection, direction: Direction, packet: &mut Packet, request: &Request<'_>) {
    let mut state = TRK;
    match direction {
        Direction::Reply => {
            connection.answered = true;
            state |= EST | RPL;
        }
        Direction::Forward if connection.answered => state |= EST,
        Direction::Forward => state |= NEW,
    }
    if request.flags.contains(CtFlags::COMMIT) {
        mark(connection, request);
    }
    describe(packet, connection.forward, request.zone);
    set(packet, [oxm::ct_mark(connection.mark), oxm::ct_label(connection.label)]);
    if request.nat.is_some() {
        state |= translate(packet, connection, direction);
    }
    set(packet, [oxm::ct_state(state)]);
}

/// A packet of none.
fn unknown(connections: &mut Vec<Connection>, tuple: Tuple, packet: &mut Packet, request: &Request<'_>) {
    describe(packet, tuple, request.zone);
    if !may_begin(packet) {
        set(packet, [oxm::ct_state(TRK | INV)]);
        return;
    }
    let mut state = TRK | NEW;
    if request.flags.contains(CtFlags::COMMIT) && connections.len() < ZONE_LIMIT {
        let after = request.nat.map_or(Some(tuple), |nat| translated(nat, tuple, connections));
        // Without a way to tell it from others it is no connection, and passes as it is.
        let Some(after) = after else {
            set(packet, [oxm::ct_state(state)]);
            return;
        };
        let mut connection =
            Connection { forward: tuple, reply: after.reversed(), mark: 0, label: 0, answered: false };
        mark(&mut connection, request);
        set(packet, [oxm::ct_mark(connection.mark), oxm::ct_label(connection.label)]);
        if request.nat.is_some() {
            state |= translate(packet, &connection, Direction::Forward);
        }
        connections.push(connection);
    }
    set(packet, [oxm::ct_state(state)]);
}

/// Whether a connection can begin with this packet (`tcp_valid_new`, `icmp4_valid_new`, `icmp6_valid_new`).
fn may_begin(packet: &Packet) -> bool {
    const SYN_ACK: u128 = 0x12;
    let flags = packet.get(weft_openflow::FieldId::basic(42)).unwrap_or(0);
    match packet.protocol() {
        1 => packet.ports().0 == 8,
        58 => packet.ports().0 == 128,
        6 => flags & SYN_ACK != SYN_ACK,
        _ => true,
    }
}

fn mark(connection: &mut Connection, request: &Request<'_>) {
    let ((mark, mark_bits), (label, label_bits)) = (request.mark, request.label);
    connection.mark = connection.mark & !mark_bits | mark & mark_bits;
    connection.label = connection.label & !label_bits | label & label_bits;
}

/// The connection's first packet, as fields of this one.
fn describe(packet: &mut Packet, first: Tuple, zone: u16) {
    use weft_openflow::{FieldId, OxmField};
    let ((source, from), (destination, to)) = (first.source, first.destination);
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    };
    let (first_field, width) = if source.is_ipv4() { (120, 4) } else { (122, 16) };
    set(
        packet,
        [
            oxm::ct_zone(zone),
            OxmField::exact(FieldId::nxm1(119), 1, u128::from(first.protocol)),
            OxmField::exact(FieldId::nxm1(first_field), width, number(source)),
            OxmField::exact(FieldId::nxm1(first_field + 1), width, number(destination)),
            OxmField::exact(FieldId::nxm1(124), 2, u128::from(from)),
            OxmField::exact(FieldId::nxm1(125), 2, u128::from(to)),
        ],
    );
}

/// What the first packet becomes: the lowest address of the range, and ports at which no other connection's packets arrive;
/// `None` where there are none left (`nat_get_unique_tuple`). What is not TCP or UDP keeps what it has for ports.
fn translated(nat: &Nat, tuple: Tuple, connections: &[Connection]) -> Option<Tuple> {
    let is_source = nat.flags.contains(NatFlags::SRC);
    if !is_source && !nat.flags.contains(NatFlags::DST) {
        return Some(tuple);
    }
    let mut out = tuple;
    let end = if is_source { &mut out.source } else { &mut out.destination };
    let address = nat.ipv4_min.map(IpAddr::V4).or(nat.ipv6_min.map(IpAddr::V6));
    end.0 = address.unwrap_or(end.0);
    let is_free = |tried: &Tuple| {
        let answer = tried.reversed();
        connections.iter().all(|known| known.forward != answer && known.reply != answer)
    };
    if !matches!(tuple.protocol, 6 | 17) {
        return Some(out).filter(is_free);
    }
    let asked = nat.port_min.map(|low| (low, nat.port_max.unwrap_or(low)));
    if let Some(range) = asked.filter(|_| !is_source) {
        let first = first_port(tuple.destination.1, range);
        let to = |port| Tuple { destination: (out.destination.0, port), ..out };
        if let Some(found) = ports(first, range).map(to).find(is_free) {
            return Some(found);
        }
        out.destination.1 = first;
    }
    // Also where the destination is what is translated, the source's port makes the difference.
    let own = tuple.source.1;
    let (first, range) = match asked.filter(|_| is_source) {
        Some(range) => (first_port(own, range), range),
        None => (own, alike(own)),
    };
    let from = |port| Tuple { source: (out.source.0, port), ..out };
    ports(first, range).map(from).find(is_free)
}

/// The port of a range that is tried first: a switch takes any, by a hash.
fn first_port(own: u16, (low, high): (u16, u16)) -> u16 {
    if (low..=high).contains(&own) { own } else { low }
}

/// The ports that may stand for a source's when nothing is said of them (`set_sport_range`).
fn alike(own: u16) -> (u16, u16) {
    match own {
        0..512 => (1, 511),
        512..1024 => (600, 1023),
        _ => (1024, u16::MAX),
    }
}

/// A port, those after it, and then those before it.
fn ports(first: u16, (low, high): (u16, u16)) -> impl Iterator<Item = u16> {
    let is_within = (low..=high).contains(&first);
    let after = (first.saturating_add(1)..=high).filter(move |_| is_within);
    std::iter::once(first).chain(after).chain(low..=high)
}

/// Rewrites a packet of a connection that is translated, and says which of `+snat` and `+dnat` holds.
fn translate(packet: &mut Packet, connection: &Connection, direction: Direction) -> u32 {
    let before = Tuple::of(packet).expect("it was tracked");
    let after = match direction {
        Direction::Forward => connection.reply.reversed(),
        Direction::Reply => connection.forward.reversed(),
    };
    packet.set_addresses(after.source.0, after.destination.0);
    if matches!(before.protocol, 6 | 17 | 132) {
        packet.set_ports(after.source.1, after.destination.1);
    }
    let bit = |changed: bool, bit: u32| if changed { bit } else { 0 };
    bit(before.source != after.source, SNAT) | bit(before.destination != after.destination, DNAT)
}

fn set<const N: usize>(packet: &mut Packet, fields: [weft_openflow::OxmField; N]) {
    fields.iter().for_each(|field| packet.put(field).expect("a known field"));
}

#[cfg(test)]
mod tests;
