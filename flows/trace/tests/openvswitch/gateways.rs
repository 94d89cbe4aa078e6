//! Ways out and in, in the state of the compiler's golden case: what `ofproto/trace` says of packets of all kinds.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use weft_compiler::{Delta, diff};
use weft_model::{HostIndex, Snapshot};
use weft_openflow::{PortNo, oxm};
use weft_trace::packet::{ETH_IPV4, ETH_IPV6};
use weft_trace::{Packet, Switch, World};

use crate::channel::Channel;
use crate::daemons::Daemons;
use crate::pipeline::{interfaces, wanted};
use crate::random::Random;
use crate::state;
use crate::verdict::{Bridge, Sent, ours, theirs};

pub const STATE: &str = include_str!("../../../compiler/tests/cases/gateways/state.txt");
/// How many packets are compared on each host; `GATEWAYS_PACKETS` says otherwise.
const PACKETS: u64 = 150;
/// The uplink, and the VLAN of the external network.
pub const UPLINK: u16 = 65_101;
pub const VLAN: u16 = 100;

/// A bridge with what a host's switch has, and the interpreter's switch.
pub fn host<'d>(daemons: &'d Daemons, snapshot: &Snapshot, index: u32) -> Result<(Bridge<'d>, Arc<Switch>)> {
    let host = HostIndex::new(index).context("an index")?;
    let name: &'static str = ["br1", "br2", "br3"][index as usize - 1];
    let mut channel = Channel::open(&daemons.bridge(name, interfaces(snapshot, host))?)?;
    let deltas: Vec<Delta> =
        wanted(snapshot, host).iter().map(|compiled| diff(&Default::default(), compiled)).collect();
    channel.apply(&deltas)?;
    let switch = World::new(snapshot.clone()).switch(host)?;
    Ok((Bridge::new(daemons, name)?, switch))
}

/// The ports of the external network that lead inside: gateways, floating IPs, and one that stands for nothing.
const DOORS: [(&str, &str); 8] = [
    ("02:00:00:00:99:02", "203.0.113.2"),
    ("02:00:00:00:99:04", "203.0.113.4"),
    ("02:00:00:00:99:15", "203.0.113.21"),
    ("02:00:00:00:99:16", "203.0.113.22"),
    ("02:00:00:00:99:17", "203.0.113.23"),
    ("02:00:00:00:99:18", "203.0.113.24"),
    ("02:00:00:00:99:19", "203.0.113.25"),
    ("02:00:00:00:99:1a", "203.0.113.26"),
];
/// What is behind the tunnels of routers, and in a network.
const TUNNELS: [u64; 6] = [900, 900, 900, 901, 901, 10];

/// Who has what addresses, of one family.
struct Family {
    kind: u16,
    /// Outside: a machine there.
    machine: &'static str,
    /// A gateway, and what belongs to nobody.
    outer: &'static [&'static str],
    /// Workloads, a router, and what is behind routes.
    inner: &'static [&'static str],
}

const V4: Family = Family {
    kind: ETH_IPV4,
    machine: "203.0.113.77",
    outer: &["203.0.113.2", "203.0.113.99"],
    inner: &["10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.1", "198.51.100.7", "192.0.2.9"],
};
const V6: Family = Family {
    kind: ETH_IPV6,
    machine: "2001:db8::77",
    outer: &["2001:db8::2", "2001:db8::99", "2001:db8:1::1"],
    inner: &["fd00::11", "fd00::12", "fd00::1"],
};

/// Any packet to or from what is served, by an uplink, a tunnel or a local interface of a host.
fn packet(host: u32, random: &mut Random) -> Packet {
    let family = if random.once_in(4) { V6 } else { V4 };
    let Family { kind, machine, outer, inner } = family;
    let (door, other) = (*random.pick(&DOORS), *random.pick(&DOORS));
    let other = if kind == V4.kind { other.1 } else { outer[0] };
    let any = [*random.pick(outer), *random.pick(inner)];
    let (port, tunnel, from, to, macs) = match random.below(3) {
        0 => {
            // Past the port that has the address, too.
            let own = if kind == V4.kind { door.1 } else { outer[0] };
            let to = *random.pick(&[own, own, own, other, any[0], any[1]]);
            (UPLINK, 0, machine, to, ["02:00:00:00:99:0a", door.0])
        }
        1 => {
            let from = *random.pick(&[any[1], any[1], any[1], any[0]]);
            let port = *random.pick(&[33_001, 33_002, 33_003, 43_703]);
            let to = *random.pick(&[machine, machine, other, any[0]]);
            (port, *random.pick(&TUNNELS), from, to, ["02:00:00:00:01:01", door.0])
        }
        _ => {
            let workloads: &[_] = match host {
                1 => &[(1, "02:00:00:00:01:0b", 0), (2, "02:00:00:00:01:0c", 1)],
                2 => &[(1, "02:00:00:00:01:0d", 2)],
                _ => &[(1, "02:00:00:00:01:0c", 1), (2, "02:00:00:00:01:0b", 0)],
            };
            let (port, mac, from) = *random.pick(workloads);
            let to = *random.pick(&[machine, machine, other, any[0], any[1]]);
            (port, 0, inner[from % inner.len()], to, [mac, "02:00:00:00:01:01"])
        }
    };
    let packet = addressed(macs, kind, [from, to]);
    let packet = packet.with(oxm::ip_ttl(*random.pick(&[1, 2, 64, 64])));
    let packet = inside(packet, random);
    let packet = if port == UPLINK { packet.with(oxm::vlan_vid(VLAN)) } else { packet };
    packet.arriving(PortNo(port.into()), tunnel)
}

fn addressed(macs: [&str; 2], kind: u16, ips: [&str; 2]) -> Packet {
    let mac = |text: &str| text.parse::<weft_model::MacAddr>().expect("a MAC").0;
    let frame = Packet::new().with(oxm::eth_src(mac(macs[0]))).with(oxm::eth_dst(mac(macs[1])));
    let frame = frame.with(oxm::eth_type(kind));
    match ips.map(|ip| ip.parse::<IpAddr>().expect("an address")) {
        [IpAddr::V4(from), IpAddr::V4(to)] => frame.with(oxm::ipv4_src(from)).with(oxm::ipv4_dst(to)),
        [IpAddr::V6(from), IpAddr::V6(to)] => frame.with(oxm::ipv6_src(from)).with(oxm::ipv6_dst(to)),
        _ => unreachable!("addresses of one family"),
    }
}

/// What an IP packet is about: echoes and their answers, and ports of which some are forwarded.
fn inside(packet: Packet, random: &mut Random) -> Packet {
    let is_v6 = packet.eth_type() == ETH_IPV6;
    let from = *random.pick(&[40_000, 80, 8080]);
    match random.below(3) {
        0 if is_v6 => packet.with(oxm::ip_proto(58)).with(oxm::icmpv6_type(*random.pick(&[128, 129]))),
        0 => packet.with(oxm::ip_proto(1)).with(oxm::icmpv4_type(*random.pick(&[0, 8]))),
        1 => {
            let to = *random.pick(&[80, 81, 22, 7]);
            packet.with(oxm::ip_proto(6)).with(oxm::tcp_src(from)).with(oxm::tcp_dst(to))
        }
        _ => {
            let to = *random.pick(&[1000, 1003, 80]);
            packet.with(oxm::ip_proto(17)).with(oxm::udp_src(from)).with(oxm::udp_dst(to))
        }
    }
}

/// What the tracker says of a packet each time that it is asked: nothing is remembered, so what is known is a matter of the
/// flows alone. New more often than not, or little would come past the first question.
fn states(random: &mut Random) -> Vec<&'static str> {
    let said = ["trk,new", "trk,new", "trk,new", "trk,new", "trk,est", "trk,est,rpl", "trk,inv", "trk,rel"];
    (0..4).map(|_| *random.pick(&said)).collect()
}

/// A number from the environment, for longer runs and for other packets.
pub fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[test]
fn gateways_do_what_the_interpreter_says() -> Result<()> {
    let daemons = Daemons::start()?;
    let mut faults = Vec::new();
    let (packets, seed) = (number("GATEWAYS_PACKETS", PACKETS), number("GATEWAYS_SEED", 0));
    // How many were translated, and how many left, of either family.
    let (mut translated, mut left) = (0, [0; 2]);
    for index in [1, 2, 3] {
        let (bridge, switch) = host(&daemons, &state::parse(STATE)?, index)?;
        let mut random = Random::new(u64::from(index) + seed);
        for _ in 0..packets {
            let packet = packet(index, &mut random);
            let text = packet.to_string();
            let sent = Sent { text: &text, states: states(&mut random) };
            let (ours, theirs) =
                (ours(&switch, &bridge, &sent).context(text.clone())?, theirs(&bridge, &sent)?);
            translated += u64::from(theirs.zones.len() > 1);
            left[usize::from(packet.eth_type() == V6.kind)] += u64::from(!theirs.outputs.is_empty());
            if !ours.allows(&theirs) {
                faults.push(format!("host {index}: {text}\n  ours   {ours:?}\n  theirs {theirs:?}"));
            }
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    let is_much = translated * 50 > packets && left[0] * 10 > packets && left[1] * 50 > packets;
    ensure!(is_much, "{translated} were translated, {left:?} left");
    Ok(())
}
