//! From what a commit touched to the owners and hosts whose flows, subscriptions or tunnels may differ now.
//!
//! Everything is reduced to the ports concerned: how a port looked before, how it looks after, and whether that
//! made its host a member of its network or took it away. What routers join is looked at as a whole, by realm. The cost
//! follows the change and the realms that it is in, not the system.

mod gateways;
mod outside;
mod security;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use weft_model::{
    AllowedPair, Behind, DhcpOption, Direction, Dscp, Encap, HostId, HostIndex, Key, MacAddr, NetworkId,
    OfPort, PhysnetKey, PolicyKey, PortId, PortKey, PortSecurity, QosPolicy, QosPolicyId, RateLimit, Router,
    RouterId, Segment, Snapshot, SubnetId, Vni,
};

use crate::failover;
use crate::gateways::{Outside, entries};
use crate::group_id::{members_of, shard, shards_of};
use crate::owner::{Owner, Scope};
use crate::realms;
use crate::subscribe::subscribes;
use crate::tunnels::Link;
use crate::uplinks::uplinks;

/// What a change may have altered. Whatever is not in it is the same before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Impact {
    /// Owners to compile again.
    pub owners: BTreeSet<Owner>,
    /// Hosts (also ones that are gone now) whose subscriptions or tunnels may differ.
    pub hosts: BTreeSet<HostIndex>,
    /// Those of `hosts` whose subscriptions may differ: few, however large the networks are.
    pub subscribers: BTreeSet<HostIndex>,
    /// Scopes that hosts need now and did not need before: exactly what [`crate::subscriptions`] would say.
    pub began: BTreeSet<(HostIndex, Scope)>,
    /// Scopes that hosts needed before and do not need now.
    pub ended: BTreeSet<(HostIndex, Scope)>,
    /// The links whose tunnel port may differ, for [`crate::tunnel`]: what a host of `hosts` must look at instead of
    /// all its peers.
    pub links: BTreeSet<Link>,
    /// Hosts whose uplinks differ, see [`crate::uplinks()`].
    pub uplinks: BTreeSet<HostIndex>,
}

/// What may differ between two snapshots when exactly the records under `touched` do.
pub fn impact(before: &Snapshot, after: &Snapshot, touched: &BTreeSet<Key>) -> Impact {
    let (impact, memberships, regrouped, wearers, links) = Default::default();
    let (duties, remapped) = Default::default();
    let mut collector =
        Collector { before, after, impact, memberships, regrouped, duties, remapped, wearers, links };
    let mut ports = BTreeSet::new();
    for key in touched {
        match key {
            // Flows never depend on tenants, who speaks for them, or counters.
            Key::Tenant(_)
            | Key::Token(_)
            | Key::User(_)
            | Key::Assignment(..)
            | Key::AppCredential(_)
            | Key::Quota(_)
            | Key::Counters => {}
            Key::FloatingIp(id) => collector.floating_ip(*id),
            Key::PortForwarding(id) => collector.port_forwarding(*id),
            Key::PhysicalNetwork(physnet) => collector.physnet(*physnet),
            Key::Subnet(subnet) => {
                collector.subnet(*subnet);
                collector.told_by_subnet(*subnet);
            }
            Key::SecurityGroup(_) | Key::SecurityRule(_) | Key::AddressGroup(_) | Key::Policy(_) => {
                collector.security(key);
            }
            Key::Port(port) | Key::Binding(port, _) => drop(ports.insert(*port)),
            // Its subports' claims are touched by themselves.
            Key::Trunk(id) => {
                ports.extend([before, after].into_iter().filter_map(|s| Some(s.trunk(id)?.port)));
            }
            Key::QosPolicy(id) => collector.qos(*id, &mut ports),
            Key::Router(router) => collector.router(*router),
            // Who may use what, and where prefixes and VNIs come from, is nothing that flows know of.
            Key::AddressScope(_) | Key::SubnetPool(_) | Key::RbacPolicy(_) | Key::SegmentRange(_) => {}
            Key::Network(network) => collector.network(*network, &mut ports),
            Key::Host(host) => collector.host(host, &mut ports),
        }
    }
    for port in ports {
        collector.gateways(port);
        collector.translated(port);
        collector.port(port);
    }
    collector.finish()
}

/// All that flows know of a port.
#[derive(PartialEq, Eq)]
struct PortView {
    network: NetworkId,
    vni: Vni,
    /// `None` while no host that is known claims the port.
    place: Option<(HostIndex, OfPort, Option<Behind>)>,
    face: Face,
    /// Whether it is a trunk's parent, and how much it may send and get, which only its own host knows.
    interface: (bool, Option<Limits>),
    /// What only its own host tells it: the subnets of its addresses, its name and the options chosen for it.
    told: (Vec<SubnetId>, String, Vec<DhcpOption>),
}

/// What does not depend on where the port is.
#[derive(PartialEq, Eq)]
struct Face {
    network: (Option<Encap>, Option<Segment>, bool),
    /// Whether its network passes tagged frames.
    tags: bool,
    /// Whether routers outside of its network look for it.
    external: bool,
    key: PortKey,
    mac: MacAddr,
    addresses: Vec<IpAddr>,
    admin_up: bool,
    security: PortSecurity,
    /// The router whose interface it is.
    router: Option<RouterId>,
    policy: Option<PolicyKey>,
    pairs: Vec<AllowedPair>,
}

/// What a QoS policy says.
type Limits = ([Option<RateLimit>; 2], Option<Dscp>);

fn limits(policy: &QosPolicy) -> Limits {
    ([Direction::Egress, Direction::Ingress].map(|direction| policy.limit(direction)), policy.mark())
}

struct Collector<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    impact: Impact,
    /// Where membership may have changed.
    memberships: BTreeSet<(NetworkId, HostIndex)>,
    /// Networks whose realm may be another one, or in which it may have another number.
    regrouped: BTreeSet<NetworkId>,
    /// Hosts that may serve other gateways than before.
    duties: BTreeSet<HostIndex>,
    /// Hosts that may reach other physical networks than before.
    remapped: BTreeSet<HostIndex>,
    /// Where it may have changed whether a policy is worn.
    wearers: BTreeSet<(PolicyKey, HostIndex)>,
    /// Sorted at the end, which is cheaper than keeping thousands sorted all the time.
    links: Vec<Link>,
}

impl Collector<'_> {
    /// A network that looks different to its flows concerns all of its ports.
    fn network(&mut self, id: NetworkId, ports: &mut BTreeSet<PortId>) {
        self.told_by_network(id);
        let qos = |s: &Snapshot| s.network(&id).and_then(|network| network.qos_policy);
        if qos(self.before) != qos(self.after) {
            let both = [self.before, self.after].into_iter();
            ports.extend(both.flat_map(|s| s.bound_ports(id)).map(|(_, port)| port.id));
        }
        let face = |s: &Snapshot| {
            s.network(&id)
                .map(|n| (n.vni, n.tunnel(), n.segment, (n.admin_up, n.vlan_transparent, n.external)))
        };
        let sides = [face(self.before), face(self.after)];
        if sides[0] == sides[1] {
            return;
        }
        self.gateways_on(id);
        for (snapshot, face) in [self.before, self.after].into_iter().zip(sides) {
            let Some((vni, _, segment, _)) = face else { continue };
            if segment.is_some() {
                self.uplinks_of(id);
            }
            self.impact.owners.insert(Owner::Network(vni));
            self.impact.owners.extend(shards_of(id, snapshot).map(|shard| Owner::Flood(vni, shard)));
            ports.extend(snapshot.ports_of(id).map(|port| port.id));
            self.memberships.extend(snapshot.members(id).map(|host| (id, host)));
            self.routers_in(id, snapshot);
            if snapshot.is_routed(id) {
                self.regrouped.insert(id);
            }
        }
    }

    /// A policy that says something else concerns the ports that wear it, by themselves or by their network.
    fn qos(&mut self, id: QosPolicyId, ports: &mut BTreeSet<PortId>) {
        let says = |s: &Snapshot| s.qos_policy(&id).map(|policy| limits(policy));
        if says(self.before) == says(self.after) {
            return;
        }
        for snapshot in [self.before, self.after] {
            ports.extend(snapshot.ports_with_qos(id));
            let networks = snapshot.networks_with_qos(id);
            ports.extend(networks.flat_map(|network| snapshot.bound_ports(network)).map(|(_, port)| port.id));
        }
    }

    /// The name of a physical network, which decides where its uplinks lead.
    fn physnet(&mut self, key: PhysnetKey) {
        let name = |s: &Snapshot| s.physnet(key).map(|physnet| physnet.name.clone());
        if name(self.before) != name(self.after) {
            let both = [self.before, self.after].into_iter();
            let networks: BTreeSet<_> = both.flat_map(|s| s.networks_of_physnet(key)).map(|n| n.id).collect();
            for network in networks {
                self.uplinks_of(network);
                self.gateways_on(network);
            }
            self.interfaces_of_physnet(key);
        }
    }

    /// The uplinks of all hosts in a network's realm, before and after.
    fn uplinks_of(&mut self, network: NetworkId) {
        for snapshot in [self.before, self.after] {
            let members = snapshot.realm(network).flat_map(|joined| snapshot.members(joined.id));
            self.impact.uplinks.extend(members);
        }
    }

    /// The routers with an interface in a network, and their gateways, which know how large packets may be inside.
    fn routers_in(&mut self, network: NetworkId, snapshot: &Snapshot) {
        for router in snapshot.interfaces_in(network).filter_map(|port| snapshot.router(&port.router()?)) {
            self.routes_of(router, snapshot);
        }
    }

    /// A router, and its gateway where that is served.
    fn routes_of(&mut self, router: &Router, snapshot: &Snapshot) {
        self.impact.owners.insert(Owner::Router(router.key));
        let outside = Outside::of(router, snapshot);
        let servers = outside.iter().flat_map(|outside| outside.servers(snapshot));
        self.impact.owners.extend(servers.map(|host| Owner::Gateway(host, router.key)));
    }

    /// A subnet is known to the routers in it, and to nobody else: a port carries its addresses itself.
    fn subnet(&mut self, id: SubnetId) {
        let face = |s: &Snapshot| s.subnet(&id).map(|subnet| (subnet.network, subnet.cidr, subnet.gateway));
        let sides = [face(self.before), face(self.after)];
        if sides[0] == sides[1] {
            return;
        }
        for (network, ..) in sides.into_iter().flatten() {
            for snapshot in [self.before, self.after] {
                self.routers_in(network, snapshot);
                // Machines on a physical network are learned by the subnets' prefixes.
                let outside = snapshot.network(&network).filter(|network| network.segment.is_some());
                self.impact.owners.extend(outside.map(|network| Owner::Network(network.vni)));
            }
            self.routes_to(network);
        }
    }

    /// A router that came or went concerns its interfaces and their realm; other changes only its own routes.
    fn router(&mut self, id: RouterId) {
        let sides = [self.before, self.after].map(|snapshot| snapshot.router(&id));
        let gateways = sides.map(|side| side.and_then(|router| Some((router.key, router.gateway.as_ref()?))));
        if gateways[0] != gateways[1] {
            self.gateway(id);
        }
        if let [Some(before), Some(after)] = sides
            && (before.key, before.admin_up, &before.routes) == (after.key, after.admin_up, &after.routes)
        {
            return;
        }
        let keys = sides.map(|side| side.map(|router| router.key));
        self.impact.owners.extend(keys.into_iter().flatten().map(Owner::Router));
        if keys[0] == keys[1] {
            return;
        }
        for snapshot in [self.before, self.after] {
            for port in snapshot.interfaces_of(id) {
                let vni = snapshot.network(&port.network).map(|network| network.vni);
                self.impact.owners.extend(vni.map(|vni| Owner::Port(vni, port.key)));
                self.regrouped.insert(port.network);
                self.interface_everywhere(port.id);
            }
        }
    }

    /// An interface that changes concerns its router; one that comes or goes regroups the networks that it joins, and
    /// the first and last of a network say whether anybody asks for its ports' addresses.
    fn interface(&mut self, id: PortId) {
        let joins = |snapshot: &Snapshot| {
            let port = snapshot.port(&id)?;
            Some((port.network, port.router()?))
        };
        let (before, after) = (joins(self.before), joins(self.after));
        for (snapshot, side) in [(self.before, before), (self.after, after)] {
            let Some((network, router)) = side else { continue };
            if let Some(router) = snapshot.router(&router) {
                self.routes_of(router, snapshot);
            }
            if before != after {
                self.regrouped.insert(network);
            }
        }
        self.interface_everywhere(id);
        if before == after {
            return;
        }
        for (network, _) in before.into_iter().chain(after) {
            if self.before.is_routed(network) == self.after.is_routed(network) {
                continue;
            }
            for snapshot in [self.before, self.after] {
                let Some((vni, segment)) = snapshot.network(&network).map(|n| (n.vni, n.segment)) else {
                    continue;
                };
                let bound = snapshot.bound_ports(network).map(|(_, port)| Owner::Port(vni, port.key));
                self.impact.owners.extend(bound);
                // On a physical network there are neighbours to learn from now on, or none any more.
                self.impact.owners.extend(segment.map(|_| Owner::Network(vni)));
            }
        }
    }

    /// A host that came, went or changed its index concerns all ports that it claims; a new VTEP address concerns
    /// the tunnels of all its peers, and no flow but those of gateways, which ask who can see whom.
    fn host(&mut self, id: &HostId, ports: &mut BTreeSet<PortId>) {
        let mappings = |s: &Snapshot| s.host(id).map(|h| (h.index, h.bridge_mappings.clone()));
        let sides = [mappings(self.before), mappings(self.after)];
        if sides[0] != sides[1] {
            let indexes: Vec<HostIndex> = sides.into_iter().flatten().map(|(index, _)| index).collect();
            self.impact.uplinks.extend(&indexes);
            indexes.into_iter().for_each(|index| self.ways_outside(index));
        }
        let face = |s: &Snapshot| s.host(id).map(|h| (h.index, h.encap_ips));
        let sides = [face(self.before), face(self.after)];
        if sides[0] == sides[1] {
            return;
        }
        let indexes = sides.map(|side| side.map(|(index, _)| index));
        self.impact.subscribers.extend(indexes.iter().flatten());
        self.gateways_of_hosts(indexes.iter().flatten());
        for (snapshot, index) in [self.before, self.after].into_iter().zip(indexes) {
            if indexes[0] != indexes[1] {
                ports.extend(snapshot.claims_of_host(id).map(|claim| claim.port));
            }
            let Some(index) = index else { continue };
            for (peer, encap) in ways(index, entries(index, snapshot), snapshot) {
                link(index, peer, encap, &mut self.links);
            }
        }
        if indexes[0] != indexes[1] {
            self.impact.owners.extend(indexes.into_iter().flatten().map(Owner::HostBase));
            let [old, new] = indexes;
            self.impact.ended.extend(old.map(|host| (host, Scope::Host(host))));
            self.impact.began.extend(new.map(|host| (host, Scope::Host(host))));
        }
    }

    fn port(&mut self, id: PortId) {
        self.wearing(id);
        let (before, after) = (view(self.before, id), view(self.after, id));
        if before != after || before.is_none() {
            self.interface(id);
        }
        if before == after {
            return;
        }
        // A port that only moved, or whose ofport changed, is the same to its network but for where it is.
        let same_face = matches!((&before, &after), (Some(b), Some(a)) if b.face == a.face && b.vni == a.vni);
        let host = |view: &Option<PortView>| view.as_ref().and_then(|v| v.place.map(|p| p.0));
        let same_host = same_face && host(&before) == host(&after);
        if !same_host {
            self.sharing_pairs(before.as_ref(), after.as_ref());
        }
        for view in [before, after].into_iter().flatten() {
            if !same_host {
                self.impact.owners.insert(Owner::Port(view.vni, view.face.key));
            }
            let Some((host, ..)) = view.place else { continue };
            self.impact.owners.insert(Owner::LocalPort(host, view.face.key));
            if !same_host {
                self.impact.owners.insert(Owner::LocalFlood(host, view.vni));
                self.memberships.insert((view.network, host));
            }
        }
    }

    /// The tunnels that are watched, or not any more, because of gateways of realms that are other ones now.
    fn watches(&mut self) {
        let watched = |snapshot: &Snapshot| -> BTreeSet<Link> {
            let networks = realms::one_each(self.regrouped.iter().copied(), snapshot).into_iter();
            networks.flat_map(|network| failover::watched(network, snapshot)).collect()
        };
        let (before, after) = (watched(self.before), watched(self.after));
        self.links.extend(before.symmetric_difference(&after));
    }

    /// Every network of the realms, before and after, of those that may be in another realm now; also those that are not
    /// there (yet): what is behind them is needed because of them.
    fn networks_regrouped(&self) -> BTreeSet<NetworkId> {
        let both = [self.before, self.after];
        let realms = self.regrouped.iter().flat_map(|id| both.map(|snapshot| snapshot.realm_ids(*id)));
        realms.flatten().chain(self.regrouped.iter().copied()).collect()
    }

    /// The hosts of these networks, before and after: those with ports of them, and those that may serve a gateway of
    /// their realm, which is looked at once.
    fn hosts_regrouped(&self) -> Vec<(HostIndex, NetworkId)> {
        let (mut found, networks) = (Vec::new(), self.networks_regrouped());
        for snapshot in [self.before, self.after] {
            for first in realms::one_each(networks.iter().copied(), snapshot) {
                let gateways = snapshot.gateways_in_realm(first);
                let serving: BTreeSet<HostIndex> =
                    gateways.flat_map(|gateway| gateway.hosts.iter().copied()).collect();
                let realm: BTreeSet<NetworkId> = snapshot.realm_ids(first).chain([first]).collect();
                for network in realm.intersection(&networks) {
                    let hosts = snapshot.members(*network).chain(serving.iter().copied());
                    found.extend(hosts.map(|host| (host, *network)));
                }
            }
        }
        found
    }

    /// What a host needs because of networks that it has or had a port of, before and after.
    fn compare(&mut self, host: HostIndex, networks: &BTreeSet<NetworkId>) {
        let scopes = |snapshot: &Snapshot| {
            if snapshot.host_by_index(host).is_none() {
                return BTreeSet::new();
            }
            let ids = networks.iter().copied().filter(|id| snapshot.is_in_realm_at(*id, host));
            let mut scopes = realms::scopes(host, ids, snapshot);
            scopes.extend(realms::gateway_scopes(host, snapshot));
            scopes
        };
        let (before, after) = (scopes(self.before), scopes(self.after));
        if before != after {
            self.impact.subscribers.insert(host);
        }
        if scopes_have_segment(self.before, &before) || scopes_have_segment(self.after, &after) {
            self.impact.uplinks.insert(host);
        }
        // What leads outside may be needed because of another realm as well.
        let is_new = |scope: &&Scope, then: &Snapshot| {
            !leads_outside(**scope, [self.before, self.after]) || !subscribes(host, **scope, then)
        };
        let ended = before.difference(&after).filter(|scope| is_new(scope, self.after));
        let began = after.difference(&before).filter(|scope| is_new(scope, self.before));
        self.impact.ended.extend(ended.map(|scope| (host, *scope)));
        self.impact.began.extend(began.map(|scope| (host, *scope)));
        let ways = |snapshot: &Snapshot| ways(host, networks.iter().copied(), snapshot);
        let (before, after) = (ways(self.before), ways(self.after));
        let mut old = before.iter().peekable();
        for way in &after {
            while let Some(gone) = old.next_if(|old| *old < way) {
                link(host, gone.0, gone.1, &mut self.links);
            }
            if old.next_if_eq(&way).is_none() {
                link(host, way.0, way.1, &mut self.links);
            }
        }
        old.for_each(|gone| link(host, gone.0, gone.1, &mut self.links));
    }

    /// A host that became a member of a network, or is none any more, changes one of the network's flood groups, its own
    /// subscriptions, and the tunnels between it and all other hosts of the realm.
    fn finish(mut self) -> Impact {
        let mut moved: BTreeMap<HostIndex, BTreeSet<NetworkId>> = BTreeMap::new();
        for (network, host) in std::mem::take(&mut self.memberships) {
            let (before, after) = (member(self.before, network, host), member(self.after, network, host));
            if before == after {
                continue;
            }
            let shard = shard(host);
            let has_members = |s| members_of(shard, network, s).next().is_some();
            let is_first_or_last = has_members(self.before) != has_members(self.after);
            for (vni, _) in before.into_iter().chain(after) {
                self.impact.owners.insert(Owner::Flood(vni, shard));
                if is_first_or_last {
                    self.impact.owners.insert(Owner::Network(vni));
                }
            }
            moved.entry(host).or_default().insert(network);
        }
        for (host, network) in self.hosts_regrouped() {
            moved.entry(host).or_default().insert(network);
        }
        for host in std::mem::take(&mut self.duties) {
            moved.entry(host).or_default();
        }
        for host in std::mem::take(&mut self.remapped) {
            let networks = moved.entry(host).or_default();
            for snapshot in [self.before, self.after] {
                networks.extend(entries(host, snapshot));
            }
        }
        for (host, networks) in moved {
            self.compare(host, &networks);
            self.outside(host, &networks);
        }
        self.watches();
        self.worn();
        let mut impact = self.impact;
        // What one object took away and another gave back has not changed.
        let both: Vec<_> = impact.began.intersection(&impact.ended).copied().collect();
        for same in both {
            impact.began.remove(&same);
            impact.ended.remove(&same);
        }
        let (before, after) = (self.before, self.after);
        impact.uplinks.retain(|host| uplinks(*host, before) != uplinks(*host, after));
        impact.links = self.links.into_iter().collect();
        impact.hosts = impact.links.iter().map(|link| link.host).collect();
        impact.hosts.extend(&impact.subscribers);
        impact
    }
}

/// True for an external network, and a router with a gateway, before or after.
fn leads_outside(scope: Scope, both: [&Snapshot; 2]) -> bool {
    both.into_iter().any(|snapshot| match scope {
        Scope::Network(vni) => snapshot.network_by_vni(vni).is_some_and(|network| network.external),
        Scope::Router(key) => snapshot.router_by_key(key).is_some_and(|router| router.gateway.is_some()),
        Scope::Policy(_) | Scope::Host(_) => false,
    })
}

/// True if one of the networks is on a physical network.
fn scopes_have_segment(snapshot: &Snapshot, scopes: &BTreeSet<Scope>) -> bool {
    let mut networks = scopes.iter().filter_map(|scope| match scope {
        Scope::Network(vni) => snapshot.network_by_vni(*vni),
        Scope::Router(_) | Scope::Policy(_) | Scope::Host(_) => None,
    });
    networks.any(|network| network.segment.is_some())
}

/// The tunnels that a host needs because of these networks, in order, each once.
fn ways(
    host: HostIndex,
    networks: impl Iterator<Item = NetworkId>,
    snapshot: &Snapshot,
) -> Vec<(HostIndex, Encap)> {
    let mut found = Vec::new();
    for network in realms::one_each(networks, snapshot) {
        realms::ways(host, network, snapshot, |peer, encap| found.push((peer, encap)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Both directions.
fn link(host: HostIndex, peer: HostIndex, encap: Encap, links: &mut Vec<Link>) {
    links.push(Link { host, peer, encap });
    links.push(Link { host: peer, peer: host, encap });
}

fn view(snapshot: &Snapshot, id: PortId) -> Option<PortView> {
    let port = snapshot.port(&id)?;
    let network = snapshot.network(&port.network)?;
    let place = snapshot.bound_host(id).zip(snapshot.binding(id));
    let face = Face {
        network: (network.tunnel(), network.segment, network.admin_up),
        tags: network.vlan_transparent,
        external: network.external,
        key: port.key,
        mac: port.mac,
        addresses: port.fixed_ips.iter().map(|ip| ip.address).collect(),
        admin_up: port.admin_up,
        security: port.security,
        router: port.router(),
        policy: port.policy,
        pairs: port.allowed_pairs.clone(),
    };
    let place = place.map(|(host, claim)| (host.index, claim.ofport, claim.behind));
    let says = snapshot.qos_of(port, network).map(|policy| limits(policy));
    let interface = (snapshot.trunk_of_parent(id).is_some(), says);
    let subnets = port.fixed_ips.iter().map(|ip| ip.subnet).collect();
    let told = (subnets, port.dns_name.clone(), port.dhcp_options.clone());
    Some(PortView { network: network.id, vni: network.vni, place, face, interface, told })
}

/// Under which VNI and encapsulation a host is a member of a network, if it is one.
fn member(snapshot: &Snapshot, network: NetworkId, host: HostIndex) -> Option<(Vni, Option<Encap>)> {
    let network = snapshot.network(&network)?;
    snapshot.is_member_at(network.id, host).then_some((network.vni, network.tunnel()))
}
