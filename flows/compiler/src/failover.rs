//! How gateways fail over where the packets are, at the switches and without a controller: which tunnels are watched, how a
//! host stands among those that may serve a gateway, and what is said to the physical network when that changes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use weft_answers::{Announcement, Mac};
use weft_model::{Gateway, HostIndex, Network, NetworkId, Port, PortKey, RouterKey, Segment, Snapshot, Vni};

use crate::gateways::{Floating, Outside, Seat};
use crate::group_id::GroupUse;
use crate::realms;
use crate::tunnels::{Link, Liveness, TunnelId, tunnel_ofport};
use crate::uplinks::uplink_ofport;

/// Whether the ends of a tunnel watch each other: where one of them may serve the gateway of a router and the other is a
/// host of the router's realm, in the encapsulation of the transit.
pub(crate) fn liveness(link: Link, snapshot: &Snapshot) -> Liveness {
    let Link { host, peer, encap } = link;
    // One end is asked for its gateways, mostly none, before anything is asked about the other.
    let watched = |gateway, other| realms::serves((gateway, encap), other, snapshot);
    if watched(host, peer) || watched(peer, host) { Liveness::Bfd } else { Liveness::Unwatched }
}

/// The links that are watched because of the gateways of a network's realm.
pub(crate) fn watched(network: NetworkId, snapshot: &Snapshot) -> BTreeSet<Link> {
    let gateways: Vec<&Gateway> = snapshot.gateways_in_realm(network).collect();
    if gateways.is_empty() {
        return BTreeSet::new();
    }
    let hosts = snapshot.realm_hosts(network);
    let mut links = BTreeSet::new();
    for gateway in gateways {
        for host in &gateway.hosts {
            for peer in hosts.iter().filter(|peer| *peer != host) {
                let encap = gateway.encap;
                links.insert(Link { host: *host, peer: *peer, encap });
                links.insert(Link { host: *peer, peer: *host, encap });
            }
        }
    }
    links
}

/// How a host stands among those that serve a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// In which network others send to the gateway.
    pub transit: Vni,
    /// The tunnels to those that come before it, the first one first.
    pub before: Vec<u16>,
    /// The way to the physical network.
    pub uplink: u16,
}

impl Standing {
    /// How the host stands; `None` when it does not serve the gateway.
    pub fn of(host: HostIndex, outside: &Outside<'_>, snapshot: &Snapshot) -> Option<Standing> {
        let servers: Vec<HostIndex> = outside.servers(snapshot).collect();
        let rank = servers.iter().position(|server| *server == host)?;
        let Outside { gateway, network, .. } = *outside;
        let tunnels = servers[..rank].iter().filter_map(|peer| tunnel_ofport(gateway.encap, *peer));
        let uplink = uplink_ofport(network.segment?.physnet);
        Some(Standing { transit: gateway.transit, before: tunnels.collect(), uplink })
    }

    /// The group that hands on what travels to the gateway.
    pub fn handover(&self) -> GroupUse {
        GroupUse::Handover { transit: self.transit }
    }

    /// True if nobody comes before it: it serves whenever it is there.
    pub fn leads(&self) -> bool {
        self.before.is_empty()
    }
}

/// Why addresses are announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// A router's gateway may have moved to a host, and all that is served with it.
    Gateway(RouterKey),
    /// The floating IP whose address this port has may have moved to a host.
    Floating(PortKey),
}

/// An address that is announced by an uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announced {
    /// The number of the uplink's port.
    pub uplink: u16,
    /// What is said.
    pub announcement: Announcement,
}

/// The router that an occasion is about, if there is one.
pub fn router_of(occasion: Occasion, snapshot: &Snapshot) -> Option<RouterKey> {
    match occasion {
        Occasion::Gateway(key) => Some(key),
        Occasion::Floating(key) => {
            Floating::of_port(key, snapshot).map(|floating| floating.outside.router.key)
        }
    }
}

/// What a host says to the physical network on an occasion: nothing while it does not serve what that is about. `dead` are
/// those of its tunnels whose other end is silent.
pub fn announcements(
    host: HostIndex,
    occasion: Occasion,
    dead: &BTreeSet<TunnelId>,
    snapshot: &Snapshot,
) -> Vec<Announced> {
    let said = match occasion {
        Occasion::Gateway(key) => of_gateway((host, dead), key, snapshot),
        Occasion::Floating(key) => of_floating((host, dead), key, snapshot),
    };
    said.unwrap_or_default()
}

fn of_gateway(
    (host, dead): (HostIndex, &BTreeSet<TunnelId>),
    key: RouterKey,
    snapshot: &Snapshot,
) -> Option<Vec<Announced>> {
    let outside = Outside::of(snapshot.router_by_key(key)?, snapshot)?;
    if !is_active(host, &outside, dead, snapshot) {
        return None;
    }
    let floating = snapshot.floating_ips_of_router(outside.router.id);
    let floating = floating.filter_map(|ip| Floating::of(ip, snapshot));
    let behind = floating.filter(|floating| floating.seat == Seat::Gateway).map(|floating| floating.port);
    Some([outside.port].into_iter().chain(behind).flat_map(|port| said(outside.network, port)).collect())
}

fn of_floating(
    (host, dead): (HostIndex, &BTreeSet<TunnelId>),
    key: PortKey,
    snapshot: &Snapshot,
) -> Option<Vec<Announced>> {
    let floating = Floating::of_port(key, snapshot)?;
    let is_here = match floating.seat {
        Seat::Own { .. } => floating.hosts.contains(&host),
        Seat::Gateway => is_active(host, &floating.outside, dead, snapshot),
    };
    is_here.then(|| said(floating.outside.network, floating.port).collect())
}

/// True if a host serves a gateway, and all that come before it are silent.
fn is_active(host: HostIndex, outside: &Outside<'_>, dead: &BTreeSet<TunnelId>, snapshot: &Snapshot) -> bool {
    let is_silent = |peer: HostIndex| dead.contains(&TunnelId { encap: outside.gateway.encap, peer });
    outside.servers(snapshot).find(|server| *server == host || !is_silent(*server)) == Some(host)
}

/// The addresses of a port on an external network.
fn said<'a>(network: &'a Network, port: &'a Port) -> impl Iterator<Item = Announced> + use<'a> {
    let is_up = network.admin_up && port.admin_up;
    let segment = network.segment.filter(|_| is_up);
    let addresses = port.fixed_ips.iter().map(|ip| ip.address);
    let link_local = port.fixed_ips.iter().any(|ip| ip.address.is_ipv6());
    let link_local = link_local.then(|| IpAddr::V6(port.mac.link_local()));
    let announced = move |address| {
        let Segment { physnet, vlan } = segment?;
        let announcement = Announcement { address, mac: Mac(port.mac.0), vlan: vlan.map(|vlan| vlan.get()) };
        Some(Announced { uplink: uplink_ofport(physnet), announcement })
    };
    addresses.chain(link_local).filter_map(announced)
}

/// The routers whose gateway a host and the host at the other end of a tunnel may both serve.
pub fn rivals(host: HostIndex, tunnel: TunnelId, snapshot: &Snapshot) -> Vec<RouterKey> {
    let is_contested =
        |gateway: &Gateway| gateway.encap == tunnel.encap && gateway.hosts.contains(&tunnel.peer);
    let routers = snapshot.gateways_at(host);
    let contested = routers.filter(|router| router.gateway.as_ref().is_some_and(is_contested));
    contested.map(|router| router.key).collect()
}

/// The tunnels to all other hosts that may serve a gateway which a host may serve, and the routers whose gateway nobody else
/// may.
pub fn contests(host: HostIndex, snapshot: &Snapshot) -> (BTreeSet<TunnelId>, Vec<RouterKey>) {
    let (mut tunnels, mut alone) = (BTreeSet::new(), Vec::new());
    for router in snapshot.gateways_at(host) {
        let Some(gateway) = &router.gateway else { continue };
        let others = gateway.hosts.iter().filter(|peer| **peer != host);
        let before = tunnels.len();
        tunnels.extend(others.map(|peer| TunnelId { encap: gateway.encap, peer: *peer }));
        if tunnels.len() == before && gateway.hosts.len() == 1 {
            alone.push(router.key);
        }
    }
    (tunnels, alone)
}
