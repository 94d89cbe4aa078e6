//! Ways out and in, in the state of the compiler's golden case: what a datapath that really remembers connections makes of
//! a few packets, with addresses and ports translated there and back.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use weft_model::{HostIndex, Snapshot};
use weft_openflow::{PortNo, oxm};
use weft_trace::{Choice, Deed, Packet, Sent as Output, Step, Switch, Tracker, World, run};

use crate::channel::Channel;
use crate::daemons::Daemons;
use crate::pipeline::{interfaces, wanted};
use crate::state;
use crate::verdict::Bridge;
use weft_compiler::{Delta, diff};

const STATE: &str = include_str!("../../../compiler/tests/cases/gateways/state.txt");
/// The uplink, and the VLAN of the external network.
const UPLINK: u16 = 65_101;
const VLAN: u16 = 100;

/// A bridge with what a host's switch has, and the interpreter's switch.
fn host<'d>(daemons: &'d Daemons, snapshot: &Snapshot, index: u32) -> Result<(Bridge<'d>, Arc<Switch>)> {
    let host = HostIndex::new(index).context("an index")?;
    let name: &'static str = if index == 1 { "br1" } else { "br2" };
    let mut channel = Channel::open(&daemons.bridge(name, interfaces(snapshot, host))?)?;
    let deltas: Vec<Delta> =
        wanted(snapshot, host).iter().map(|compiled| diff(&Default::default(), compiled)).collect();
    channel.apply(&deltas)?;
    let switch = World::new(snapshot.clone()).switch(host)?;
    Ok((Bridge::new(daemons, name)?, switch))
}

/// A UDP packet: its MACs, addresses and ports, source and destination.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Udp {
    macs: [[u8; 6]; 2],
    ips: [[u8; 4]; 2],
    ports: [u16; 2],
    ttl: u8,
    vlan: Option<u16>,
}

impl Udp {
    fn bytes(&self) -> Vec<u8> {
        let sum = |bytes: &[u8]| {
            let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
            let folded = (sum & 0xffff) + (sum >> 16);
            !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded")
        };
        let tag = self.vlan.map(|vlan| [&[0x81, 0][..], &vlan.to_be_bytes()].concat()).unwrap_or_default();
        let mut ip = vec![0x45, 0, 0, 28, 0, 0, 0, 0, self.ttl, 17, 0, 0];
        ip.extend(self.ips.concat());
        let checksum = sum(&ip);
        ip[10..12].copy_from_slice(&checksum.to_be_bytes());
        let [from, to] = self.ports.map(u16::to_be_bytes);
        // Without a checksum, which UDP over IPv4 may do.
        let udp = [&from[..], &to, &[0, 8, 0, 0]].concat();
        let frame = [&self.macs[1][..], &self.macs[0], &tag, &[8, 0], &ip, &udp].concat();
        [frame, vec![0; 18]].concat()
    }

    fn read(frame: &[u8]) -> Option<Udp> {
        let (vlan, at) = match frame.get(12..16)? {
            [0x81, 0, high, low] => (Some(u16::from_be_bytes([*high, *low]) & 0xfff), 18),
            _ => (None, 14),
        };
        let number = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
        let mac = |at: usize| frame.get(at..at + 6)?.try_into().ok();
        let ip = |at: usize| frame.get(at..at + 4)?.try_into().ok();
        Some(Udp {
            macs: [mac(6)?, mac(0)?],
            ips: [ip(at + 12)?, ip(at + 16)?],
            ports: [number(at + 20)?, number(at + 22)?],
            ttl: *frame.get(at + 8)?,
            vlan,
        })
    }

    fn packet(&self) -> Packet {
        let packet = Packet::new().with(oxm::eth_src(self.macs[0])).with(oxm::eth_dst(self.macs[1]));
        let packet = packet.with(oxm::eth_type(0x0800)).with(oxm::ip_proto(17)).with(oxm::ip_ttl(self.ttl));
        let packet = packet.with(oxm::ipv4_src(self.ips[0].into())).with(oxm::ipv4_dst(self.ips[1].into()));
        let packet = packet.with(oxm::udp_src(self.ports[0])).with(oxm::udp_dst(self.ports[1]));
        self.vlan.into_iter().fold(packet, |packet, vlan| packet.with(oxm::vlan_vid(vlan)))
    }

    fn of(packet: &Packet) -> Result<Udp> {
        let (from, to) = packet.addresses().context("addresses")?;
        let v4 = |ip| match ip {
            std::net::IpAddr::V4(ip) => Ok(ip.octets()),
            std::net::IpAddr::V6(ip) => anyhow::bail!("{ip}"),
        };
        let ([a, b], (c, d)) = ([packet.eth_src(), packet.eth_dst()], packet.ports());
        let vlan = packet.get(oxm::vlan_vid(0).id()).and_then(|vid| u16::try_from(vid).ok());
        let vlan = vlan.filter(|vid| *vid != 0).map(|vid| vid & 0xfff);
        Ok(Udp { macs: [a, b], ips: [v4(from)?, v4(to)?], ports: [c, d], ttl: packet.ttl(), vlan })
    }
}

/// Everything that leaves a switch.
fn outputs(steps: &[Step], into: &mut Vec<Output>) {
    fn of(deeds: &[Deed], into: &mut Vec<Output>) {
        for deed in deeds {
            match deed {
                Deed::Branch(_, steps) => outputs(steps, into),
                Deed::Copy(_, deeds) => of(deeds, into),
                Deed::Output(sent) => into.push(sent.clone()),
                Deed::Controller(_) | Deed::End(_) => {}
            }
        }
    }
    steps.iter().for_each(|step| of(&step.deeds, into));
}

/// One packet after the other, through a datapath and through the interpreter, which both remember.
struct Both<'d> {
    bridge: Bridge<'d>,
    switch: Arc<Switch>,
    tracker: Tracker,
}

impl Both<'_> {
    /// What becomes of a packet that comes in by one port and leaves by another: the same on both sides.
    fn pass(&mut self, by: u16, sent: &Udp, out: u16) -> Result<Udp> {
        let mut packet = sent.packet().arriving(PortNo(by.into()), 0);
        let steps = run(&self.switch, &mut self.tracker, Choice::First, &mut packet)?;
        let mut left = Vec::new();
        outputs(&steps, &mut left);
        ensure!(left.len() == 1 && left[0].port == PortNo(out.into()), "{sent:?}: {left:?}");
        let ours = Udp::of(&left[0].packet)?;
        let name = self.bridge.name;
        let frame =
            self.bridge.daemons.pass(&format!("{name}p{by}"), &sent.bytes(), &format!("{name}p{out}"))?;
        let theirs = Udp::read(&frame).context("no UDP")?;
        ensure!(ours == theirs, "{sent:?}\n  ours   {ours:?}\n  theirs {theirs:?}");
        Ok(theirs)
    }

    /// There and back, and there again.
    fn walk(&mut self, (by, out): (u16, u16), sent: &Udp) -> Result<Udp> {
        let there = self.pass(by, sent, out)?;
        let [a, b] = there.ports;
        let back = Udp {
            macs: [there.macs[1], there.macs[0]],
            ips: [there.ips[1], there.ips[0]],
            ports: [b, a],
            ttl: 64,
            vlan: there.vlan,
        };
        let back = self.pass(out, &back, by)?;
        ensure!(
            (back.ips, back.ports) == ([sent.ips[1], sent.ips[0]], [sent.ports[1], sent.ports[0]]),
            "{back:?}"
        );
        ensure!(self.pass(by, sent, out)? == there, "the same again");
        Ok(there)
    }
}

fn mac(last: [u8; 2]) -> [u8; 6] {
    [2, 0, 0, 0, last[0], last[1]]
}

#[test]
fn a_datapath_translates_as_the_interpreter_does() -> Result<()> {
    let daemons = Daemons::start()?;
    let snapshot = state::parse(STATE)?;
    let (machine, world) = (mac([0x99, 0x0a]), [203, 0, 113, 77]);
    let outside = |to: u8, ip: u8, port: u16| Udp {
        macs: [machine, mac([0x99, to])],
        ips: [world, [203, 0, 113, ip]],
        ports: [40_000, port],
        ttl: 64,
        vlan: Some(VLAN),
    };
    let inside = |from: u8, ip: u8, ports: [u16; 2]| Udp {
        macs: [mac([1, from]), mac([1, 1])],
        ips: [[10, 0, 0, ip], world],
        ports,
        ttl: 64,
        vlan: None,
    };
    // The gateway's host: c leaves with the gateway's address, also from the port that another connection has.
    let (bridge, switch) = host(&daemons, &snapshot, 2)?;
    let mut both = Both { bridge, switch, tracker: Tracker::default() };
    let first = both.walk((1, UPLINK), &inside(0x0d, 13, [5000, 53]))?;
    ensure!((first.ips[0], first.ports[0], first.ttl) == ([203, 0, 113, 2], 5000, 63), "{first:?}");
    both.walk((1, UPLINK), &inside(0x0d, 13, [5000, 54]))?;
    // The first host: a leaves with its floating IP, and is reached by it.
    let (bridge, switch) = host(&daemons, &snapshot, 1)?;
    let mut both = Both { bridge, switch, tracker: Tracker::default() };
    let out = both.walk((1, UPLINK), &inside(0x0b, 11, [5000, 53]))?;
    ensure!(out.ips[0] == [203, 0, 113, 21] && out.macs[0] == mac([0x99, 0x15]), "{out:?}");
    let come = both.walk((UPLINK, 1), &outside(0x15, 21, 80))?;
    ensure!(
        (come.ips[1], come.ports[1], come.macs) == ([10, 0, 0, 11], 80, [mac([1, 1]), mac([1, 0x0b])]),
        "{come:?}"
    );
    let left: BTreeSet<u16> = both.tracker.all().map(|(zone, _)| zone).collect();
    ensure!(left.len() == 1, "one zone serves both directions: {left:?}");
    Ok(())
}
