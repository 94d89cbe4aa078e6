//! The routers of a random deployment, and the records that the language of the compiler's tests has no words for.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use uuid::Uuid;
use weft_model::{
    Change, FixedIp, MacAddr, NetworkId, NextHop, Port, PortId, PortKey, PortSecurity, ROUTER_INTERFACE,
    Record, Revision, Route, Router as Routing, RouterId, RouterKey, Snapshot, Stamp, Subnet, SubnetId,
};

use crate::model::{Model, Network};
use crate::random::Random;
use crate::security;

#[derive(Debug, Clone)]
pub struct Router {
    pub key: u32,
    pub up: bool,
    pub legs: Vec<Leg>,
    /// To a subnet, through the leg of another router: which router, which of its legs.
    pub routes: Vec<(u8, usize, usize)>,
}

/// A router's interface.
#[derive(Debug, Clone)]
pub struct Leg {
    pub network: usize,
    /// The last byte of its MAC and of its addresses, and its key.
    pub number: u8,
    pub up: bool,
}

impl Leg {
    pub fn mac(&self) -> [u8; 6] {
        [2, 0, 0, 0, 1, self.number]
    }

    pub fn ipv4(&self, network: &Network) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, network.subnet, self.number)
    }

    pub fn ipv6(&self, network: &Network) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0, 0, u16::from(network.subnet), 0, 0, 0, u16::from(self.number))
    }
}

/// Routers between networks; no two networks of a realm have the same subnet.
pub fn routers(networks: &[Network], random: &mut Random) -> Vec<Router> {
    let mut routers: Vec<Router> = Vec::new();
    for n in 0..random.below(4) {
        let mut router = Router {
            key: u32::try_from(n + 1).expect("small"),
            up: !random.once_in(8),
            legs: vec![],
            routes: vec![],
        };
        for _ in 0..random.below(4) {
            let network = usize::try_from(random.below(networks.len() as u64)).expect("an index");
            let taken: usize =
                routers.iter().map(|router| router.legs.len()).sum::<usize>() + router.legs.len();
            let number = u8::try_from(200 + taken).expect("few legs");
            let mut with = router.clone();
            with.legs.push(Leg { network, number, up: !random.once_in(10) });
            let mut all = routers.clone();
            all.push(with.clone());
            if !router.legs.iter().any(|leg| leg.network == network) && subnets_differ(networks, &all) {
                router = with;
            }
        }
        routers.push(router);
    }
    static_routes(networks, &mut routers, random);
    routers
}

/// Routes from routers to later ones in a common network, so that nothing goes round in circles.
fn static_routes(networks: &[Network], routers: &mut [Router], random: &mut Random) {
    for from in 0..routers.len() {
        for to in from + 1..routers.len() {
            let shared = routers[to]
                .legs
                .iter()
                .position(|leg| routers[from].legs.iter().any(|own| own.network == leg.network));
            let Some(leg) = shared.filter(|_| random.once_in(2)) else { continue };
            let destination = networks[random.pick(&routers[to].legs).network].subnet;
            if !routers[from].routes.iter().any(|(other, ..)| *other == destination) {
                routers[from].routes.push((destination, to, leg));
            }
        }
    }
}

fn subnets_differ(networks: &[Network], routers: &[Router]) -> bool {
    (0..networks.len()).all(|first| {
        let realm = realm(first, routers);
        let subnets: BTreeSet<u8> = realm.iter().map(|network| networks[*network].subnet).collect();
        subnets.len() == realm.len()
    })
}

/// The networks that routers join with one.
pub fn realm(first: usize, routers: &[Router]) -> BTreeSet<usize> {
    let mut realm = BTreeSet::from([first]);
    loop {
        let joins = |router: &&Router| router.legs.iter().any(|leg| realm.contains(&leg.network));
        let joined: BTreeSet<usize> = routers
            .iter()
            .filter(joins)
            .flat_map(|router| router.legs.iter().map(|leg| leg.network))
            .collect();
        if joined.is_subset(&realm) {
            return realm;
        }
        realm.extend(joined);
    }
}

/// Puts the model's subnets, routers and security groups into a state that has the rest of it.
pub fn complete(model: &Model, snapshot: &mut Snapshot) {
    let mut changes = Vec::new();
    for network in &model.networks {
        changes.extend(subnets(network));
    }
    let policies = security::policies(model);
    changes.extend(security::records(model));
    for port in &model.ports {
        let id = port.id();
        let mut record = Port::clone(snapshot.port(&id).expect("of the text"));
        for ip in record.fixed_ips.iter_mut().filter(|ip| ip.address.is_ipv6()) {
            ip.subnet = subnet_id(&model.networks[port.network], 6);
        }
        record.policy = security::worn(port).and_then(|groups| policies.get(&groups).copied());
        changes.push(Record::Port(Arc::new(record)));
    }
    let example = Port::clone(snapshot.ports().next().expect("a model has ports"));
    for router in &model.routers {
        changes.push(Record::Router(Arc::new(record(model, router))));
        for leg in &router.legs {
            changes.push(Record::Port(Arc::new(interface(model, router, leg, &example))));
        }
    }
    let changes: Vec<Change> = changes.into_iter().map(Change::Put).collect();
    snapshot.apply(Revision(10_000), &changes);
}

fn network_id(network: &Network) -> NetworkId {
    crate::state::network_id(&network.name)
}

/// That of IPv4 is what the language gives every address.
fn subnet_id(network: &Network, family: u8) -> SubnetId {
    let subnet = crate::state::subnet_id(&network.name);
    if family == 4 { subnet } else { SubnetId(Uuid::from_u128(subnet.0.as_u128() ^ 0x6)) }
}

fn subnets(network: &Network) -> [Record; 2] {
    let prefix = |family: u8| {
        let text = match family {
            4 => format!("10.0.{}.0/24", network.subnet),
            _ => format!("fd00:0:0:{:x}::/64", network.subnet),
        };
        text.parse().expect("a prefix")
    };
    [4, 6].map(|family| {
        Record::Subnet(Arc::new(Subnet {
            id: subnet_id(network, family),
            tenant: "tenant".parse().expect("an id"),
            network: network_id(network),
            stamp: Stamp::default(),
            cidr: prefix(family),
            pool: None,
            gateway: None,
            pools: vec![],
            dhcp: false,
            dns_servers: vec![],
            host_routes: vec![],
            ipv6_ra_mode: None,
            ipv6_address_mode: None,
        }))
    })
}

pub fn router_id(router: &Router) -> RouterId {
    RouterId(Uuid::from_u128(0x7000 + u128::from(router.key)))
}

fn record(model: &Model, router: &Router) -> Routing {
    let hops = router.routes.iter().map(|(subnet, to, leg)| {
        let leg = &model.routers[*to].legs[*leg];
        let via = NextHop::Via(IpAddr::V4(leg.ipv4(&model.networks[leg.network])));
        let via6 = NextHop::Via(IpAddr::V6(leg.ipv6(&model.networks[leg.network])));
        let v4 = format!("10.0.{subnet}.0/24").parse().expect("a prefix");
        let v6 = format!("fd00:0:0:{subnet:x}::/64").parse().expect("a prefix");
        [Route { destination: v4, next_hop: via }, Route { destination: v6, next_hop: via6 }]
    });
    let mut routes: Vec<Route> = hops.flatten().collect();
    routes.sort_unstable();
    Routing {
        id: router_id(router),
        tenant: "tenant".parse().expect("an id"),
        key: RouterKey::new(router.key).expect("in range"),
        stamp: Stamp::default(),
        admin_up: router.up,
        routes,
        gateway: None,
    }
}

fn interface(model: &Model, router: &Router, leg: &Leg, example: &Port) -> Port {
    let network = &model.networks[leg.network];
    let fixed = |family, address| FixedIp { subnet: subnet_id(network, family), address };
    Port {
        id: PortId(Uuid::from_u128(0x8000 + u128::from(leg.number))),
        network: network_id(network),
        key: PortKey::new(u32::from(leg.number)).expect("in range"),
        mac: MacAddr(leg.mac()),
        fixed_ips: vec![fixed(4, IpAddr::V4(leg.ipv4(network))), fixed(6, IpAddr::V6(leg.ipv6(network)))],
        admin_up: leg.up,
        security: PortSecurity::Off,
        policy: None,
        device_id: router_id(router).to_string(),
        device_owner: ROUTER_INTERFACE.to_owned(),
        ..example.clone()
    }
}
