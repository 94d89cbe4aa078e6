//! Ways out and in beside a datapath that really remembers connections: what leaves, by which port and as what, with
//! addresses and ports translated there and back. The state is that of the compiler's golden case.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use weft_openflow::PortNo;
use weft_trace::{Choice, Deed, Sent as Output, Step, Switch, Tracker, run};

use crate::daemons::Daemons;
use crate::gateways::{STATE, UPLINK, VLAN, host, number};
use crate::random::Random;
use crate::state;
use crate::verdict::Bridge;
use crate::wire::{ICMP, TCP, UDP, Wire};

/// How many packets walk on each host; `GATEWAYS_STEPS` says otherwise.
const STEPS: u64 = 100;
/// The machine outside.
const MACHINE: [u8; 4] = [203, 0, 113, 77];

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

/// Where a packet comes in: a port, and the tunnel's number.
type Door = (u16, u64);

/// One packet after the other, through a datapath and through the interpreter, which both remember.
struct Both<'d> {
    bridge: Bridge<'d>,
    switch: Arc<Switch>,
    tracker: Tracker,
}

impl<'d> Both<'d> {
    fn new(daemons: &'d Daemons, index: u32) -> Result<Both<'d>> {
        let (bridge, switch) = host(daemons, &state::parse(STATE)?, index)?;
        Ok(Both { bridge, switch, tracker: Tracker::default() })
    }

    /// What leaves, by which ports: the same on both sides.
    fn pass(&mut self, door: Door, sent: &Wire) -> Result<Vec<(u32, Wire)>> {
        let mut packet = sent.packet().arriving(PortNo(door.0.into()), door.1);
        let steps = run(&self.switch, &mut self.tracker, Choice::First, &mut packet)?;
        let mut left = Vec::new();
        outputs(&steps, &mut left);
        left.retain(|output| self.bridge.has(output.port.0));
        let ours = left.iter().map(|output| Ok((output.port.0, Wire::of(&output.packet)?)));
        let mut ours = ours.collect::<Result<Vec<_>>>()?;
        let mut theirs = self.through_the_datapath(door, sent)?;
        ours.sort();
        theirs.sort();
        ensure!(ours == theirs, "{door:?} {sent:?}\n  ours   {ours:?}\n  theirs {theirs:?}");
        Ok(theirs)
    }

    fn through_the_datapath(&self, door: Door, sent: &Wire) -> Result<Vec<(u32, Wire)>> {
        let Bridge { daemons, name, .. } = self.bridge;
        let interface = |port: u32| format!("{name}p{port}");
        let before: Vec<(u32, usize)> =
            self.bridge.ports().map(|port| (port, daemons.left(&interface(port)).len())).collect();
        let hex: String = sent.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let (port, tunnel) = door;
        let packet = format!("in_port={port},tun_id={tunnel},packet={hex},actions=resubmit(,0)");
        // When this has been answered, all is done that is done with the packet.
        daemons.run("ovs-ofctl", &["-O", "OpenFlow15", "packet-out", name, &packet])?;
        let mut left = Vec::new();
        for (port, before) in before {
            for frame in daemons.left(&interface(port)).iter().skip(before) {
                left.push((port, Wire::read(frame).with_context(|| format!("{frame:x?} by {port}"))?));
            }
        }
        Ok(left)
    }

    /// What becomes of a packet that leaves by one port.
    fn once(&mut self, by: u16, sent: &Wire, out: u16) -> Result<Wire> {
        let left = self.pass((by, 0), sent)?;
        ensure!(left.len() == 1 && left[0].0 == u32::from(out), "{sent:?}: {left:?}");
        Ok(left[0].1.clone())
    }

    /// There and back, and there again.
    fn walk(&mut self, (by, out): (u16, u16), sent: &Wire) -> Result<Wire> {
        let there = self.once(by, sent, out)?;
        let back = self.once(out, &there.answer(), by)?;
        let (wanted, again) = (sent.answer(), self.once(by, sent, out)?);
        ensure!((back.ips, back.ports) == (wanted.ips, wanted.ports), "{back:?}");
        ensure!(again == there, "the same again: {again:?}");
        Ok(there)
    }
}

fn mac(last: [u8; 2]) -> [u8; 6] {
    [2, 0, 0, 0, last[0], last[1]]
}

fn outside(protocol: u8, (to, ip): (u8, u8), ports: [u16; 2]) -> Wire {
    let macs = [mac([0x99, 0x0a]), mac([0x99, to])];
    Wire { vlan: Some(VLAN), ..Wire::new(protocol, macs, [MACHINE, [203, 0, 113, ip]], ports) }
}

fn inside(protocol: u8, (from, ip): (u8, u8), to: [u8; 4], ports: [u16; 2]) -> Wire {
    Wire::new(protocol, [mac([1, from]), mac([1, 1])], [[10, 0, 0, ip], to], ports)
}

#[test]
fn a_datapath_translates_as_the_interpreter_does() -> Result<()> {
    let daemons = Daemons::start()?;
    // The gateway's host: c leaves with the gateway's address, also from the port that another connection has.
    let mut both = Both::new(&daemons, 2)?;
    let first = both.walk((1, UPLINK), &inside(UDP, (0x0d, 13), MACHINE, [5000, 53]))?;
    ensure!((first.ips[0], first.ports[0], first.ttl) == ([203, 0, 113, 2], 5000, 63), "{first:?}");
    both.walk((1, UPLINK), &inside(UDP, (0x0d, 13), MACHINE, [5000, 54]))?;
    // A port of a floating IP is forwarded to it.
    let come = both.walk((UPLINK, 1), &outside(TCP, (0x17, 23), [40_000, 81]))?;
    ensure!((come.ips[1], come.ports[1]) == ([10, 0, 0, 13], 8081), "{come:?}");
    // The first host: a leaves with its floating IP, and is reached by it.
    let mut both = Both::new(&daemons, 1)?;
    let out = both.walk((1, UPLINK), &inside(UDP, (0x0b, 11), MACHINE, [5000, 53]))?;
    ensure!(out.ips[0] == [203, 0, 113, 21] && out.macs[0] == mac([0x99, 0x15]), "{out:?}");
    let come = both.walk((UPLINK, 1), &outside(UDP, (0x15, 21), [40_000, 80]))?;
    ensure!(
        (come.ips[1], come.ports[1], come.macs) == ([10, 0, 0, 11], 80, [mac([1, 1]), mac([1, 0x0b])]),
        "{come:?}"
    );
    let zones: std::collections::BTreeSet<u16> = both.tracker.all().map(|(zone, _)| zone).collect();
    ensure!(zones.len() == 1, "one zone serves both directions: {zones:?}");
    Ok(())
}

/// Something new: from outside, out of a tunnel, or from a workload of the host.
fn fresh(index: u32, random: &mut Random) -> (Door, Wire) {
    let protocol = *random.pick(&[UDP, TCP, ICMP]);
    // Few enough that connections meet, and clash where they are translated to the same address.
    let near = 5000 + u16::from(random.byte() % 4);
    let ports = if protocol == ICMP { [8, near] } else { [near, *random.pick(&[80, 81, 22, 1001, 53])] };
    // MACs of ports of the external network, and their addresses.
    let doors = [(0x02, 2), (0x04, 4), (0x15, 21), (0x16, 22), (0x17, 23), (0x19, 25), (0x1a, 26)];
    let (door, far) = (*random.pick(&doors), *random.pick(&doors));
    let to = *random.pick(&[MACHINE, MACHINE, [203, 0, 113, far.1]]);
    let of_host: &[(Door, (u8, u8))] = match index {
        1 => &[((1, 0), (0x0b, 11)), ((2, 0), (0x0c, 12)), ((43_703, 901), (0x0b, 11))],
        _ => &[((1, 0), (0x0d, 13)), ((33_001, 900), (0x0b, 11)), ((33_003, 900), (0x0c, 12))],
    };
    let mut new = match random.below(3) {
        0 => ((UPLINK, 0), outside(protocol, door, ports)),
        _ => {
            let (by, sender) = *random.pick(of_host);
            (by, inside(protocol, sender, to, ports))
        }
    };
    new.1.ttl = *random.pick(&[2, 64, 64]);
    new
}

/// What somebody sends who has got a packet by a port: an answer. What went into a tunnel comes back by the gateway.
fn answered(by: u32, got: &Wire, random: &mut Random) -> (Door, Wire) {
    let port = u16::try_from(by).expect("a port of the bridge's");
    let tunnel = if (1000..UPLINK).contains(&port) { *random.pick(&[900, 901]) } else { 0 };
    ((port, tunnel), got.answer())
}

/// Everything that has happened on a host so far.
#[derive(Default)]
struct Story {
    sent: Vec<(Door, Wire)>,
    got: Vec<(u32, Wire)>,
}

impl Story {
    /// What comes next, and whether it is an answer: also what was sent before, again.
    fn next(&self, index: u32, random: &mut Random) -> ((Door, Wire), bool) {
        match random.below(4) {
            0 if !self.sent.is_empty() => (random.pick(&self.sent).clone(), false),
            1 | 2 if !self.got.is_empty() => {
                let (by, packet) = random.pick(&self.got);
                (answered(*by, packet, random), true)
            }
            _ => (fresh(index, random), false),
        }
    }
}

#[test]
fn random_connections_are_translated_there_and_back() -> Result<()> {
    let daemons = Daemons::start()?;
    let (steps, seed) = (number("GATEWAYS_STEPS", STEPS), number("GATEWAYS_SEED", 0));
    for index in [1, 2] {
        let mut random = Random::new(u64::from(index) + seed);
        let (mut both, mut story) = (Both::new(&daemons, index)?, Story::default());
        // There, and back.
        let mut translated = [0; 2];
        for step in 0..steps {
            let ((door, packet), is_answer) = story.next(index, &mut random);
            let left = both.pass(door, &packet).with_context(|| format!("host {index}, step {step}"))?;
            let is_changed = left.iter().any(|(_, left)| left.ips != packet.ips);
            translated[usize::from(is_answer)] += u64::from(is_changed);
            story.sent.push((door, packet));
            story.got.extend(left);
        }
        ensure!(translated.iter().all(|count| count * 10 > steps), "host {index}: {translated:?}");
    }
    Ok(())
}
