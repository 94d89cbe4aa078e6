//! The one door from snapshot to flows: which functions write which owner's sheet.

use std::net::IpAddr;

use weft_model::{HostIndex, MacAddr, Network, PolicyKey, Port, PortKey, RouterKey, Snapshot, Vni};
use weft_openflow::PortNo;

use crate::failover::Standing;
use crate::flow::Compiled;
use crate::gateways::{Floating, Outside, floating_served, gateways_served};
use crate::group_id::{flood_shards, members_of};
use crate::owner::{Owner, Scope};
use crate::sheet::Sheet;
use crate::subscribe::{has_routes, interfaces_at, way_to};
use crate::tables::{
    Local, address_security, arp_nd, classify, dns, drops, failover, floating, flood, gateways, l2,
    neighbours, policy, port_security, routers, security, services,
};
use crate::tallies::Tally;
use crate::uplinks::{stand_in, way_out};

/// Everything that an owner has in a snapshot; empty when the owner has no reason to exist.
///
/// A reference that leads nowhere (a claim to a port that is gone, a port whose network is gone) gives nothing, never
/// an error: what is not known does not communicate.
pub fn compile(owner: Owner, snapshot: &Snapshot) -> Compiled {
    let mut sheet = Sheet::new(owner);
    // `None` means that something the owner needs is not there; whatever has been written by then stays empty.
    let _ = match owner {
        Owner::Flood(vni, shard) => flood_to(&mut sheet, snapshot, vni, shard),
        Owner::Network(vni) => network(&mut sheet, snapshot, vni),
        Owner::Port(vni, key) => port(&mut sheet, snapshot, vni, key),
        Owner::Router(key) => router(&mut sheet, snapshot, key),
        Owner::Policy(key) => write_policy(&mut sheet, snapshot, key),
        Owner::HostBase(host) => host_base(&mut sheet, snapshot, host),
        Owner::LocalPort(host, key) => local_port(&mut sheet, snapshot, host, key),
        Owner::LocalFlood(host, vni) => local_flood(&mut sheet, snapshot, host, vni),
        Owner::Gateway(host, key) => gateway(&mut sheet, snapshot, host, key),
        Owner::Floating(host, key) => floating_ip(&mut sheet, snapshot, host, key),
        Owner::Interface(host, key) => interface_at(&mut sheet, snapshot, host, key),
    };
    sheet.finish()
}

/// What the switch of a host has that has learned of a machine on a physical network, for those who play a switch.
pub fn known_neighbour(host: HostIndex, network: &Network, address: IpAddr, mac: MacAddr) -> Compiled {
    let mut sheet = Sheet::new(Owner::HostBase(host));
    neighbours::known(&mut sheet, network, address, mac);
    sheet.finish()
}

/// Everything in a scope: what [`crate::owners`] lists, each compiled as [`compile`] does, but in one walk that looks
/// nothing up twice. Owners come in an order that depends on the snapshot alone, and none of them is empty.
pub fn compile_scope(scope: Scope, snapshot: &Snapshot, mut each: impl FnMut(Owner, Compiled)) {
    walk(scope, snapshot, &mut |sheet| each(sheet.owner(), sheet.finish()));
}

/// How much every owner of a scope wants, and the digest of it: as [`compile_scope`], and cheaper because the flows
/// themselves are not kept.
pub fn tally_scope(scope: Scope, snapshot: &Snapshot, mut each: impl FnMut(Owner, Tally)) {
    walk(scope, snapshot, &mut |sheet| each(sheet.owner(), sheet.tally()));
}

/// Writes a sheet for every owner of a scope.
fn walk(scope: Scope, snapshot: &Snapshot, each: &mut impl FnMut(&mut Sheet)) {
    match scope {
        Scope::Network(vni) => walk_network(vni, snapshot, each),
        Scope::Router(key) => walk_router(key, snapshot, each),
        Scope::Policy(key) => walk_policy(key, snapshot, each),
        Scope::Host(host) => walk_host(host, snapshot, each),
    }
}

fn walk_network(vni: Vni, snapshot: &Snapshot, each: &mut impl FnMut(&mut Sheet)) {
    let Some(network) = snapshot.network_by_vni(vni) else { return };
    let mut sheet = Sheet::new(Owner::Network(vni));
    write_network(&mut sheet, network, snapshot);
    each(&mut sheet);
    if !network.admin_up {
        return;
    }
    for shard in flood_shards(network, snapshot) {
        sheet.reuse(Owner::Flood(vni, shard));
        flood::shard(&mut sheet, network, shard, members_of(shard, network.id, snapshot));
        each(&mut sheet);
    }
    let is_routed = is_routed(network, snapshot);
    for (host, port) in snapshot.bound_ports(network.id) {
        let Some(way) = way_out(network, host) else { continue };
        sheet.reuse(Owner::Port(vni, port.key));
        write_port(&mut sheet, network, port, way);
        write_identity(&mut sheet, network, port, snapshot);
        if is_routed {
            write_neighbour(&mut sheet, network, port);
        }
        each(&mut sheet);
    }
    for port in snapshot.interfaces_in(network.id) {
        sheet.reuse(Owner::Port(vni, port.key));
        if write_interface(&mut sheet, network, port, snapshot).is_some() {
            each(&mut sheet);
        }
    }
}

fn walk_router(key: RouterKey, snapshot: &Snapshot, each: &mut impl FnMut(&mut Sheet)) {
    let mut sheet = Sheet::new(Owner::Router(key));
    if router(&mut sheet, snapshot, key).is_some() {
        each(&mut sheet);
    }
}

fn walk_host(host: HostIndex, snapshot: &Snapshot, each: &mut impl FnMut(&mut Sheet)) {
    let Some(record) = snapshot.host_by_index(host) else { return };
    let mut sheet = Sheet::new(Owner::HostBase(host));
    write_host_base(&mut sheet, host);
    each(&mut sheet);
    let mut ports = Vec::new();
    for network in snapshot.networks_at(host) {
        ports.clear();
        ports.extend(snapshot.local_ports_at(network.id, host).map(AsRef::as_ref));
        for port in &ports {
            let Some(claim) = snapshot.claim(port.id, &record.id) else { continue };
            sheet.reuse(Owner::LocalPort(host, port.key));
            write_local_port(&mut sheet, &Local::of(network, port, claim, snapshot), snapshot);
            each(&mut sheet);
        }
        ports.retain(|port| network.admin_up && port.admin_up);
        if !ports.is_empty() {
            sheet.reuse(Owner::LocalFlood(host, network.vni));
            flood::local(&mut sheet, network, &ports);
            each(&mut sheet);
        }
    }
    for outside in gateways_served(host, snapshot) {
        sheet.reuse(Owner::Gateway(host, outside.router.key));
        if let Some(standing) = Standing::of(host, &outside, snapshot) {
            gateways::gateway(&mut sheet, &outside, &standing, snapshot);
            each(&mut sheet);
        }
    }
    for served in floating_served(host, snapshot) {
        sheet.reuse(Owner::Floating(host, served.port.key));
        floating::floating(&mut sheet, host, &served, snapshot);
        each(&mut sheet);
    }
    for port in interfaces_at(host, snapshot) {
        sheet.reuse(Owner::Interface(host, port.key));
        if interface_at(&mut sheet, snapshot, host, port.key).is_some() {
            each(&mut sheet);
        }
    }
}

fn network(sheet: &mut Sheet, snapshot: &Snapshot, vni: Vni) -> Option<()> {
    write_network(sheet, snapshot.network_by_vni(vni)?, snapshot);
    Some(())
}

fn write_network(sheet: &mut Sheet, network: &Network, snapshot: &Snapshot) {
    classify::network(sheet, network);
    if network.admin_up {
        flood::network(sheet, network, flood_shards(network, snapshot));
        l2::network(sheet, network);
        neighbours::network(sheet, network, snapshot);
    }
}

fn flood_to(sheet: &mut Sheet, snapshot: &Snapshot, vni: Vni, shard: u8) -> Option<()> {
    let network =
        snapshot.network_by_vni(vni).filter(|network| network.admin_up && network.tunnel().is_some())?;
    let mut members = members_of(shard, network.id, snapshot).peekable();
    members.peek()?;
    flood::shard(sheet, network, shard, members);
    Some(())
}

fn port(sheet: &mut Sheet, snapshot: &Snapshot, vni: Vni, key: PortKey) -> Option<()> {
    let port = snapshot.port_by_key(key)?;
    let network = snapshot.network(&port.network).filter(|network| network.vni == vni)?;
    if port.router().is_some() {
        return if network.admin_up { write_interface(sheet, network, port, snapshot) } else { None };
    }
    let way = way_to(network, port, snapshot)?;
    write_port(sheet, network, port, way);
    write_identity(sheet, network, port, snapshot);
    if is_routed(network, snapshot) {
        write_neighbour(sheet, network, port);
    }
    Some(())
}

/// A port of a network that a router is in.
fn write_neighbour(sheet: &mut Sheet, network: &Network, port: &Port) {
    routers::neighbour(sheet, network, port);
    if network.segment.is_some() {
        neighbours::port(sheet, network, port);
    }
}

/// True if routers look for the ports of a network.
fn is_routed(network: &Network, snapshot: &Snapshot) -> bool {
    network.external || snapshot.is_routed(network.id)
}

/// A port that is a router's interface; nothing when there is no such router.
fn write_interface(sheet: &mut Sheet, network: &Network, port: &Port, snapshot: &Snapshot) -> Option<()> {
    let router = snapshot.router(&port.router()?)?;
    if port.admin_up {
        arp_nd::interface(sheet, network, port);
    }
    routers::interface(sheet, &routers::Interface { network, port, router });
    if network.segment.is_some() {
        neighbours::port(sheet, network, port);
    }
    Some(())
}

fn router(sheet: &mut Sheet, snapshot: &Snapshot, key: RouterKey) -> Option<()> {
    let router = snapshot.router_by_key(key).filter(|router| has_routes(router, snapshot))?;
    routers::router(sheet, router, snapshot);
    Some(())
}

fn write_identity(sheet: &mut Sheet, network: &Network, port: &Port, snapshot: &Snapshot) {
    if port.admin_up {
        security::identity(sheet, network, port, snapshot);
    }
}

fn walk_policy(key: PolicyKey, snapshot: &Snapshot, each: &mut impl FnMut(&mut Sheet)) {
    let mut sheet = Sheet::new(Owner::Policy(key));
    if write_policy(&mut sheet, snapshot, key).is_some() {
        each(&mut sheet);
    }
}

fn write_policy(sheet: &mut Sheet, snapshot: &Snapshot, key: PolicyKey) -> Option<()> {
    policy::policy(sheet, snapshot.policy(key)?, snapshot);
    Some(())
}

fn write_port(sheet: &mut Sheet, network: &Network, port: &Port, way: u16) {
    l2::port(sheet, network, port, PortNo(u32::from(way)));
    if port.admin_up {
        arp_nd::port(sheet, network, port);
    }
}

fn host_base(sheet: &mut Sheet, snapshot: &Snapshot, host: HostIndex) -> Option<()> {
    snapshot.host_by_index(host)?;
    write_host_base(sheet, host);
    Some(())
}

fn write_host_base(sheet: &mut Sheet, host: HostIndex) {
    classify::host(sheet);
    address_security::host(sheet);
    arp_nd::host(sheet);
    dns::host(sheet);
    routers::host(sheet);
    gateways::host(sheet);
    failover::host(sheet);
    neighbours::host(sheet, host);
    l2::host(sheet);
    security::host(sheet);
    drops::host(sheet);
}

fn local_port(sheet: &mut Sheet, snapshot: &Snapshot, host: HostIndex, key: PortKey) -> Option<()> {
    let port = snapshot.port_by_key(key)?;
    let network = snapshot.network(&port.network)?;
    let bound = snapshot.bound_host(port.id).filter(|bound| bound.index == host)?;
    let claim = snapshot.claim(port.id, &bound.id)?;
    write_local_port(sheet, &Local::of(network, port, claim, snapshot), snapshot);
    Some(())
}

fn write_local_port(sheet: &mut Sheet, local: &Local<'_>, snapshot: &Snapshot) {
    classify::local_port(sheet, local);
    if local.is_up() {
        port_security::local_port(sheet, local);
        address_security::local_port(sheet, local);
        arp_nd::local_port(sheet, local);
        services::local_port(sheet, local, snapshot);
        dns::local_port(sheet, local);
        l2::local_port(sheet, local);
        if let Some(policy) = local.port.policy {
            security::local_port(sheet, local, policy);
        }
    }
}

/// A router's interface on a physical network that the host has a way to.
fn interface_at(sheet: &mut Sheet, snapshot: &Snapshot, host: HostIndex, key: PortKey) -> Option<()> {
    let port = snapshot.port_by_key(key).filter(|port| port.admin_up)?;
    let router = snapshot.router(&port.router()?)?;
    let network = snapshot.network(&port.network).filter(|network| network.admin_up)?;
    let record = snapshot.host_by_index(host)?;
    if !snapshot.carries(record, network) || !snapshot.is_in_realm_at(network.id, host) {
        return None;
    }
    let interface = routers::Interface { network, port, router };
    let stands_in = stand_in(network, snapshot) == Some(host);
    neighbours::interface(
        sheet,
        &neighbours::Presence { host, segment: network.segment?, interface, stands_in },
    );
    Some(())
}

fn local_flood(sheet: &mut Sheet, snapshot: &Snapshot, host: HostIndex, vni: Vni) -> Option<()> {
    let network = snapshot.network_by_vni(vni).filter(|network| network.admin_up)?;
    let ports = snapshot.local_ports_at(network.id, host).filter(|port| port.admin_up);
    let ports: Vec<&Port> = ports.map(AsRef::as_ref).collect();
    if !ports.is_empty() {
        flood::local(sheet, network, &ports);
    }
    Some(())
}

/// A router's gateway, on a host that serves it.
fn gateway(sheet: &mut Sheet, snapshot: &Snapshot, host: HostIndex, key: RouterKey) -> Option<()> {
    let outside = Outside::of(snapshot.router_by_key(key)?, snapshot)?;
    gateways::gateway(sheet, &outside, &Standing::of(host, &outside, snapshot)?, snapshot);
    Some(())
}

/// A floating IP, on the host that serves it.
fn floating_ip(sheet: &mut Sheet, snapshot: &Snapshot, host: HostIndex, key: PortKey) -> Option<()> {
    let served = Floating::of_port(key, snapshot).filter(|floating| floating.hosts.contains(&host))?;
    floating::floating(sheet, host, &served, snapshot);
    Some(())
}
