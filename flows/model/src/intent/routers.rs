//! Planning routers: their interfaces, which are ports, and their static routes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::draft::{Draft, expect_number, relabel, set};
use super::gateways::{overlap, overlapping};
use super::limits::Faults;
use super::{
    AskedIp, NewInterface, NewPort, NewRouter, OldInterface, PortGroups, Rejected, RouterPatch, RoutesPatch,
};
use crate::address::usable;
use crate::{
    FixedIp, Key, NextHop, Port, PortId, PortSecurity, ROUTER_INTERFACE, Record, Route, Router, RouterId,
    RouterKey, Subnet,
};

/// Most interfaces of one router.
const INTERFACES: usize = 256;
/// Most static routes of one router.
const ROUTES: usize = 100;
/// Most next hops that share one destination.
const NEXT_HOPS: usize = 16;
/// How many interfaces a refused deletion lists.
const PORTS_LISTED: usize = 100;

impl Draft<'_> {
    pub(super) fn create_router(&mut self, new: &NewRouter) -> Result<Key, Rejected> {
        if self.state.router(&new.id).is_some() {
            return Err(Rejected::AlreadyExists { what: "router", id: new.id.to_string() });
        }
        let owner = self.owner_of_new(new.tenant.as_ref(), None)?;
        let mut faults = Faults::default();
        let stamp = self.stamp(&new.labels);
        faults.check_stamp(&stamp);
        if owner.is_none() {
            faults.add("project_id", "must name the tenant that the router is for");
        }
        faults.settle()?;
        let tenant = owner.expect("a router for nobody was a fault");
        let (id, key, admin_up) = (new.id, self.next_router_key()?, new.admin_up);
        let mut router = Router { id, tenant, key, stamp, admin_up, routes: Vec::new(), gateway: None };
        self.regate(&mut router, new.gateway.as_ref())?;
        Ok(self.put(Record::Router(Arc::new(router))))
    }

    pub(super) fn update_router(&mut self, id: RouterId, patch: &RouterPatch) -> Result<Key, Rejected> {
        let before = self.router(id)?;
        expect_number(&before.stamp, patch.if_number)?;
        let mut after = Router::clone(&before);
        relabel(&mut after.stamp, &patch.labels);
        set(&mut after.admin_up, patch.admin_up);
        let mut faults = Faults::default();
        faults.check_stamp(&after.stamp);
        if let Some(routes) = &patch.routes {
            after.routes = patched(&before.routes, routes);
            faults.check_count("routes", after.routes.len(), ROUTES);
        }
        faults.settle()?;
        if let Some(gateway) = &patch.gateway {
            self.regate(&mut after, gateway.as_ref())?;
        }
        if after.routes != before.routes || patch.gateway.is_some() {
            self.check_routes(&after)?;
        }
        if after == *before {
            return Ok(Key::Router(id));
        }
        self.restamp(&mut after.stamp);
        Ok(self.put(Record::Router(Arc::new(after))))
    }

    pub(super) fn delete_router(&mut self, id: RouterId, number: Option<u64>) -> Result<Key, Rejected> {
        let router = self.router(id)?;
        expect_number(&router.stamp, number)?;
        let ports: Vec<_> = self.state.interfaces_of(id).take(PORTS_LISTED).map(|port| port.id).collect();
        if !ports.is_empty() {
            return Err(Rejected::RouterInUse { router: id, ports });
        }
        self.drop_gateway(&router)?;
        Ok(self.delete(Key::Router(id)))
    }

    fn next_router_key(&mut self) -> Result<RouterKey, Rejected> {
        let is_used = |n| RouterKey::new(n).is_none_or(|key| self.state.router_by_key(key).is_some());
        let found = Self::next_free(self.state.counters().next_router_key, RouterKey::MAX.get(), is_used);
        let (number, next) = found.ok_or(Rejected::RouterKeysExhausted)?;
        self.count(|counters| counters.next_router_key = next);
        RouterKey::new(number).ok_or(Rejected::RouterKeysExhausted)
    }
}

/// Interfaces.
impl Draft<'_> {
    pub(super) fn add_interface(&mut self, id: RouterId, new: &NewInterface) -> Result<Key, Rejected> {
        let router = self.router(id)?;
        if self.state.interfaces_of(id).count() >= INTERFACES {
            return Err(Rejected::BadInterface(format!("Router {id} has {INTERFACES} interfaces already")));
        }
        let port = match *new {
            NewInterface::OfSubnet { subnet, port, mac_seed } => {
                let subnet = self.seen_subnet(subnet)?;
                if !self.sees(&subnet.tenant) {
                    // A guest on the network does not get the address that the owner's workloads send to.
                    let reason =
                        format!("Subnet {} is another tenant's; add a port of it instead", subnet.id);
                    return Err(Rejected::BadInterface(reason));
                }
                self.check_subnet(&router, &subnet)?;
                let asked = AskedIp { subnet: Some(subnet.id), address: Some(gateway_of(&subnet)?) };
                self.make_port(&NewPort {
                    tenant: Some(router.tenant.clone()),
                    fixed_ips: Some(vec![asked]),
                    security: Some(PortSecurity::Enforced),
                    groups: PortGroups::Unfiltered,
                    device_id: id.to_string(),
                    device_owner: ROUTER_INTERFACE.to_owned(),
                    ..NewPort::new(port, subnet.network, mac_seed)
                })?;
                port
            }
            NewInterface::Port(port) => self.adopt(&router, port)?,
        };
        self.restamp_router(&router);
        Ok(Key::Port(port))
    }

    /// Makes a router's interface of a port that nobody uses.
    fn adopt(&mut self, router: &Router, id: PortId) -> Result<PortId, Rejected> {
        let port = self.port(id)?;
        if !port.device_id.is_empty() || !port.device_owner.is_empty() || self.state.binding(id).is_some() {
            let bound = || self.state.binding(id).map(|binding| format!("host {}", binding.host));
            let device = Some(port.device_id.clone()).filter(|device| !device.is_empty());
            let device = device.or_else(bound).unwrap_or_else(|| port.device_owner.clone());
            return Err(Rejected::PortInUse { port: id, device });
        }
        self.check_in_no_trunk(id)?;
        if self.state.floating_ips_of_port(id).next().is_some() {
            return Err(Rejected::BadInterface(format!("Port {id} has floating IPs")));
        }
        if port.fixed_ips.is_empty() {
            return Err(Rejected::BadInterface(format!("Port {id} has no fixed IP address")));
        }
        let mut seen = Vec::new();
        for ip in &port.fixed_ips {
            let subnet = self.seen_subnet(ip.subnet)?;
            self.check_subnet(router, &subnet)?;
            if seen.contains(&subnet.id) {
                return Err(Rejected::BadInterface(format!("Port {id} has two addresses of one subnet")));
            }
            seen.push(subnet.id);
        }
        let mut interface = Port::clone(&port);
        interface.device_id = router.id.to_string();
        interface.device_owner = ROUTER_INTERFACE.to_owned();
        interface.security = PortSecurity::Enforced;
        // What routers do is no workload's traffic: no policy sees it.
        interface.policy = None;
        interface.allowed_pairs = Vec::new();
        self.restamp(&mut interface.stamp);
        self.put(Record::Port(Arc::new(interface)));
        self.release(port.policy);
        Ok(id)
    }

    pub(super) fn remove_interface(&mut self, id: RouterId, old: &OldInterface) -> Result<Key, Rejected> {
        let router = self.router(id)?;
        let found = match (old.port, old.subnet) {
            (Some(port), _) => {
                let found = self.state.interfaces_of(id).find(|interface| interface.id == port);
                found.ok_or(Rejected::NoSuchInterface { router: id, port })?
            }
            (None, Some(subnet)) => {
                let found = self.state.interfaces_of(id).find(|interface| has_address_of(interface, &subnet));
                found.ok_or(Rejected::NoInterfaceOnSubnet { router: id, subnet })?
            }
            (None, None) => {
                return Err(Rejected::BadInterface("Neither a subnet nor a port is named".into()));
            }
        };
        if let Some(subnet) = old.subnet.filter(|subnet| !has_address_of(found, subnet)) {
            return Err(Rejected::SubnetMismatch { port: found.id, subnet });
        }
        for ip in &found.fixed_ips {
            let Some(subnet) = self.state.subnet(&ip.subnet) else { continue };
            let through =
                |route: &Route| matches!(route.next_hop, NextHop::Via(via) if subnet.cidr.contains(&via));
            if router.routes.iter().any(through) {
                return Err(Rejected::InterfaceInUseByRoute { router: id, subnet: subnet.id });
            }
        }
        self.check_interface_unused(&router, found)?;
        let port = found.id;
        let policy = self.state.port(&port).and_then(|port| port.policy);
        self.delete(Key::Port(port));
        self.release(policy);
        self.restamp_router(&router);
        Ok(Key::Port(port))
    }

    /// What a router joins is a part of it, so the change counts as one of the router.
    fn restamp_router(&mut self, router: &Router) {
        let mut after = router.clone();
        self.suit_encap(&mut after);
        self.restamp(&mut after.stamp);
        self.put(Record::Router(Arc::new(after)));
    }

    /// Refuses a subnet that the router could not tell from another one, or that is not its tenant's.
    fn check_subnet(&self, router: &Router, subnet: &Subnet) -> Result<(), Rejected> {
        let network = self.usable_network(subnet.network)?;
        let is_own = network.tenant == router.tenant && subnet.tenant == router.tenant;
        if !is_own && !self.state.is_shared_with(network.id.into(), &router.tenant) {
            let reason = format!("Subnet {} and router {} have different owners", subnet.id, router.id);
            return Err(Rejected::BadInterface(reason));
        }
        if network.external {
            let reason = format!("Network {} is external: it can be the gateway's network", network.id);
            return Err(Rejected::BadInterface(reason));
        }
        if let Some(outside) = self.outer_subnets(router).iter().find(|outside| overlap(subnet, outside)) {
            return Err(overlapping(subnet, outside));
        }
        let others = self.state.interfaces_of(router.id).flat_map(|interface| &interface.fixed_ips);
        for other in others.filter_map(|ip| self.state.subnet(&ip.subnet)) {
            if other.id == subnet.id {
                let reason = format!("Router already has a port on subnet {}", subnet.id);
                return Err(Rejected::BadInterface(reason));
            }
            if overlap(subnet, other) {
                return Err(overlapping(subnet, other));
            }
        }
        Ok(())
    }

    /// A gateway is told to workloads; while a router's interface has its address, no other one would answer.
    pub(super) fn check_gateway_may_change(&self, before: &Subnet, after: &Subnet) -> Result<(), Rejected> {
        let Some(address) = before.gateway.filter(|_| before.gateway != after.gateway) else { return Ok(()) };
        match self.state.port_by_address(before.id, address).filter(|port| port.router().is_some()) {
            Some(port) => Err(Rejected::GatewayInUse { subnet: before.id, address, port: port.id }),
            None => Ok(()),
        }
    }
}

/// Static routes.
impl Draft<'_> {
    fn check_routes(&self, router: &Router) -> Result<(), Rejected> {
        let mut next_hops: BTreeMap<ipnet::IpNet, Vec<NextHop>> = BTreeMap::new();
        for route in &router.routes {
            let refused = |reason: &str| Rejected::InvalidRoute {
                destination: route.destination,
                reason: reason.to_owned(),
            };
            if route.destination != route.destination.trunc() {
                return Err(refused("the destination has host bits set"));
            }
            if let NextHop::Via(via) = route.next_hop {
                self.check_next_hop(router, route, via).map_err(refused)?;
            }
            next_hops.entry(route.destination).or_default().push(route.next_hop);
        }
        for (destination, hops) in next_hops {
            let reason = match hops.len() {
                2.. if hops.contains(&NextHop::Blackhole) => "a blackhole cannot share its destination",
                count if count > NEXT_HOPS => "at most 16 next hops can share one destination",
                _ => continue,
            };
            return Err(Rejected::InvalidRoute { destination, reason: reason.to_owned() });
        }
        Ok(())
    }

    fn check_next_hop(&self, router: &Router, route: &Route, via: IpAddr) -> Result<(), &'static str> {
        if via.is_ipv4() != route.destination.addr().is_ipv4() {
            return Err("the nexthop is of another family than the destination");
        }
        let gateway = router.gateway.as_ref().and_then(|gateway| self.state.port(&gateway.port));
        let ports = || self.state.interfaces_of(router.id).chain(gateway);
        let own = || ports().flat_map(|port| &port.fixed_ips);
        if own().any(|ip| ip.address == via) {
            return Err("the nexthop is used by router");
        }
        let reaches = |ip: &FixedIp| {
            self.state.subnet(&ip.subnet).is_some_and(|subnet| usable(subnet.cidr).contains(via))
        };
        if own().any(reaches) { Ok(()) } else { Err("the nexthop is not connected with router") }
    }
}

/// Static routes after a change, sorted, each once.
fn patched(before: &[Route], patch: &RoutesPatch) -> Vec<Route> {
    let mut routes: BTreeSet<Route> = before.iter().copied().collect();
    match patch {
        RoutesPatch::Set(wanted) => routes = wanted.iter().copied().collect(),
        RoutesPatch::Add(more) => routes.extend(more),
        RoutesPatch::Remove(gone) => routes.retain(|route| !gone.contains(route)),
    }
    routes.into_iter().collect()
}

/// The address that a router has in a subnet when nobody says which.
fn gateway_of(subnet: &Subnet) -> Result<IpAddr, Rejected> {
    let gateway = subnet.gateway.filter(|gateway| usable(subnet.cidr).contains(*gateway));
    let reason = "Subnet for router interface must have a gateway IP of its own prefix";
    gateway.ok_or_else(|| Rejected::BadInterface(reason.to_owned()))
}

fn has_address_of(port: &Port, subnet: &crate::SubnetId) -> bool {
    port.fixed_ips.iter().any(|ip| ip.subnet == *subnet)
}
