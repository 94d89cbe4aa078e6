//! One ping's way there and back, looked at wherever it comes by: at the workload, in the tunnel between hosts, on the trunk to
//! the physical network, at the machine outside. Ethernet and IP addresses, the TTL, and what is around them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weft_rig::{Capture, Netns, wait_until};
use weft_scenarios::frames::{Mac, mac};
use weft_scenarios::{LIMIT, Site};

/// UDP ports of VXLAN and Geneve.
const TUNNELS: [(u16, &str); 2] = [(4789, "vxlan"), (6081, "geneve")];

/// What is around a packet where it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Around {
    /// Nothing but its frame.
    Nothing,
    /// The tag of a VLAN.
    Vlan(u16),
    /// A tunnel: its kind, the VNI, and the hosts at both ends.
    Tunnel(String, u32, [IpAddr; 2]),
}

/// What a ping says where it is seen: source and destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub around: Around,
    pub eth: [Mac; 2],
    pub ip: [IpAddr; 2],
    pub ttl: u8,
}

impl Seen {
    pub fn new(around: Around, eth: [&str; 2], ip: [&str; 2], ttl: u8) -> Seen {
        Seen { around, eth: eth.map(mac), ip: ip.map(|ip| ip.parse().unwrap()), ttl }
    }
}

/// Somewhere on the way, with what must come by there and back.
pub struct Stop<'a> {
    pub name: &'a str,
    pub place: (&'a Netns, &'a str),
    pub there: Seen,
    pub back: Seen,
}

/// One ping, once the way is known to everybody, with what is seen of it at every stop.
pub fn walk(site: &Site, from: &Netns, to: &str, stops: &[Stop<'_>]) {
    reaches(site, from, to);
    // Until the sessions that watch the gateways' hosts are up, any of these may serve.
    let mut last = None;
    let settled = wait_until("the ping to go where it should", LIMIT, || {
        last = strayed(site, (from, to), stops);
        Ok(last.is_none())
    });
    assert!(settled.is_ok(), "to {to}, {}; {}", last.unwrap_or_default(), site.diagnosis());
}

/// One ping, and where it did not come by as it should.
fn strayed(site: &Site, (from, to): (&Netns, &str), stops: &[Stop<'_>]) -> Option<String> {
    let at = |stop: &Stop<'_>| Capture::start(stop.place.0, stop.place.1, "").unwrap();
    let mut captures: Vec<Capture> = stops.iter().map(at).collect();
    let said = from.exec(&["ping", "-n", "-c", "1", "-W", "2", to]);
    said.unwrap_or_else(|error| panic!("{error:#}; {}", site.diagnosis()));
    for (stop, capture) in stops.iter().zip(&mut captures) {
        capture.settle().unwrap();
        let seen: Vec<Seen> = capture.frames().unwrap().iter().filter_map(|frame| read(frame)).collect();
        let wanted = [&stop.there, &stop.back];
        if !seen.iter().eq(wanted) {
            return Some(format!("{}: {seen:?} instead of {wanted:?}", stop.name));
        }
    }
    None
}

/// Pings until it goes through, and then once more.
pub fn reaches(site: &Site, from: &Netns, to: &str) {
    let ping = |count: &str| {
        let said = from.output(&["ping", "-n", "-c", count, "-i", "0.05", "-W", "1", to])?;
        Ok(said.succeeded() && said.stdout.contains(&format!(" {count} received")))
    };
    wait_until(&format!("to reach {to}"), LIMIT, || ping("1"))
        .unwrap_or_else(|error| panic!("{error:#}; {}", site.diagnosis()));
    assert!(ping("3").unwrap(), "{to}; {}", site.diagnosis());
}

/// The ping in a frame, if that carries one.
fn read(frame: &[u8]) -> Option<Seen> {
    let number = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
    let (around, at) = match number(12)? {
        0x8100 => (Around::Vlan(number(14)? & 0xfff), 18),
        _ => (Around::Nothing, 14),
    };
    let four = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(frame.get(at..at + 4)?).ok()?));
    let sixteen = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(frame.get(at..at + 16)?).ok()?));
    let (protocol, ttl, ip, end): (u8, u8, [IpAddr; 2], usize) = match number(at - 2)? {
        0x0800 => {
            let ip = [four(at + 12)?.into(), four(at + 16)?.into()];
            (*frame.get(at + 9)?, *frame.get(at + 8)?, ip, at + 20)
        }
        0x86dd => {
            let ip = [sixteen(at + 8)?.into(), sixteen(at + 24)?.into()];
            (*frame.get(at + 6)?, *frame.get(at + 7)?, ip, at + 40)
        }
        _ => return None,
    };
    let tunnel = TUNNELS.into_iter().find(|(port, _)| protocol == 17 && number(end + 2) == Some(*port));
    if let Some((_, kind)) = tunnel {
        // VXLAN and Geneve have the VNI at the same place; Geneve says how many options follow, in words.
        let header = end + 8;
        let options = if kind == "geneve" { usize::from(frame.get(header)? & 0x3f) * 4 } else { 0 };
        let vni = u32::from_be_bytes(frame.get(header + 4..header + 8)?.try_into().ok()?) >> 8;
        let inner = read(frame.get(header + 8 + options..)?)?;
        return Some(Seen { around: Around::Tunnel(kind.to_owned(), vni, ip), ..inner });
    }
    let is_ping = matches!((protocol, *frame.get(end)?), (1, 0 | 8) | (58, 128 | 129));
    let mac = |at: usize| Mac::try_from(frame.get(at..at + 6)?).ok();
    is_ping.then_some(Seen { around, eth: [mac(6)?, mac(0)?], ip, ttl })
}
