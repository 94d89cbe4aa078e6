//! The outside of a random deployment: an external network with a machine on it, gateways of some routers, floating IPs of
//! some ports; and who reaches whom, written from what the words mean.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use uuid::Uuid;
use weft_model::{
    Binding, Change, Encap, FLOATING_IP, FixedIp, FloatingIp, FloatingIpId, FloatingTarget, Gateway,
    GatewayZone, MacAddr, Network, NetworkId, OfPort, PhysnetKey, Port as PortRecord, PortId, PortKey,
    PortSecurity, ROUTER_GATEWAY, Record, Revision, Router as Routing, Segment, Snapshot, Stamp, Subnet,
    SubnetId, VlanId, Vni,
};
use weft_openflow::oxm;
use weft_trace::Packet;

use crate::forwards::{self, Forward};
use crate::model::{Host, Model, Port};
use crate::random::Random;
use crate::routing::{self, Leg, router_id};
use crate::{may, security};

/// The physical network of the external one, as [`Host::mapped`] counts, and a tag that no tenant's network has.
const PHYSNET: usize = 0;
const VLAN: u16 = 300;
/// Ofports that the model's ports do not have.
const OFPORT: i64 = 200;

#[derive(Debug, Clone)]
pub struct Outside {
    /// Where the machine is.
    pub machine: usize,
    pub gateways: Vec<Way>,
    pub floating: Vec<Floating>,
    pub forwards: Vec<Forward>,
}

/// A router's gateway.
#[derive(Debug, Clone)]
pub struct Way {
    pub router: usize,
    /// Its list, by number.
    pub hosts: Vec<usize>,
    pub snat: bool,
    pub number: u8,
}

/// A floating IP of a port, by one of the gateways.
#[derive(Debug, Clone)]
pub struct Floating {
    pub way: usize,
    pub leg: usize,
    pub port: usize,
    pub number: u8,
}

/// What everything on the external network has.
fn mac(number: u8) -> [u8; 6] {
    [2, 0x99, 0, 0, 0, number]
}

/// An address on the external network.
pub fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, number)
}

const MACHINE: u8 = 250;

impl Outside {
    /// None where no host has a way outside.
    pub fn random(model: &Model, random: &mut Random) -> Option<Outside> {
        let mapped: Vec<usize> = (0..model.hosts.len()).filter(|n| model.hosts[*n].mapped[PHYSNET]).collect();
        if mapped.is_empty() {
            return None;
        }
        let machine = *random.pick(&mapped);
        let mut outside = Outside { machine, gateways: vec![], floating: vec![], forwards: vec![] };
        for router in 0..model.routers.len() {
            if random.once_in(4) {
                continue;
            }
            // Also hosts that cannot serve it, whose place the others take; but only such as all others can reach alike:
            // where some reach the first and some the second, each has its own idea of who is alive.
            let families = |host: &Host| (host.v4, host.v6);
            let kind = families(random.pick(&model.hosts));
            let alike = (0..model.hosts.len()).filter(|host| families(&model.hosts[*host]) == kind);
            let mut hosts: Vec<usize> = alike.filter(|_| !random.once_in(3)).take(3).collect();
            if random.once_in(2) {
                hosts.reverse();
            }
            let number = u8::try_from(10 + router).expect("few routers");
            outside.gateways.push(Way { router, hosts, snat: !random.once_in(3), number });
        }
        for (way, gateway) in outside.gateways.iter().enumerate() {
            for (leg, Leg { network, .. }) in model.routers[gateway.router].legs.iter().enumerate() {
                for (port, _) in model.ports.iter().enumerate().filter(|(_, port)| port.network == *network) {
                    let is_taken = outside.floating.iter().any(|other| other.port == port);
                    if random.once_in(2) && !is_taken {
                        let number = u8::try_from(100 + outside.floating.len()).expect("few ports");
                        outside.floating.push(Floating { way, leg, port, number });
                    }
                }
            }
        }
        outside.forwards = forwards::random(&outside, model, random);
        Some(outside)
    }

    /// The host that serves a gateway: the first of its list that can.
    pub fn server<'m>(&self, model: &'m Model, way: usize) -> Option<&'m Host> {
        let hosts = self.gateways[way].hosts.iter().map(|host| &model.hosts[*host]);
        hosts.into_iter().find(|host| host.mapped[PHYSNET])
    }

    /// The host that serves a floating IP: the port's own if it can, else that of the gateway.
    fn seat<'m>(&self, model: &'m Model, floating: &Floating) -> Option<&'m Host> {
        let port = &model.ports[floating.port];
        model.place(port)?;
        Outside::own_seat(model, port).or_else(|| self.server(model, floating.way))
    }

    /// A port's own host, if it serves the port's floating IP: those of subports are served by gateways only.
    fn own_seat<'m>(model: &'m Model, port: &Port) -> Option<&'m Host> {
        model.place(port).filter(|host| host.mapped[PHYSNET] && port.parent.is_none())
    }

    /// The floating IP of a port by one of the gateways.
    fn of(&self, port: &Port, way: usize, model: &Model) -> Option<&Floating> {
        self.floating.iter().find(|f| f.way == way && model.ports[f.port].key == port.key)
    }

    /// Whether the machine reaches the port behind a floating IP.
    pub fn comes_in(&self, model: &Model, floating: &Floating, packet: &Packet) -> bool {
        let Floating { way, leg, port, .. } = *floating;
        let router = self.gateways[way].router;
        let to = &model.ports[port];
        let leg = &model.routers[router].legs[leg];
        let leads = model.routers[router].up && leg.up && may::is_up(model, to);
        let carried = self
            .seat(model, floating)
            .zip(model.place(to))
            .is_some_and(|(seat, place)| may::connected(&model.networks[to.network], seat, place));
        leads && carried && security::into_from_anybody(model, to, &translated(packet, to))
    }

    /// The address with which a packet of a port that it sends into a router reaches the machine, if it does.
    pub fn goes_out(
        &self,
        model: &Model,
        from: &Port,
        (way, leg): (usize, usize),
        packet: &Packet,
    ) -> Option<Ipv4Addr> {
        let Way { router, snat, number, .. } = self.gateways[way];
        let entered = &model.routers[router].legs[leg];
        let leads = model.routers[router].up && entered.up && may::is_up(model, from);
        if !leads || entered.network != from.network || !security::out(model, from, None, packet) {
            return None;
        }
        let host = model.place(from)?;
        let floating = self.of(from, way, model);
        if Outside::own_seat(model, from).is_some()
            && let Some(floating) = floating
        {
            return Some(address(floating.number));
        }
        let server = self.server(model, way)?;
        // To the gateway packets travel in a tunnel, whatever the network of the port is made of.
        let carried = host.index == server.index || host.v4 && server.v4 || host.v6 && server.v6;
        let own = if snat { address(number) } else { from.ipv4() };
        carried.then(|| floating.map_or(own, |floating| address(floating.number)))
    }

    /// Whether the machine's answer to a port comes back: what remembers connections lets it in, and from the host that
    /// translated it is carried as any packet of the port's network.
    pub fn comes_back(&self, model: &Model, from: &Port, way: usize, answer: &Packet) -> bool {
        let own = Outside::own_seat(model, from).filter(|_| self.of(from, way, model).is_some());
        let translated_at = own.or_else(|| self.server(model, way));
        let carried = translated_at
            .zip(model.place(from))
            .is_some_and(|(seat, place)| may::connected(&model.networks[from.network], seat, place));
        let lets_in = security::remembers(model, from)
            || security::into_from_anybody(model, from, &translated(answer, from));
        carried && lets_in
    }

    /// Whether a router that does not translate leads to a port from outside, maybe through others.
    pub fn is_open(&self, model: &Model, to: PortId) -> bool {
        self.gateways.iter().filter(|way| !way.snat).any(|way| {
            let legs = model.routers[way.router].legs.iter();
            let mut joined = legs.flat_map(|leg| routing::realm(leg.network, &model.routers));
            joined.any(|network| model.port(to).is_some_and(|port| port.network == network))
        })
    }

    /// Whether a port has a floating IP, or ports of one.
    pub fn stands_for(&self, model: &Model, to: PortId) -> bool {
        let floating = self.floating.iter().map(|floating| floating.port);
        let mut all = floating.chain(self.forwards.iter().map(|forward| forward.port));
        all.any(|port| model.ports[port].id() == to)
    }

    /// The numbers of everything on the external network that leads inside.
    pub fn doors(&self) -> Vec<u8> {
        let ways = self.gateways.iter().map(|way| way.number);
        let forwards = self.forwards.iter().map(|forward| forward.number);
        ways.chain(self.floating.iter().map(|floating| floating.number)).chain(forwards).collect()
    }

    /// A gateway, and an interface of its router.
    pub fn a_way(&self, model: &Model, random: &mut Random) -> Option<(usize, usize)> {
        let legs = |way: &Way| 0..model.routers[way.router].legs.len();
        let all = self.gateways.iter().enumerate().flat_map(|(n, way)| legs(way).map(move |leg| (n, leg)));
        let all: Vec<_> = all.collect();
        (!all.is_empty()).then(|| *random.pick(&all))
    }
}

/// As the port behind a floating IP gets it.
fn translated(packet: &Packet, to: &Port) -> Packet {
    packet.clone().with(oxm::ipv4_dst(to.ipv4()))
}

/// A packet of the machine to something on the external network, or to any address by way of it.
pub fn sent(by: u8, to: Ipv4Addr) -> Packet {
    let frame = Packet::new().with(oxm::eth_src(mac(MACHINE))).with(oxm::eth_dst(mac(by)));
    let packet = frame.with(oxm::eth_type(0x0800)).with(oxm::ipv4_src(address(MACHINE)));
    let packet = packet.with(oxm::ipv4_dst(to)).with(oxm::ip_proto(6)).with(oxm::ip_ttl(64));
    packet.with(oxm::tcp_src(40_000)).with(oxm::tcp_dst(80))
}

/// A packet of a port to the machine, into a router.
pub fn leaving(from: &Port, leg: &Leg) -> Packet {
    let frame = Packet::new().with(oxm::eth_src(from.mac())).with(oxm::eth_dst(leg.mac()));
    let packet = frame.with(oxm::eth_type(0x0800)).with(oxm::ipv4_src(from.ipv4()));
    let packet = packet.with(oxm::ipv4_dst(address(MACHINE))).with(oxm::ip_proto(6)).with(oxm::ip_ttl(64));
    packet.with(oxm::tcp_src(40_000)).with(oxm::tcp_dst(80))
}

/// The machine's port.
pub fn machine() -> PortId {
    port_id(MACHINE)
}

fn port_id(number: u8) -> PortId {
    PortId(Uuid::from_u128(0xe000 + u128::from(number)))
}

fn network_id() -> NetworkId {
    NetworkId(Uuid::from_u128(0xe))
}

fn floating_id(number: u8) -> FloatingIpId {
    FloatingIpId(Uuid::from_u128(0xf000 + u128::from(number)))
}

/// Puts the outside into a state that has the rest of the model.
pub fn complete(outside: &Outside, model: &Model, snapshot: &mut Snapshot) {
    let example = PortRecord::clone(snapshot.ports().next().expect("a model has ports"));
    let mut records = vec![network(snapshot), subnet(snapshot)];
    let port = |number: u8, (owner, device): (&str, String)| PortRecord {
        id: port_id(number),
        network: network_id(),
        key: PortKey::new(5000 + u32::from(number)).expect("in range"),
        mac: MacAddr(mac(number)),
        fixed_ips: vec![FixedIp { subnet: subnet_id(), address: IpAddr::V4(address(number)) }],
        admin_up: true,
        security: PortSecurity::Off,
        policy: None,
        device_owner: owner.to_owned(),
        device_id: device,
        ..example.clone()
    };
    records.push(Record::Port(Arc::new(port(MACHINE, ("", String::new())))));
    records.push(Record::Binding(Arc::new(Binding {
        port: machine(),
        host: model.hosts[outside.machine].name.parse().expect("a host id"),
        interface: "machine".to_owned(),
        ofport: OfPort::new(OFPORT).expect("in range"),
        since: Revision(1),
        behind: None,
    })));
    for (n, way) in outside.gateways.iter().enumerate() {
        let router = &model.routers[way.router];
        let id = router_id(router);
        records.push(Record::Port(Arc::new(port(way.number, (ROUTER_GATEWAY, id.to_string())))));
        let known = Routing::clone(snapshot.router(&id).expect("of the model"));
        let hosts = way.hosts.iter().map(|host| &model.hosts[*host]);
        let n = u32::try_from(n).expect("few");
        let gateway = Gateway {
            network: network_id(),
            port: port_id(way.number),
            snat: way.snat,
            transit: Vni::new(9100 + n).expect("in range"),
            encap: Encap::Vxlan,
            zone: GatewayZone::new(n + 1).expect("in range"),
            hosts: hosts
                .map(|host| weft_model::HostIndex::new(host.index.into()).expect("in range"))
                .collect(),
        };
        records.push(Record::Router(Arc::new(Routing { gateway: Some(gateway), ..known })));
    }
    for floating in &outside.floating {
        let (number, id) = (floating.number, floating_id(floating.number));
        records.push(Record::Port(Arc::new(port(number, (FLOATING_IP, id.to_string())))));
        let target = &model.ports[floating.port];
        let router = router_id(&model.routers[outside.gateways[floating.way].router]);
        let target = FloatingTarget { port: target.id(), address: target.ipv4(), router };
        records.push(Record::FloatingIp(Arc::new(floating_ip(id, number, Some(target)))));
    }
    for forward in &outside.forwards {
        let (number, id) = (forward.number, forward.floating());
        records.push(Record::Port(Arc::new(port(number, (FLOATING_IP, id.to_string())))));
        records.push(Record::FloatingIp(Arc::new(floating_ip(id, number, None))));
        records.push(Record::PortForwarding(Arc::new(forward.record(outside, model))));
    }
    let changes: Vec<Change> = records.into_iter().map(Change::Put).collect();
    snapshot.apply(Revision(20_000), &changes);
}

fn floating_ip(id: FloatingIpId, number: u8, target: Option<FloatingTarget>) -> FloatingIp {
    FloatingIp {
        id,
        tenant: "tenant".parse().expect("an id"),
        stamp: Stamp::default(),
        network: network_id(),
        port: port_id(number),
        address: address(number),
        target,
    }
}

fn network(snapshot: &Snapshot) -> Record {
    let example = Network::clone(snapshot.networks().next().expect("a model has networks"));
    let physnet = PhysnetKey::new(u32::try_from(PHYSNET + 1).expect("small")).expect("in range");
    Record::Network(Arc::new(Network {
        id: network_id(),
        vni: Vni::new(9000).expect("in range"),
        admin_up: true,
        segment: Some(Segment { physnet, vlan: VlanId::new(VLAN.into()) }),
        external: true,
        ..example
    }))
}

fn subnet_id() -> SubnetId {
    SubnetId(Uuid::from_u128(0xe4))
}

fn subnet(snapshot: &Snapshot) -> Record {
    let example = Subnet::clone(snapshot.subnets().next().expect("a model has subnets"));
    Record::Subnet(Arc::new(Subnet {
        id: subnet_id(),
        network: network_id(),
        cidr: "203.0.113.0/24".parse().expect("a prefix"),
        gateway: None,
        ..example
    }))
}
