//! Random histories of a small world: few objects, so that they meet, move and replace one another all the time.

pub mod guards;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;
use weft_model::intent::{
    Actor, Context, HostReport, Intent, NetworkPatch, NewInterface, NewNetwork, NewPort, NewRouter,
    NewSegment, NewSubnet, NewTenant, OldInterface, PortPatch, ReportedInterface, RouterPatch, RoutesPatch,
    Settings, plan,
};
use weft_model::{
    Change, EncapIps, HostId, Key, NetworkId, NextHop, OfPort, PortId, PortSecurity, Route, RouterId,
    Snapshot, SubnetId, TenantId, Timestamp, VlanId,
};

/// One step of a history, in terms of small numbers that always mean something.
#[derive(Debug, Clone)]
pub enum Step {
    AddNetwork(u8),
    DeleteNetwork(u8),
    ToggleNetwork(u8),
    AddPort {
        network: u8,
        port: u8,
    },
    DeletePort(u8),
    TogglePort(u8),
    ToggleSecurity(u8),
    /// The host's interfaces become exactly these: (port, ofport).
    Report {
        host: u8,
        interfaces: BTreeMap<u8, u8>,
        encap: u8,
    },
    DeleteHost(u8),
    AddRouter(u8),
    DeleteRouter(u8),
    ToggleRouter(u8),
    /// Bits of `family` say which of the network's subnets the router is to join.
    Join {
        router: u8,
        network: u8,
        family: u8,
    },
    Part {
        router: u8,
        network: u8,
        family: u8,
    },
    Routes {
        router: u8,
        network: u8,
        count: u8,
    },
    /// Something about security groups.
    Guard(guards::Guard),
    /// The switch of a host connects anew.
    Connect(u8),
    Disconnect(u8),
    /// The switch of a host loses everything it had, and connects anew.
    Wipe(u8),
    /// The n-th message from now on is refused.
    Refuse {
        host: u8,
        nth: u8,
    },
    /// Answers are delivered, as many as there are.
    Settle,
}

impl Step {
    /// True for a step that replaces a switch, lets it refuse something by chance, or waits until nothing is owed.
    pub fn needs_a_good_switch(&self) -> bool {
        matches!(self, Step::Wipe(_) | Step::Refuse { .. } | Step::DeleteHost(_) | Step::Settle)
    }
}

pub fn step() -> impl Strategy<Value = Step> {
    let interfaces = prop::collection::btree_map(0u8..10, 1u8..12, 0..6);
    prop_oneof![
        2 => (0u8..4).prop_map(Step::AddNetwork),
        1 => (0u8..4).prop_map(Step::DeleteNetwork),
        1 => (0u8..4).prop_map(Step::ToggleNetwork),
        4 => (0u8..4, 0u8..10).prop_map(|(network, port)| Step::AddPort { network, port }),
        1 => (0u8..10).prop_map(Step::DeletePort),
        1 => (0u8..10).prop_map(Step::TogglePort),
        1 => (0u8..10).prop_map(Step::ToggleSecurity),
        6 => (0u8..4, interfaces, 0u8..3).prop_map(|(host, interfaces, encap)| Step::Report { host, interfaces, encap }),
        1 => (0u8..4).prop_map(Step::DeleteHost),
        6 => routing(),
        8 => guards::guard().prop_map(Step::Guard),
        3 => (0u8..4).prop_map(Step::Connect),
        1 => (0u8..4).prop_map(Step::Disconnect),
        1 => (0u8..4).prop_map(Step::Wipe),
        1 => (0u8..4, 0u8..20).prop_map(|(host, nth)| Step::Refuse { host, nth }),
        3 => Just(Step::Settle),
    ]
}

fn routing() -> impl Strategy<Value = Step> {
    let of = || (0u8..2, 0u8..4, 0u8..2);
    prop_oneof![
        2 => (0u8..2).prop_map(Step::AddRouter),
        1 => (0u8..2).prop_map(Step::DeleteRouter),
        1 => (0u8..2).prop_map(Step::ToggleRouter),
        6 => of().prop_map(|(router, network, family)| Step::Join { router, network, family }),
        2 => of().prop_map(|(router, network, family)| Step::Part { router, network, family }),
        2 => (0u8..2, 0u8..4, 0u8..4).prop_map(|(router, network, count)| Step::Routes { router, network, count }),
    ]
}

fn id(kind: u8, n: u8) -> Uuid {
    Uuid::from_u128(u128::from(kind) << 64 | u128::from(n))
}

pub fn host_id(n: u8) -> HostId {
    format!("h{n}").parse().unwrap()
}

/// The state with its history of changes.
pub struct World {
    pub snapshot: Snapshot,
}

impl World {
    pub fn new() -> World {
        let mut world = World { snapshot: Snapshot::new() };
        let tenant: TenantId = "red".parse().unwrap();
        world.commit(vec![Intent::CreateTenant(NewTenant {
            id: tenant,
            labels: Default::default(),
            enabled: true,
        })]);
        world
    }

    /// Carries the step out if the planner takes it; returns what was touched.
    pub fn carry_out(&mut self, step: &Step) -> BTreeSet<Key> {
        let intents = self.intents(step);
        if intents.is_empty() { BTreeSet::new() } else { self.commit(intents) }
    }

    fn commit(&mut self, intents: Vec<Intent>) -> BTreeSet<Key> {
        let context = Context { now: Timestamp(1), settings: Settings::default() };
        match plan(&self.snapshot, &Actor::Admin, &intents, &context) {
            Ok(plan) => {
                self.snapshot = plan.snapshot;
                plan.changes.iter().map(Change::key).collect()
            }
            // Random requests are often impossible; the planner's own tests say which.
            Err(_) => BTreeSet::new(),
        }
    }

    fn intents(&self, step: &Step) -> Vec<Intent> {
        let port = |n: &u8| PortId(id(3, *n));
        match step {
            Step::AddNetwork(n) => {
                let network = NetworkId(id(1, *n));
                let mut new = NewNetwork::new(network);
                new.tenant = "red".parse().ok();
                // One of them is on a VLAN of the operator's and one is flat.
                let vlan = VlanId::new(u32::from(*n % 2) * 100);
                new.segment = (*n >= 2).then(|| NewSegment { physnet: "blue".into(), vlan });
                let subnet =
                    NewSubnet::new(SubnetId(id(2, *n)), network, format!("10.0.{n}.0/24").parse().unwrap());
                let subnet6 = NewSubnet::new(
                    SubnetId(id(4, *n)),
                    network,
                    format!("fd00:0:0:{n}::/64").parse().unwrap(),
                );
                [Intent::CreateNetwork(new), Intent::CreateSubnet(subnet), Intent::CreateSubnet(subnet6)]
                    .into()
            }
            Step::DeleteNetwork(n) => {
                let ports = self
                    .snapshot
                    .ports_of(NetworkId(id(1, *n)))
                    .map(|port| Intent::DeletePort(port.id, None));
                ports.chain([Intent::DeleteNetwork(NetworkId(id(1, *n)), None)]).collect()
            }
            Step::ToggleNetwork(n) => {
                let up = self.snapshot.network(&NetworkId(id(1, *n))).is_some_and(|network| network.admin_up);
                let patch = NetworkPatch { admin_up: Some(!up), ..NetworkPatch::default() };
                vec![Intent::UpdateNetwork(NetworkId(id(1, *n)), patch)]
            }
            Step::AddPort { network, port: n } => {
                let new = NewPort::new(port(n), NetworkId(id(1, *network)), u32::from(*n));
                vec![Intent::CreatePort(NewPort { groups: guards::of_new_port(*n), ..new })]
            }
            Step::DeletePort(n) => vec![Intent::DeletePort(port(n), None)],
            Step::TogglePort(n) => {
                let up = self.snapshot.port(&port(n)).is_some_and(|port| port.admin_up);
                vec![Intent::UpdatePort(port(n), PortPatch { admin_up: Some(!up), ..PortPatch::default() })]
            }
            Step::ToggleSecurity(n) => {
                let off = self.snapshot.port(&port(n)).is_some_and(|port| port.security == PortSecurity::Off);
                let security = if off { PortSecurity::Enforced } else { PortSecurity::Off };
                vec![Intent::UpdatePort(
                    port(n),
                    PortPatch { security: Some(security), ..PortPatch::default() },
                )]
            }
            Step::Report { host, interfaces, encap } => {
                vec![Intent::ReportHost(report(*host, interfaces, *encap))]
            }
            Step::DeleteHost(n) => vec![Intent::DeleteHost(host_id(*n))],
            Step::Guard(guard) => vec![guards::intent(*guard, "red".parse().unwrap(), &self.snapshot)],
            Step::AddRouter(_)
            | Step::DeleteRouter(_)
            | Step::ToggleRouter(_)
            | Step::Join { .. }
            | Step::Part { .. }
            | Step::Routes { .. } => self.routing(step),
            Step::Connect(_) | Step::Disconnect(_) | Step::Wipe(_) | Step::Refuse { .. } | Step::Settle => {
                Vec::new()
            }
        }
    }
}

impl World {
    fn routing(&self, step: &Step) -> Vec<Intent> {
        let id_of = |n: u8| RouterId(id(5, n));
        let subnet = |network: u8, family: u8| SubnetId(id(2 + 2 * family, network));
        let intent = match *step {
            Step::AddRouter(n) => {
                let tenant = "red".parse().ok();
                Intent::CreateRouter(NewRouter { tenant, ..NewRouter::new(id_of(n)) })
            }
            Step::DeleteRouter(n) => {
                let ports = self.snapshot.interfaces_of(id_of(n)).map(|port| {
                    Intent::RemoveInterface(id_of(n), OldInterface { subnet: None, port: Some(port.id) })
                });
                return ports.chain([Intent::DeleteRouter(id_of(n), None)]).collect();
            }
            Step::ToggleRouter(n) => {
                let up = self.snapshot.router(&id_of(n)).is_some_and(|router| router.admin_up);
                let patch = RouterPatch { admin_up: Some(!up), ..RouterPatch::default() };
                Intent::UpdateRouter(id_of(n), patch)
            }
            Step::Join { router, network, family } => {
                let port = PortId(id(6, router * 16 + network * 2 + family));
                let (subnet, mac_seed) = (subnet(network, family), u32::from(router) + 100);
                Intent::AddInterface(id_of(router), NewInterface::OfSubnet { subnet, port, mac_seed })
            }
            Step::Part { router, network, family } => {
                let subnet = Some(subnet(network, family));
                Intent::RemoveInterface(id_of(router), OldInterface { subnet, port: None })
            }
            Step::Routes { router, network, count } => {
                let route = |last: u8| Route {
                    destination: "192.0.2.0/24".parse().unwrap(),
                    next_hop: NextHop::Via([10, 0, network, 200 + last].into()),
                };
                let routes = Some(RoutesPatch::Set((0..count).map(route).collect()));
                Intent::UpdateRouter(id_of(router), RouterPatch { routes, ..RouterPatch::default() })
            }
            _ => return Vec::new(),
        };
        vec![intent]
    }
}

fn report(host: u8, interfaces: &BTreeMap<u8, u8>, encap: u8) -> HostReport {
    let interface = |(port, ofport): (&u8, &u8)| ReportedInterface {
        port: PortId(id(3, *port)),
        name: format!("tap{port}"),
        ofport: OfPort::new(i64::from(*ofport)).unwrap(),
    };
    // Two interfaces never share an ofport.
    let distinct: BTreeMap<u8, u8> = interfaces.iter().map(|(port, ofport)| (*ofport, *port)).collect();
    let interfaces: BTreeMap<u8, u8> = distinct.into_iter().map(|(ofport, port)| (port, ofport)).collect();
    let v4 = std::net::Ipv4Addr::new(192, 0, 2 + encap, 10 + host);
    HostReport {
        id: host_id(host),
        hostname: format!("h{host}"),
        encap_ips: EncapIps { v4: Some(v4), v6: None },
        ovs_version: "3.1.0".into(),
        datapath_type: "netdev".into(),
        bridge_mappings: Default::default(),
        interfaces: interfaces.iter().map(interface).collect(),
    }
}
