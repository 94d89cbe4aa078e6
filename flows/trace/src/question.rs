//! A question in a tenant's words (from this port, to that address), turned into the packets that a workload would send:
//! it picks a source address and a next hop, asks for the next hop's MAC, and sends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weft_model::{FixedIp, Port, PortId, Snapshot, Subnet};
use weft_openflow::{FieldId, oxm};

use crate::fault::Fault;
use crate::packet::{ETH_ARP, ETH_IPV4, ETH_IPV6, Packet};
use crate::world::{Fate, Trace, World};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which port sends.
    pub from: PortId,
    /// To which address.
    pub to: Target,
    /// From which of its addresses; any other one tests what port security says to it.
    pub source: Option<IpAddr>,
    /// What is sent.
    pub probe: Probe,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// How long the packet is, Ethernet header included, in bytes.
    pub size: u16,
}

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// An IP address, on the link or beyond.
    Address(IpAddr),
    /// An Ethernet address on the link; the packet has no IP in it (EtherType 0x88b5, for experiments).
    Mac([u8; 6]),
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// An ICMP or ICMPv6 echo request.
    Ping,
    /// Something with ports: the protocol's number, source and destination port. TCP opens a connection.
    Ports(u8, u16, u16),
    /// Something else: the protocol's number.
    Protocol(u8),
}

/// What came of a question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Whose MAC was asked for.
    pub next_hop: Option<IpAddr>,
    /// The packet, if it came so far that it was sent.
    pub sent: Option<Packet>,
    /// Where it went; or, when nobody answered for the next hop, where the question for its MAC went.
    pub trace: Option<Trace>,
    /// Why it was not sent.
    pub unsent: Option<Unsent>,
    /// The way back, when one port got the packet and would answer it.
    pub back: Option<Box<Answer>>,
}

/// Why a workload does not send at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsent {
    /// Its port is on no host.
    NotBound,
    /// It has no address of the family.
    NoAddress,
    /// Its subnet has no gateway, and the destination is not on the link.
    NoRoute,
    /// Nobody answers for the MAC of this next hop.
    Unanswered(IpAddr),
}

/// An EtherType that is left for experiments (IEEE 802).
const ETH_EXPERIMENT: u16 = 0x88b5;
const BROADCAST: [u8; 6] = [0xff; 6];
/// The identifier of our pings.
const ECHO: u16 = 0x5745;
const SYN: u16 = 2;
const SYN_ACK: u16 = 0x12;

/// Whether a packet begins something or answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

/// Asks a question, and for the way back if there is one.
///
/// # Errors
/// [`Fault::NoBeginning`] when there is no such port, and whatever the interpreter cannot go on with.
pub fn ask(world: &mut World, question: &Question) -> Result<Answer, Fault> {
    let mut answer = one_way(world, question, Way::There)?;
    let got = answer.trace.as_ref().filter(|_| answer.unsent.is_none()).and_then(only);
    if let Some(question) = got.and_then(|(receiver, packet)| reply(receiver, packet)) {
        answer.back = Some(Box::new(one_way(world, &question, Way::Back)?));
    }
    Ok(answer)
}

/// The one port that got the packet.
fn only(trace: &Trace) -> Option<(PortId, &Packet)> {
    let mut delivered = trace.delivered();
    let first = delivered.next()?;
    delivered.next().is_none().then_some(first)
}

/// What a receiver would answer.
fn reply(receiver: PortId, got: &Packet) -> Option<Question> {
    let (source, destination) = got.addresses()?;
    if destination.is_multicast() || destination == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return None;
    }
    let (from, to) = got.ports();
    let probe = match got.protocol() {
        1 | 58 => Probe::Ping,
        protocol @ (6 | 17 | 132) => Probe::Ports(protocol, to, from),
        protocol => Probe::Protocol(protocol),
    };
    let (to, source) = (Target::Address(source), Some(destination));
    Some(Question { from: receiver, to, source, probe, ttl: 64, size: got.size })
}

fn one_way(world: &mut World, question: &Question, way: Way) -> Result<Answer, Fault> {
    let nothing = Answer { next_hop: None, sent: None, trace: None, unsent: None, back: None };
    let port = world.snapshot().port(&question.from).ok_or(Fault::NoBeginning)?.clone();
    if world.snapshot().bound_host(port.id).is_none() {
        return Ok(Answer { unsent: Some(Unsent::NotBound), ..nothing });
    }
    let destination = match question.to {
        Target::Address(to) => to,
        Target::Mac(mac) => {
            let packet = frame(&port, mac, ETH_EXPERIMENT);
            let trace = world.send(&port, &packet)?;
            return Ok(Answer { sent: Some(packet), trace: Some(trace), ..nothing });
        }
    };
    let (source, hop) = match begin(&port, world.snapshot(), question.source, destination) {
        Ok(begun) => begun,
        Err(unsent) => return Ok(Answer { unsent: Some(unsent), ..nothing }),
    };
    let (mac, next_hop) = match hop {
        NextHop::Group(mac) => (mac, None),
        NextHop::Neighbour(address) => {
            let trace = world.send(&port, &solicitation(&port, source, address))?;
            let Some(mac) = told(&trace, world.snapshot(), address) else {
                let unsent = Some(Unsent::Unanswered(address));
                return Ok(Answer { next_hop: Some(address), unsent, trace: Some(trace), ..nothing });
            };
            (mac, Some(address))
        }
    };
    let packet = probe(frame(&port, mac, 0), question, (source, destination), way);
    let trace = world.send(&port, &packet)?;
    Ok(Answer { next_hop, sent: Some(packet), trace: Some(trace), ..nothing })
}

/// Where a workload sends a packet first.
enum NextHop {
    /// To a group's MAC.
    Group([u8; 6]),
    /// To whoever has this address on the link.
    Neighbour(IpAddr),
}

/// The source address and the next hop that a workload picks.
fn begin(
    port: &Port,
    snapshot: &Snapshot,
    asked: Option<IpAddr>,
    to: IpAddr,
) -> Result<(IpAddr, NextHop), Unsent> {
    let subnet = |ip: &FixedIp| snapshot.subnet(&ip.subnet).cloned();
    let is_near = |ip: &FixedIp| subnet(ip).is_some_and(|subnet| subnet.cidr.contains(&to));
    let family = || port.fixed_ips.iter().filter(|ip| ip.address.is_ipv4() == to.is_ipv4());
    let own = family().find(|ip| Some(ip.address) == asked);
    let near = family().find(|ip| is_near(ip));
    let best = own.or(near).or_else(|| family().find(|ip| subnet(ip).is_some_and(|s| s.gateway.is_some())));
    let best = best.or_else(|| family().next());
    let source = asked.filter(|ip| ip.is_ipv4() == to.is_ipv4()).or(best.map(|ip| ip.address));
    if let Some(mac) = group_mac(to) {
        return Ok((source.ok_or(Unsent::NoAddress)?, NextHop::Group(mac)));
    }
    if let IpAddr::V6(address) = to
        && address.is_unicast_link_local()
    {
        let source = asked.unwrap_or(IpAddr::V6(port.mac.link_local()));
        return Ok((source, NextHop::Neighbour(to)));
    }
    let (best, source) = (best.ok_or(Unsent::NoAddress)?, source.ok_or(Unsent::NoAddress)?);
    let Some(subnet) = subnet(best).filter(|_| near.is_none()) else {
        return Ok((source, NextHop::Neighbour(to)));
    };
    if subnet.cidr.broadcast() == to && to.is_ipv4() {
        return Ok((source, NextHop::Group(BROADCAST)));
    }
    let next = next_hop(&subnet, to).ok_or(Unsent::NoRoute)?;
    Ok((source, NextHop::Neighbour(next)))
}

/// The router that a workload was told of: by the longest route, else the gateway.
fn next_hop(subnet: &Subnet, to: IpAddr) -> Option<IpAddr> {
    let fitting = subnet.host_routes.iter().filter(|route| route.destination.contains(&to));
    let longest = fitting.max_by_key(|route| route.destination.prefix_len()).map(|route| route.nexthop);
    longest.or(subnet.gateway)
}

/// The MAC of a group (RFC 1112 section 6.4, RFC 2464 section 7), of broadcast.
fn group_mac(to: IpAddr) -> Option<[u8; 6]> {
    match to {
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some(BROADCAST),
        IpAddr::V4(ip) if ip.is_multicast() => {
            let [_, b, c, d] = ip.octets();
            Some([1, 0, 0x5e, b & 0x7f, c, d])
        }
        IpAddr::V6(ip) if ip.is_multicast() => {
            let [.., a, b, c, d] = ip.octets();
            Some([0x33, 0x33, a, b, c, d])
        }
        _ => None,
    }
}

fn frame(port: &Port, to: [u8; 6], kind: u16) -> Packet {
    Packet::new().with(oxm::eth_src(port.mac.0)).with(oxm::eth_dst(to)).with(oxm::eth_type(kind))
}

/// The question for a neighbour's MAC (RFC 826, RFC 4861 section 7.2.2).
fn solicitation(port: &Port, source: IpAddr, target: IpAddr) -> Packet {
    match (source, target) {
        (IpAddr::V4(source), IpAddr::V4(target)) => frame(port, BROADCAST, ETH_ARP)
            .with(oxm::arp_op(1))
            .with(oxm::arp_sha(port.mac.0))
            .with(oxm::arp_spa(source))
            .with(oxm::arp_tpa(target)),
        (source, target) => {
            let IpAddr::V6(target) = target else { return frame(port, BROADCAST, ETH_ARP) };
            let [.., x, y, z] = target.octets();
            let (low, high) = (u16::from_be_bytes([y, z]), 0xff00 | u16::from(x));
            let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, high, low);
            let source = if let IpAddr::V6(source) = source { source } else { port.mac.link_local() };
            frame(port, [0x33, 0x33, 0xff, x, y, z], ETH_IPV6)
                .with(oxm::ipv6_src(source))
                .with(oxm::ipv6_dst(group))
                .with(oxm::ip_proto(58))
                .with(oxm::ip_ttl(255))
                .with(oxm::icmpv6_type(135))
                .with(oxm::nd_target(target))
                .with(oxm::nd_sll(port.mac.0))
                .with(oxm::nd_options_type(1))
        }
    }
}

/// The MAC that was answered, by a flow or by the port that has the address and got the question.
fn told(trace: &Trace, snapshot: &Snapshot, address: IpAddr) -> Option<[u8; 6]> {
    trace.outcomes.iter().find_map(|outcome| match &outcome.fate {
        Fate::Answered(_, packet) => answered(packet),
        // An answer that another host gave, across a physical network.
        Fate::Delivered(_, packet) if is_answer(packet) => answered(packet),
        Fate::Delivered(port, _) => {
            let port = snapshot.port(port)?;
            let has = port.fixed_ips.iter().any(|ip| ip.address == address)
                || address == IpAddr::V6(port.mac.link_local());
            has.then_some(port.mac.0)
        }
        _ => None,
    })
}

/// True for an ARP reply and a neighbour advertisement.
fn is_answer(packet: &Packet) -> bool {
    match packet.eth_type() {
        ETH_ARP => packet.get(FieldId::basic(21)) == Some(2),
        ETH_IPV6 => packet.protocol() == 58 && packet.get(FieldId::basic(29)) == Some(136),
        _ => false,
    }
}

/// The MAC in an answer.
fn answered(packet: &Packet) -> Option<[u8; 6]> {
    let (arp_sha, nd_tll) = (FieldId::basic(24), FieldId::basic(33));
    let field = match (packet.eth_type(), packet.protocol()) {
        (ETH_ARP, _) => arp_sha,
        (ETH_IPV6, 58) => nd_tll,
        _ => return None,
    };
    let [.., a, b, c, d, e, f] = packet.get(field)?.to_be_bytes();
    Some([a, b, c, d, e, f])
}

/// The packet itself, in its frame.
fn probe(frame: Packet, question: &Question, (source, destination): (IpAddr, IpAddr), way: Way) -> Packet {
    let packet = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            frame.with(oxm::eth_type(ETH_IPV4)).with(oxm::ipv4_src(source)).with(oxm::ipv4_dst(destination))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            frame.with(oxm::eth_type(ETH_IPV6)).with(oxm::ipv6_src(source)).with(oxm::ipv6_dst(destination))
        }
        // Source and destination are of one family: `begin` sees to it.
        _ => frame,
    };
    let mut packet = packet.with(oxm::ip_ttl(question.ttl));
    packet.size = question.size;
    match question.probe {
        Probe::Ping => {
            packet.echo = ECHO;
            match (destination.is_ipv4(), way) {
                (true, Way::There) => packet.with(oxm::ip_proto(1)).with(oxm::icmpv4_type(8)),
                (true, Way::Back) => packet.with(oxm::ip_proto(1)).with(oxm::icmpv4_type(0)),
                (false, Way::There) => packet.with(oxm::ip_proto(58)).with(oxm::icmpv6_type(128)),
                (false, Way::Back) => packet.with(oxm::ip_proto(58)).with(oxm::icmpv6_type(129)),
            }
        }
        Probe::Ports(protocol, from, to) => {
            let packet = packet.with(oxm::ip_proto(protocol)).with(oxm::tcp_src(from)).with(oxm::tcp_dst(to));
            match (protocol, way) {
                (6, Way::There) => packet.with(oxm::tcp_flags(SYN)),
                (6, Way::Back) => packet.with(oxm::tcp_flags(SYN_ACK)),
                _ => packet,
            }
        }
        Probe::Protocol(protocol) => packet.with(oxm::ip_proto(protocol)),
    }
}
