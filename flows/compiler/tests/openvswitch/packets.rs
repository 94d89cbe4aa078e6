//! Packets, and what must become of them on host 1.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use weft_compiler::Reason;

use crate::daemons::Daemons;

/// A packet in the words of `ofproto/trace`, and what must become of it.
pub struct Case {
    pub name: &'static str,
    pub packet: &'static str,
    outputs: &'static [u16],
    reason: Option<Reason>,
}

/// What became of a packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The OpenFlow ports by which it left.
    outputs: BTreeSet<u16>,
    /// Why it was dropped.
    reason: Option<Reason>,
}

impl Case {
    pub fn expected(&self) -> Outcome {
        Outcome { outputs: self.outputs.iter().copied().collect(), reason: self.reason }
    }
}

fn goes(name: &'static str, packet: &'static str, outputs: &'static [u16]) -> Case {
    Case { name, packet, outputs, reason: None }
}

fn dropped(name: &'static str, packet: &'static str, reason: Reason) -> Case {
    Case { name, packet, outputs: &[], reason: Some(reason) }
}

/// Ports of red: a on 1, b on 2, z (without port security) on 4, all here; c on host 2, far on host 300.
/// Ports of blue: x on 3 with the addresses of a; y on host 2 with those of c.
pub fn cases() -> Vec<Case> {
    [unicast(), flooding(), arp(), nd(), spoofed(), other()].into_iter().flatten().collect()
}

fn unicast() -> Vec<Case> {
    vec![
        goes(
            "a to b",
            "in_port=1,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1",
            &[2],
        ),
        goes(
            "a to c",
            "in_port=1,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:03,nw_src=10.0.0.1",
            &[33002],
        ),
        goes(
            "a to far",
            "in_port=1,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:06,nw_src=10.0.0.1",
            &[33300],
        ),
        goes(
            "x to y",
            "in_port=3,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:03,nw_src=10.0.0.1",
            &[43702],
        ),
        goes(
            "a to b by IPv6",
            "in_port=1,ipv6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_src=fd00::1",
            &[2],
        ),
        goes(
            "a to b, link-local",
            "in_port=1,ipv6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_src=fe80::ff:fe00:1",
            &[2],
        ),
        goes(
            "c to a",
            "in_port=33002,tun_id=5001,ip,dl_src=02:00:00:00:00:03,dl_dst=02:00:00:00:00:01",
            &[1],
        ),
        goes(
            "y to x",
            "in_port=43702,tun_id=0xffffff,ip,dl_src=02:00:00:00:00:03,dl_dst=02:00:00:00:00:01",
            &[3],
        ),
        dropped(
            "x to b of the other tenant",
            "in_port=3,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1",
            Reason::UnknownDestination,
        ),
        dropped(
            "unknown unicast",
            "in_port=1,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:99,nw_src=10.0.0.1",
            Reason::UnknownDestination,
        ),
        dropped(
            "to a port that is down",
            "in_port=1,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:04,nw_src=10.0.0.1",
            Reason::PortDown,
        ),
        dropped(
            "from a port that is down",
            "in_port=5,ip,dl_src=02:00:00:00:00:04,dl_dst=02:00:00:00:00:01,nw_src=10.0.0.4",
            Reason::PortDown,
        ),
        dropped(
            "from a network that is down",
            "in_port=7,ip,dl_src=02:00:00:00:00:07,dl_dst=02:00:00:00:00:01,nw_src=10.0.0.7",
            Reason::NetworkDown,
        ),
        dropped(
            "never from tunnel to tunnel",
            "in_port=33002,tun_id=5001,ip,dl_src=02:00:00:00:00:03,dl_dst=02:00:00:00:00:06",
            Reason::NotHere,
        ),
        dropped(
            "a network that is not here",
            "in_port=33002,tun_id=9,ip,dl_src=02:00:00:00:00:03,dl_dst=02:00:00:00:00:01",
            Reason::UnknownNetwork,
        ),
        dropped(
            "an interface without a port",
            "in_port=6,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1",
            Reason::UnknownPort,
        ),
        dropped(
            "a VLAN tag",
            "in_port=1,dl_vlan=5,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1",
            Reason::VlanTagged,
        ),
    ]
}

fn flooding() -> Vec<Case> {
    vec![
        goes(
            "broadcast goes to all members but back",
            "in_port=1,ip,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,nw_src=10.0.0.1",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "multicast too",
            "in_port=1,ip,dl_src=02:00:00:00:00:01,dl_dst=01:00:5e:00:00:fb,nw_src=10.0.0.1",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "broadcast of blue stays in blue",
            "in_port=3,ip,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,nw_src=10.0.0.1",
            &[43702],
        ),
        goes(
            "broadcast out of a tunnel stays here",
            "in_port=33002,tun_id=5001,ip,dl_src=02:00:00:00:00:03,dl_dst=ff:ff:ff:ff:ff:ff",
            &[1, 2, 4],
        ),
    ]
}

fn arp() -> Vec<Case> {
    vec![
        goes(
            "a known address is answered here",
            "in_port=1,arp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_sha=02:00:00:00:00:01,arp_spa=10.0.0.1,arp_tpa=10.0.0.3",
            &[1],
        ),
        goes(
            "an unknown one is asked for everywhere",
            "in_port=1,arp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_sha=02:00:00:00:00:01,arp_spa=10.0.0.1,arp_tpa=10.0.0.77",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "an announcement goes everywhere",
            "in_port=1,arp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_sha=02:00:00:00:00:01,arp_spa=10.0.0.1,arp_tpa=10.0.0.1",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "a probe for one's own address too",
            "in_port=1,arp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_sha=02:00:00:00:00:01,arp_spa=0.0.0.0,arp_tpa=10.0.0.1",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "a probe for somebody's address is answered",
            "in_port=1,arp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_sha=02:00:00:00:00:01,arp_spa=0.0.0.0,arp_tpa=10.0.0.2",
            &[1],
        ),
        goes(
            "a reply goes to who asked",
            "in_port=1,arp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,arp_op=2,arp_sha=02:00:00:00:00:01,arp_spa=10.0.0.1,arp_tpa=10.0.0.2",
            &[2],
        ),
        dropped(
            "somebody else's address",
            "in_port=1,arp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_sha=02:00:00:00:00:01,arp_spa=10.0.0.2,arp_tpa=10.0.0.3",
            Reason::SpoofedArp,
        ),
        dropped(
            "somebody else's MAC inside",
            "in_port=1,arp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,arp_op=2,arp_sha=02:00:00:00:00:03,arp_spa=10.0.0.1,arp_tpa=10.0.0.2",
            Reason::SpoofedArp,
        ),
    ]
}

fn nd() -> Vec<Case> {
    vec![
        goes(
            "a known address is answered here",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:ff:00:00:03,ipv6_src=fd00::1,ipv6_dst=ff02::1:ff00:3,nw_ttl=255,icmpv6_type=135,nd_target=fd00::3,nd_sll=02:00:00:00:00:01",
            &[1],
        ),
        goes(
            "a link-local one as well",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:ff:00:00:03,ipv6_src=fd00::1,ipv6_dst=ff02::1:ff00:3,nw_ttl=255,icmpv6_type=135,nd_target=fe80::ff:fe00:3,nd_sll=02:00:00:00:00:01",
            &[1],
        ),
        goes(
            "an unknown one is asked for everywhere",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:ff:00:00:77,ipv6_src=fd00::1,ipv6_dst=ff02::1:ff00:77,nw_ttl=255,icmpv6_type=135,nd_target=fd00::77,nd_sll=02:00:00:00:00:01",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "a probe goes everywhere",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:ff:00:00:01,ipv6_src=::,ipv6_dst=ff02::1:ff00:1,nw_ttl=255,icmpv6_type=135,nd_target=fd00::1",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "an advertisement goes to who asked",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_src=fd00::1,ipv6_dst=fd00::2,nw_ttl=255,icmpv6_type=136,nd_target=fd00::1,nd_tll=02:00:00:00:00:01",
            &[2],
        ),
        goes(
            "one without the option as well",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_src=fd00::1,ipv6_dst=fd00::2,nw_ttl=255,icmpv6_type=136,nd_target=fd00::1",
            &[2],
        ),
        dropped(
            "advertising somebody else's address",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_src=fd00::1,ipv6_dst=fd00::2,nw_ttl=255,icmpv6_type=136,nd_target=fd00::3,nd_tll=02:00:00:00:00:01",
            Reason::SpoofedNd,
        ),
        dropped(
            "advertising somebody else's MAC",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_src=fd00::1,ipv6_dst=fd00::2,nw_ttl=255,icmpv6_type=136,nd_target=fd00::1,nd_tll=02:00:00:00:00:03",
            Reason::SpoofedNd,
        ),
        dropped(
            "soliciting with somebody else's MAC",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:ff:00:00:03,ipv6_src=fd00::1,ipv6_dst=ff02::1:ff00:3,nw_ttl=255,icmpv6_type=135,nd_target=fd00::3,nd_sll=02:00:00:00:00:03",
            Reason::SpoofedNd,
        ),
        dropped(
            "soliciting from somebody else's address",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:ff:00:00:03,ipv6_src=fd00::2,ipv6_dst=ff02::1:ff00:3,nw_ttl=255,icmpv6_type=135,nd_target=fd00::3,nd_sll=02:00:00:00:00:01",
            Reason::SpoofedNd,
        ),
        dropped(
            "probing for somebody else's address",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:ff:00:00:02,ipv6_src=::,ipv6_dst=ff02::1:ff00:2,nw_ttl=255,icmpv6_type=135,nd_target=fd00::2",
            Reason::SpoofedNd,
        ),
        dropped(
            "playing router",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:00:00:00:01,ipv6_src=fe80::ff:fe00:1,ipv6_dst=ff02::1,nw_ttl=255,icmpv6_type=134",
            Reason::RogueRa,
        ),
        dropped(
            "redirecting",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_src=fe80::ff:fe00:1,ipv6_dst=fd00::2,nw_ttl=255,icmpv6_type=137",
            Reason::RogueRa,
        ),
    ]
}

fn spoofed() -> Vec<Case> {
    vec![
        dropped(
            "somebody else's MAC",
            "in_port=1,ip,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:03,nw_src=10.0.0.1",
            Reason::SpoofedMac,
        ),
        dropped(
            "somebody else's IPv4 address",
            "in_port=1,ip,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.3",
            Reason::SpoofedIpv4,
        ),
        dropped(
            "somebody else's IPv6 address",
            "in_port=1,ipv6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_src=fd00::3",
            Reason::SpoofedIpv6,
        ),
        goes(
            "a port without port security may",
            "in_port=4,ip,dl_src=02:00:00:00:00:99,dl_dst=02:00:00:00:00:01,nw_src=1.2.3.4",
            &[1],
        ),
        goes(
            "even play DHCP server",
            "in_port=4,udp,dl_src=02:00:00:00:00:05,dl_dst=02:00:00:00:00:01,nw_src=10.0.0.5,udp_src=67,udp_dst=68",
            &[1],
        ),
        dropped(
            "a DHCP server",
            "in_port=1,udp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,udp_src=67,udp_dst=68",
            Reason::RogueDhcp,
        ),
        dropped(
            "a DHCPv6 server",
            "in_port=1,udp6,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,ipv6_src=fd00::1,udp_src=547,udp_dst=546",
            Reason::RogueDhcp,
        ),
        dropped(
            "no address, but not DHCP",
            "in_port=1,udp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,nw_src=0.0.0.0,nw_dst=255.255.255.255,udp_src=68,udp_dst=69",
            Reason::SpoofedIpv4,
        ),
    ]
}

fn other() -> Vec<Case> {
    vec![
        goes(
            "a DHCP client",
            "in_port=1,udp,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,nw_src=0.0.0.0,nw_dst=255.255.255.255,udp_src=68,udp_dst=67",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "a listener report without an address",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:00:00:00:16,ipv6_src=::,ipv6_dst=ff02::16,icmpv6_type=143",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "a router solicitation without an address",
            "in_port=1,icmp6,dl_src=02:00:00:00:00:01,dl_dst=33:33:00:00:00:02,ipv6_src=::,ipv6_dst=ff02::2,icmpv6_type=133",
            &[2, 4, 33002, 33300],
        ),
        goes(
            "a protocol without addresses",
            "in_port=1,dl_type=0x88b5,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02",
            &[2],
        ),
    ]
}

/// Traces a packet and reads off where it leaves and why it is dropped.
pub fn outcome(daemons: &Daemons, bridge: &str, packet: &str) -> Result<Outcome> {
    let numbers = datapath_ports(&daemons.run("ovs-appctl", &["dpif/show"])?);
    let trace = daemons.trace(bridge, packet)?;
    let actions = trace.lines().find_map(|line| line.strip_prefix("Datapath actions: "));
    let outputs = top_level(actions.with_context(|| format!("no result in {trace}"))?)
        .filter_map(|action| action.trim().parse::<u32>().ok())
        .filter_map(|port| numbers.get(&port).copied())
        .collect();
    let reason = trace.lines().find_map(|line| {
        let value = line.trim().strip_prefix("set_field:")?.strip_suffix("->reg6")?;
        let number = u32::from_str_radix(value.trim_start_matches("0x"), 16).ok()?;
        Reason::from_number(number)
    });
    Ok(Outcome { outputs, reason })
}

/// From the datapath's port numbers to OpenFlow's: `name 1/3: (dummy)`.
fn datapath_ports(show: &str) -> BTreeMap<u32, u16> {
    let numbers =
        show.lines().filter_map(|line| line.split_whitespace().nth(1)?.strip_suffix(':')?.split_once('/'));
    numbers
        .filter_map(|(openflow, datapath)| Some((datapath.parse().ok()?, openflow.parse().ok()?)))
        .collect()
}

/// Splits a list of actions at the commas that stand in no parentheses.
fn top_level(actions: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    actions.split(move |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
}
