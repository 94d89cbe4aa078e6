//! Which owners exist, and which scopes a host needs.

use std::collections::BTreeSet;

use weft_model::{HostIndex, Network, Port, Router, RouterKey, Snapshot, Vni};

use crate::gateways;
use crate::group_id::flood_shards;
use crate::owner::{Owner, Scope};
use crate::realms;
use crate::tables::routers;
use crate::uplinks::way_out;

/// The scopes that a host's switch needs: its own, and for every port that is bound on it its policy, and its
/// network with everything that routers join with it; the same for the routers whose gateway it may serve; the external
/// networks that these routers lead to and it has a way to. Empty when there is no such host.
pub fn subscriptions(host: HostIndex, snapshot: &Snapshot) -> BTreeSet<Scope> {
    if snapshot.host_by_index(host).is_none() {
        return BTreeSet::new();
    }
    let mut scopes = realms::scopes(host, gateways::entries(host, snapshot), snapshot);
    scopes.extend(realms::gateway_scopes(host, snapshot));
    scopes
        .extend(snapshot.policies_at(host).filter(|key| snapshot.policy(*key).is_some()).map(Scope::Policy));
    scopes.insert(Scope::Host(host));
    scopes
}

/// True if a host's switch needs a scope: whether [`subscriptions`] has it, without a look at the others.
pub fn subscribes(host: HostIndex, scope: Scope, snapshot: &Snapshot) -> bool {
    if snapshot.host_by_index(host).is_none() {
        return false;
    }
    match scope {
        Scope::Policy(policy) => snapshot.policy(policy).is_some() && snapshot.is_worn_at(policy, host),
        Scope::Host(index) => index == host,
        Scope::Network(vni) => snapshot.network_by_vni(vni).is_some_and(|network| {
            snapshot.is_in_realm_at(network.id, host) || gateways::leads_to(host, network, snapshot)
        }),
        Scope::Router(key) => snapshot.router_by_key(key).is_some_and(|router| {
            // All of its interfaces are in one realm.
            let mut interfaces = snapshot.interfaces_of(router.id);
            let serves = router.gateway.as_ref().is_some_and(|gateway| gateway.hosts.contains(&host));
            serves || interfaces.next().is_some_and(|port| snapshot.is_in_realm_at(port.network, host))
        }),
    }
}

/// The owners of a scope that have anything to install.
pub fn owners(scope: Scope, snapshot: &Snapshot) -> BTreeSet<Owner> {
    match scope {
        Scope::Network(vni) => owners_of_network(vni, snapshot),
        Scope::Router(key) => owners_of_router(key, snapshot),
        Scope::Policy(key) => snapshot.policy(key).map(|_| Owner::Policy(key)).into_iter().collect(),
        Scope::Host(host) => owners_of_host(host, snapshot),
    }
}

fn owners_of_network(vni: Vni, snapshot: &Snapshot) -> BTreeSet<Owner> {
    let Some(network) = snapshot.network_by_vni(vni) else { return BTreeSet::new() };
    let bound = snapshot.ports_of(network.id).filter(|port| way_to(network, port, snapshot).is_some());
    let known = |port: &Port| port.router().is_some_and(|router| snapshot.router(&router).is_some());
    let interfaces = snapshot.interfaces_in(network.id).filter(|port| network.admin_up && known(port));
    let shards = flood_shards(network, snapshot).filter(|_| network.admin_up);
    let flooding = shards.map(|shard| Owner::Flood(vni, shard)).chain([Owner::Network(vni)]);
    bound.chain(interfaces).map(|port| Owner::Port(vni, port.key)).chain(flooding).collect()
}

fn owners_of_router(key: RouterKey, snapshot: &Snapshot) -> BTreeSet<Owner> {
    let router = snapshot.router_by_key(key).filter(|router| has_routes(router, snapshot));
    router.map(|router| Owner::Router(router.key)).into_iter().collect()
}

/// True if a router has anything to say: where it leads, or that it is down.
pub(crate) fn has_routes(router: &Router, snapshot: &Snapshot) -> bool {
    !router.admin_up
        || !router.routes.is_empty()
        || routers::legs(router, snapshot).next().is_some()
        || gateways::Outside::of(router, snapshot).is_some()
}

fn owners_of_host(host: HostIndex, snapshot: &Snapshot) -> BTreeSet<Owner> {
    if snapshot.host_by_index(host).is_none() {
        return BTreeSet::new();
    }
    let mut found = BTreeSet::from([Owner::HostBase(host)]);
    for network in snapshot.networks_at(host) {
        for port in snapshot.local_ports_at(network.id, host) {
            found.insert(Owner::LocalPort(host, port.key));
            if network.admin_up && port.admin_up {
                found.insert(Owner::LocalFlood(host, network.vni));
            }
        }
    }
    let gateways = gateways::gateways_served(host, snapshot);
    found.extend(gateways.map(|outside| Owner::Gateway(host, outside.router.key)));
    let floating = gateways::floating_served(host, snapshot);
    found.extend(floating.iter().map(|floating| Owner::Floating(host, floating.port.key)));
    let interfaces = interfaces_at(host, snapshot).into_iter();
    let known = |port: &&Port| port.router().is_some_and(|router| snapshot.router(&router).is_some());
    found.extend(interfaces.filter(known).map(|port| Owner::Interface(host, port.key)));
    found
}

/// The interfaces of routers, on physical networks to which the host has a way, that it needs: all of its realms.
pub(crate) fn interfaces_at(host: HostIndex, snapshot: &Snapshot) -> Vec<&Port> {
    let record = snapshot.host_by_index(host).filter(|_| snapshot.has_segments());
    let Some(record) = record else { return Vec::new() };
    let realms = realms::one_each(gateways::entries(host, snapshot), snapshot).into_iter();
    let realms = realms.flat_map(|network| snapshot.realm(network));
    let outside = realms
        .filter(|network| network.admin_up && network.segment.is_some() && snapshot.carries(record, network));
    let interfaces = outside.flat_map(|network| snapshot.interfaces_in(network.id));
    interfaces.map(AsRef::as_ref).filter(|port| port.admin_up).collect()
}

/// The tunnel or uplink by which the other hosts of the network reach the port, if they may.
pub(crate) fn way_to(network: &Network, port: &Port, snapshot: &Snapshot) -> Option<u16> {
    let host = snapshot.bound_host(port.id).filter(|_| network.admin_up)?;
    way_out(network, host.index)
}
