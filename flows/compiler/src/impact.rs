//! From what a commit touched to the owners and hosts whose flows, subscriptions or tunnels may differ now.
//!
//! Everything is reduced to the ports concerned: how a port looked before, how it looks after, and whether that
//! made its host a member of its network or took it away. The cost follows the change, not the system.

use std::collections::BTreeSet;
use std::net::IpAddr;

use weft_model::{
    Encap, HostId, HostIndex, Key, MacAddr, NetworkId, OfPort, PortId, PortKey, PortSecurity, Snapshot, Vni,
};

use crate::group_id::{members_of, shard, shards_of};
use crate::owner::{Owner, Scope};
use crate::tunnels::Link;

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
}

/// What may differ between two snapshots when exactly the records under `touched` do.
pub fn impact(before: &Snapshot, after: &Snapshot, touched: &BTreeSet<Key>) -> Impact {
    let (impact, memberships, links) = (Impact::default(), BTreeSet::new(), Vec::new());
    let mut collector = Collector { before, after, impact, memberships, links };
    let mut ports = BTreeSet::new();
    for key in touched {
        match key {
            // Flows never depend on tenants, tokens, counters or subnets: a port carries its addresses itself.
            Key::Tenant(_) | Key::Token(_) | Key::Counters | Key::Subnet(_) => {}
            Key::SecurityGroup(_) | Key::SecurityRule(_) | Key::AddressGroup(_) | Key::Policy(_) => {}
            Key::Port(port) | Key::Binding(port, _) => drop(ports.insert(*port)),
            Key::Router(_) => {}
            Key::Network(network) => collector.network(*network, &mut ports),
            Key::Host(host) => collector.host(host, &mut ports),
        }
    }
    for port in ports {
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
    place: Option<(HostIndex, OfPort)>,
    face: Face,
}

/// What does not depend on where the port is.
#[derive(PartialEq, Eq)]
struct Face {
    network: (Encap, bool),
    key: PortKey,
    mac: MacAddr,
    addresses: Vec<IpAddr>,
    admin_up: bool,
    security: PortSecurity,
}

struct Collector<'a> {
    before: &'a Snapshot,
    after: &'a Snapshot,
    impact: Impact,
    /// Where membership may have changed.
    memberships: BTreeSet<(NetworkId, HostIndex)>,
    /// Sorted at the end, which is cheaper than keeping thousands sorted all the time.
    links: Vec<Link>,
}

impl Collector<'_> {
    /// A network that looks different to its flows concerns all of its ports.
    fn network(&mut self, id: NetworkId, ports: &mut BTreeSet<PortId>) {
        let face = |s: &Snapshot| s.network(&id).map(|n| (n.vni, n.encap, n.admin_up));
        let sides = [face(self.before), face(self.after)];
        if sides[0] == sides[1] {
            return;
        }
        for (snapshot, face) in [self.before, self.after].into_iter().zip(sides) {
            let Some((vni, ..)) = face else { continue };
            self.impact.owners.insert(Owner::Network(vni));
            self.impact.owners.extend(shards_of(id, snapshot).map(|shard| Owner::Flood(vni, shard)));
            ports.extend(snapshot.ports_of(id).map(|port| port.id));
            self.memberships.extend(snapshot.members(id).map(|host| (id, host)));
        }
    }

    /// A host that came, went or changed its index concerns all ports that it claims; a new VTEP address concerns
    /// the tunnels of all its peers, but no flow.
    fn host(&mut self, id: &HostId, ports: &mut BTreeSet<PortId>) {
        let face = |s: &Snapshot| s.host(id).map(|h| (h.index, h.encap_ips));
        let sides = [face(self.before), face(self.after)];
        if sides[0] == sides[1] {
            return;
        }
        let indexes = sides.map(|side| side.map(|(index, _)| index));
        self.impact.subscribers.extend(indexes.iter().flatten());
        for (snapshot, index) in [self.before, self.after].into_iter().zip(indexes) {
            if indexes[0] != indexes[1] {
                ports.extend(snapshot.claims_of_host(id).map(|claim| claim.port));
            }
            let Some(index) = index else { continue };
            for network in snapshot.networks_at(index) {
                link_all(index, network.id, network.encap, snapshot, &mut self.links);
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
        let (before, after) = (view(self.before, id), view(self.after, id));
        if before == after {
            return;
        }
        // A port that only moved, or whose ofport changed, is the same to its network but for where it is.
        let same_face = matches!((&before, &after), (Some(b), Some(a)) if b.face == a.face && b.vni == a.vni);
        let host = |view: &Option<PortView>| view.as_ref().and_then(|v| v.place.map(|p| p.0));
        let same_host = same_face && host(&before) == host(&after);
        for view in [before, after].into_iter().flatten() {
            if !same_host {
                self.impact.owners.insert(Owner::Port(view.vni, view.face.key));
            }
            let Some((host, _)) = view.place else { continue };
            self.impact.owners.insert(Owner::LocalPort(host, view.face.key));
            if !same_host {
                self.impact.owners.insert(Owner::LocalFlood(host, view.vni));
                self.memberships.insert((view.network, host));
            }
        }
    }

    /// A host that became a member of a network, or is none any more, changes one of the network's flood groups, its own
    /// subscriptions, and the tunnels between it and all other members.
    fn finish(mut self) -> Impact {
        for (network, host) in std::mem::take(&mut self.memberships) {
            let (before, after) = (member(self.before, network, host), member(self.after, network, host));
            if before == after {
                continue;
            }
            let shard = shard(host);
            let has_members = |s| members_of(shard, network, s).next().is_some();
            let is_first_or_last = has_members(self.before) != has_members(self.after);
            self.impact.subscribers.insert(host);
            self.impact.ended.extend(before.map(|(vni, _)| (host, Scope::Network(vni))));
            self.impact.began.extend(after.map(|(vni, _)| (host, Scope::Network(vni))));
            for (snapshot, side) in [(self.before, before), (self.after, after)] {
                let Some((vni, encap)) = side else { continue };
                self.impact.owners.insert(Owner::Flood(vni, shard));
                if is_first_or_last {
                    self.impact.owners.insert(Owner::Network(vni));
                }
                link_all(host, network, encap, snapshot, &mut self.links);
            }
        }
        let mut impact = self.impact;
        // What one object took away and another gave back has not changed.
        let both: Vec<_> = impact.began.intersection(&impact.ended).copied().collect();
        for same in both {
            impact.began.remove(&same);
            impact.ended.remove(&same);
        }
        impact.links = self.links.into_iter().collect();
        impact.hosts = impact.links.iter().map(|link| link.host).collect();
        impact.hosts.extend(&impact.subscribers);
        impact
    }
}

/// Both directions between a host and every member of a network.
fn link_all(host: HostIndex, network: NetworkId, encap: Encap, snapshot: &Snapshot, links: &mut Vec<Link>) {
    for peer in snapshot.members(network).filter(|peer| *peer != host) {
        links.push(Link { host, peer, encap });
        links.push(Link { host: peer, peer: host, encap });
    }
}

fn view(snapshot: &Snapshot, id: PortId) -> Option<PortView> {
    let port = snapshot.port(&id)?;
    let network = snapshot.network(&port.network)?;
    let place = snapshot.bound_host(id).zip(snapshot.binding(id));
    let face = Face {
        network: (network.encap, network.admin_up),
        key: port.key,
        mac: port.mac,
        addresses: port.fixed_ips.iter().map(|ip| ip.address).collect(),
        admin_up: port.admin_up,
        security: port.security,
    };
    let place = place.map(|(host, claim)| (host.index, claim.ofport));
    Some(PortView { network: network.id, vni: network.vni, place, face })
}

/// Under which VNI and encapsulation a host is a member of a network, if it is one.
fn member(snapshot: &Snapshot, network: NetworkId, host: HostIndex) -> Option<(Vni, Encap)> {
    let network = snapshot.network(&network)?;
    snapshot.is_member_at(network.id, host).then_some((network.vni, network.encap))
}
