//! Forwarded ports of a random outside: who gets what comes by them, and whether the answer finds back.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use uuid::Uuid;
use weft_model::{FloatingIpId, PortForwarding, PortForwardingId, PortId, PortRange, Stamp, Transport};
use weft_openflow::oxm;
use weft_trace::{Packet, Trace, World};

use crate::model::Model;
use crate::outside::{self, Outside, Way};
use crate::random::Random;
use crate::routing::router_id;
use crate::{cases, may, packets, reached, security, told, with_an_outside};

/// How many ports of each floating IP are forwarded.
const PORTS: u16 = 2;

/// A floating IP of which ports are forwarded to a port by one of the gateways.
#[derive(Debug, Clone)]
pub struct Forward {
    pub way: usize,
    pub leg: usize,
    pub port: usize,
    pub number: u8,
    /// The first of the ports, outside and inside.
    pub external: u16,
    pub internal: u16,
}

/// Forwardings to some of the ports that have no floating IP of their own: nobody may have both.
pub fn random(outside: &Outside, model: &Model, random: &mut Random) -> Vec<Forward> {
    let mut forwards: Vec<Forward> = Vec::new();
    for (way, Way { router, .. }) in outside.gateways.iter().enumerate() {
        for (leg, entered) in model.routers[*router].legs.iter().enumerate() {
            let inside = model.ports.iter().enumerate().filter(|(_, port)| port.network == entered.network);
            for (port, known) in inside {
                if random.once_in(2) || outside.stands_for(model, known.id()) || forwards.len() == 40 {
                    continue;
                }
                let number = u8::try_from(200 + forwards.len()).expect("at most 40");
                let internal = *random.pick(&[80, 8080]);
                forwards.push(Forward { way, leg, port, number, external: 80, internal });
            }
        }
    }
    forwards
}

impl Forward {
    /// As a record.
    pub fn record(&self, outside: &Outside, model: &Model) -> PortForwarding {
        let target = &model.ports[self.port];
        let range = |first: u16| PortRange::new(first, first + PORTS - 1).expect("a range");
        PortForwarding {
            id: PortForwardingId(Uuid::from_u128(0xd000 + u128::from(self.number))),
            floating_ip: self.floating(),
            stamp: Stamp::default(),
            protocol: Transport::Tcp,
            external: range(self.external),
            port: target.id(),
            address: target.ipv4(),
            internal: range(self.internal),
            router: router_id(&model.routers[outside.gateways[self.way].router]),
        }
    }

    pub fn floating(&self) -> FloatingIpId {
        FloatingIpId(Uuid::from_u128(0xc000 + u128::from(self.number)))
    }

    /// A packet of the machine to the port that is this far from the first one.
    fn sent(&self, offset: u16) -> Packet {
        outside::sent(self.number, outside::address(self.number)).with(oxm::tcp_dst(self.external + offset))
    }

    /// Whether such a packet reaches the port that it is forwarded to: by the gateway, wherever that port is.
    fn comes_in(&self, outside: &Outside, model: &Model, offset: u16) -> bool {
        let router = &model.routers[outside.gateways[self.way].router];
        let to = &model.ports[self.port];
        let leads = router.up && router.legs[self.leg].up && may::is_up(model, to);
        let carried = outside
            .server(model, self.way)
            .zip(model.place(to))
            .is_some_and(|(server, place)| may::connected(&model.networks[to.network], server, place));
        let packet =
            self.sent(offset).with(oxm::ipv4_dst(to.ipv4())).with(oxm::tcp_dst(self.internal + offset));
        offset < PORTS && leads && carried && security::into_from_anybody(model, to, &packet)
    }

    /// Whether the port's answer is let out, and carried to the gateway in its own tunnel.
    fn goes_back(&self, outside: &Outside, model: &Model, answer: &Packet) -> bool {
        let to = &model.ports[self.port];
        let ends = outside.server(model, self.way).zip(model.place(to));
        let carried = ends.is_some_and(|(server, place)| {
            server.index == place.index || server.v4 && place.v4 || server.v6 && place.v6
        });
        carried && (security::remembers(model, to) || security::out(model, to, None, answer))
    }
}

/// The port answers the packet that it has got, to its router: the machine hears from where it has asked, or nobody hears
/// anything. Whether it does.
fn answered(
    (model, outside, world): (&Model, &Outside, &mut World),
    forward: &Forward,
    offset: u16,
    trace: &Trace,
) -> bool {
    let to = &model.ports[forward.port];
    let (_, got) = trace.delivered().next().expect("it came");
    assert_eq!(got.addresses().expect("IP").1, IpAddr::V4(to.ipv4()));
    assert_eq!(got.ports().1, forward.internal + offset);
    let sender = world.snapshot().port(&to.id()).expect("of the model").clone();
    let leg = &model.routers[outside.gateways[forward.way].router].legs[forward.leg];
    // On a physical network it may have come from a MAC of a host's.
    let answer = packets::answer(got).with(oxm::eth_dst(leg.mac()));
    let wanted = forward.goes_back(outside, model, &answer);
    let back = world.send(&sender, &answer).expect("no fault");
    let seen: Vec<_> = back
        .delivered()
        .map(|(port, packet)| (port, packet.addresses().expect("IP").0, packet.ports().0))
        .collect();
    let source = IpAddr::V4(outside::address(forward.number));
    let expected = (outside::machine(), source, forward.external + offset);
    let expected: Vec<_> = Some(expected).filter(|_| wanted).into_iter().collect();
    assert_eq!(seen, expected, "the answer of {}: {answer}\n{}", to.name, told(&back));
    reached(&back);
    wanted
}

#[test]
fn forwarded_ports_lead_to_whom_they_are_for_and_back() {
    let (sent, came, back) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    with_an_outside(|model, outside, world, _| {
        let machine = world.snapshot().port(&outside::machine()).expect("it is there").clone();
        for (forward, offset) in
            outside.forwards.iter().flat_map(|f| (0..=PORTS).map(move |offset| (f, offset)))
        {
            let packet = forward.sent(offset);
            world.forget();
            let trace = world.send(&machine, &packet).expect("no fault");
            let to = &model.ports[forward.port];
            let expected: BTreeSet<PortId> =
                Some(to.id()).filter(|_| forward.comes_in(outside, model, offset)).into_iter().collect();
            assert_eq!(reached(&trace), expected, "{forward:?}: {packet}\n{}", told(&trace));
            sent.fetch_add(1, Relaxed);
            if expected.is_empty() {
                continue;
            }
            let is_back = answered((model, outside, world), forward, offset, &trace);
            came.fetch_add(1, Relaxed);
            back.fetch_add(usize::from(is_back), Relaxed);
        }
    });
    let (sent, came, back) = (sent.into_inner(), came.into_inner(), back.into_inner());
    let is_short = cases().count() < 100;
    assert!(
        is_short || came * 20 > sent && came < sent && back * 2 > came,
        "{came} of {sent} packets came in, {back} answers went back"
    );
}
