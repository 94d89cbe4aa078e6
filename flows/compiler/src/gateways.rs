//! Where gateways and floating IPs are served: what the tables of gateways and impact have in common.

use std::net::{IpAddr, Ipv4Addr};

use weft_model::{
    FloatingIp, Gateway, GatewayZone, Host, HostIndex, Mtu, Network, NetworkId, Port, PortForwarding,
    PortKey, Router, Snapshot, Subnet,
};

use crate::realms::one_each;

/// The zones of floating IPs at their own hosts begin behind this: the interface's number is added.
const FLOATING_ZONES: u16 = 32_767;
/// The largest interface number for which there is such a zone; behind them begin those of routers.
const MOST_ZONES: u16 = GatewayZone::MAX;

/// A router with its way out, when all that this needs is there.
#[derive(Clone, Copy)]
pub(crate) struct Outside<'a> {
    pub router: &'a Router,
    pub gateway: &'a Gateway,
    /// The external network.
    pub network: &'a Network,
    /// The gateway's port on it.
    pub port: &'a Port,
}

impl<'a> Outside<'a> {
    /// The way out of a router, if it has one.
    pub fn of(router: &'a Router, snapshot: &'a Snapshot) -> Option<Outside<'a>> {
        let gateway = router.gateway.as_ref()?;
        let network = snapshot.network(&gateway.network).filter(|network| is_external(network))?;
        let port = snapshot.port(&gateway.port).filter(|port| port.network == network.id)?;
        (port.gateway_of() == Some(router.id)).then_some(Outside { router, gateway, network, port })
    }

    /// The hosts that serve the gateway, the preferred one first: those of its list that can. The first one that is alive
    /// does; see [`crate::failover`].
    ///
    /// A host that no tunnel can join with each of those before it (their VTEPs have addresses of different families) would
    /// never know that they are alive, and serve beside them: it is left out.
    pub fn servers(&self, snapshot: &Snapshot) -> std::vec::IntoIter<HostIndex> {
        let mut seats: Vec<&Host> = Vec::new();
        let able = self.gateway.hosts.iter().filter(|host| can_serve(**host, self.network, snapshot));
        for host in able.filter_map(|host| snapshot.host_by_index(*host)) {
            if seats.iter().all(|before| before.encap_ips.towards(&host.encap_ips).is_some()) {
                seats.push(host);
            }
        }
        seats.into_iter().map(|host| host.index).collect::<Vec<_>>().into_iter()
    }

    /// True if a host is one of them.
    pub fn is_served_at(&self, host: HostIndex, snapshot: &Snapshot) -> bool {
        self.gateway.hosts.contains(&host) && self.servers(snapshot).any(|server| server == host)
    }

    /// The address that IPv4 connections leave with.
    pub fn address(&self) -> Option<Ipv4Addr> {
        let mut addresses = self.port.fixed_ips.iter().map(|ip| ip.address);
        addresses.find_map(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None })
    }

    /// The subnets of the external network.
    pub fn subnets(&self, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Subnet> + use<'a> {
        snapshot.subnets_of(self.network.id).map(AsRef::as_ref)
    }

    /// Who leads on from the external network, for each family: what the subnet of the gateway's own address says, or
    /// that of another one.
    pub fn default_hops(&self, snapshot: &'a Snapshot) -> impl Iterator<Item = IpAddr> + use<'a> {
        let own = self.port.fixed_ips.iter().filter_map(move |ip| snapshot.subnet(&ip.subnet));
        let all: Vec<IpAddr> = own
            .map(AsRef::as_ref)
            .chain(self.subnets(snapshot))
            .filter_map(|subnet| subnet.gateway)
            .collect();
        let first = |is_v4: bool| all.iter().copied().find(|hop| hop.is_ipv4() == is_v4);
        [first(true), first(false)].into_iter().flatten()
    }
}

/// True if a host has a way to an external network.
pub(crate) fn can_serve(host: HostIndex, network: &Network, snapshot: &Snapshot) -> bool {
    let host = snapshot.host_by_index(host).filter(|_| is_external(network));
    host.is_some_and(|host| snapshot.carries(host, network))
}

/// True if gateways can be on a network: one of the operator's layer 2, and meant for it.
fn is_external(network: &Network) -> bool {
    network.external && network.segment.is_some()
}

/// Where a floating IP is served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// On its workload's own host, in a zone of its own: whose packets those are that leave with it.
    Own { source: PortKey, zone: u16 },
    /// Where its router's gateway is, in the router's zone.
    Gateway,
}

/// A floating IP with its router and its port on the external network.
pub(crate) struct Floating<'a> {
    pub ip: &'a FloatingIp,
    pub port: &'a Port,
    pub outside: Outside<'a>,
    /// The hosts that serve it: one, or those that serve the gateway.
    pub hosts: Vec<HostIndex>,
    pub seat: Seat,
}

impl<'a> Floating<'a> {
    /// The floating IP, if it leads anywhere and a host serves it.
    pub fn of(ip: &'a FloatingIp, snapshot: &'a Snapshot) -> Option<Floating<'a>> {
        let outside = Outside::of(snapshot.router_of_floating_ip(ip)?, snapshot)?;
        let port = snapshot.port(&ip.port).filter(|port| port.floating_ip() == Some(ip.id))?;
        if outside.network.id != ip.network || port.network != ip.network {
            return None;
        }
        let floating = |hosts, seat| Floating { ip, port, outside, hosts, seat };
        let at_gateway = || Some(floating(outside.servers(snapshot).collect(), Seat::Gateway));
        let Some(target) = ip.target else { return at_gateway() };
        // Who is nowhere has nothing to be reached by.
        let bound = snapshot.bound_host(target.port)?;
        let workload = snapshot.port(&target.port)?;
        if workload.fixed_ips.iter().all(|fixed| fixed.address != IpAddr::V4(target.address)) {
            return None;
        }
        let number = snapshot.claim(target.port, &bound.id)?.zone();
        if number > MOST_ZONES || !snapshot.carries(bound, outside.network) {
            return at_gateway();
        }
        Some(floating(vec![bound.index], Seat::Own { source: workload.key, zone: FLOATING_ZONES + number }))
    }

    /// The floating IP whose address this port has, if it leads anywhere and a host serves it.
    pub fn of_port(key: PortKey, snapshot: &'a Snapshot) -> Option<Floating<'a>> {
        let ip = snapshot.floating_ip(&snapshot.port_by_key(key)?.floating_ip()?)?;
        Floating::of(ip, snapshot).filter(|floating| floating.port.key == key)
    }

    /// The smallest packets that a network of a workload behind it takes at the most.
    pub fn inner_mtu(&self, snapshot: &'a Snapshot) -> Option<Mtu> {
        let forwarded = self.forwardings(snapshot).map(|forwarding| forwarding.port);
        let ports = self.ip.target.map(|target| target.port).into_iter().chain(forwarded);
        let networks = ports.filter_map(|port| snapshot.network(&snapshot.port(&port)?.network));
        networks.map(|network| network.mtu).min()
    }

    /// The conntrack zone that its connections are in.
    pub fn zone(&self) -> u16 {
        match self.seat {
            Seat::Own { zone, .. } => zone,
            Seat::Gateway => self.outside.gateway.zone.ct_zone(),
        }
    }

    /// Its port forwardings, unless it stands for a port as a whole.
    pub fn forwardings(&self, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a PortForwarding> + use<'a> {
        let router = self.outside.router.id;
        let all = self.ip.target.is_none().then(|| snapshot.port_forwardings_of(self.ip.id));
        all.into_iter().flatten().map(AsRef::as_ref).filter(move |forwarding| forwarding.router == router)
    }
}

/// What a host serves of a router whose gateway it is.
pub(crate) fn gateways_served<'a>(
    host: HostIndex,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = Outside<'a>> {
    let outsides = snapshot.gateways_at(host).filter_map(move |router| Outside::of(router, snapshot));
    outsides.filter(move |outside| outside.is_served_at(host, snapshot))
}

/// The floating IPs that a host serves: those of its workloads and those of the gateways that it serves.
pub(crate) fn floating_served(host: HostIndex, snapshot: &Snapshot) -> Vec<Floating<'_>> {
    let local = snapshot.networks_at(host).flat_map(|network| snapshot.local_ports_at(network.id, host));
    let of_ports = local.flat_map(|port| snapshot.floating_ips_of_port(port.id));
    let routers = snapshot.gateways_at(host);
    let of_routers = routers.flat_map(|router| snapshot.floating_ips_of_router(router.id));
    let all = of_ports.chain(of_routers).filter_map(|ip| Floating::of(ip, snapshot));
    let mut served: Vec<Floating<'_>> = all.filter(|floating| floating.hosts.contains(&host)).collect();
    served.sort_by_key(|floating| floating.port.key);
    served.dedup_by_key(|floating| floating.port.key);
    served
}

/// The external networks that routers lead to from these networks, as far as the host has a way to them.
pub(crate) fn externals<'a>(
    host: HostIndex,
    routers: impl Iterator<Item = &'a Router>,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = &'a Network> {
    let outsides = routers.filter_map(move |router| snapshot.network(&router.gateway.as_ref()?.network));
    outsides.map(AsRef::as_ref).filter(move |network| can_serve(host, network, snapshot))
}

/// The networks through which a host needs realms: those that it has a port of, and those of the routers whose gateway it
/// may serve.
pub(crate) fn entries(host: HostIndex, snapshot: &Snapshot) -> impl Iterator<Item = NetworkId> {
    let routed = snapshot.gateways_at(host).flat_map(|router| snapshot.interfaces_of(router.id));
    snapshot.networks_at(host).map(|network| network.id).chain(routed.map(|port| port.network))
}

/// True if a host needs an external network because of a router whose realm it is in or whose gateway it may serve.
pub(crate) fn leads_to(host: HostIndex, network: &Network, snapshot: &Snapshot) -> bool {
    if !can_serve(host, network, snapshot) {
        return false;
    }
    let leads =
        |router: &Router| router.gateway.as_ref().is_some_and(|gateway| gateway.network == network.id);
    let realms = one_each(entries(host, snapshot), snapshot);
    let mut routers = realms.iter().flat_map(|id| snapshot.routers_in_realm(*id));
    snapshot.gateways_at(host).any(|router| leads(router)) || routers.any(|router| leads(router))
}
