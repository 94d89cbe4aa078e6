//! Random histories: after every step, what was kept up by impact equals what is compiled from scratch.

mod gateways;
mod security;
mod shaping;
mod switch;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use weft_compiler::{
    ByScope, Compiled, Link, Owner, Scope, Tallies, Tally, TunnelPort, TunnelSettings, compile,
    compile_scope, diff, impact, owners, pipeline, preview, subscribes, subscriptions, tally_scope, tunnel,
    tunnel_ofport, tunnels, tunnels::tunnel_name, uplink_ofport, uplinks,
};
use weft_model::{HostIndex, Key, PhysnetKey, Revision, Router, Snapshot};

use switch::Switch;
use world::{Op, commit, op};

/// Everything that a controller would hold, kept up by impact alone.
#[derive(Default)]
struct Held {
    compiled: BTreeMap<Owner, Compiled>,
    subscriptions: BTreeMap<HostIndex, BTreeSet<Scope>>,
    tunnels: BTreeMap<HostIndex, BTreeMap<String, TunnelPort>>,
    uplinks: BTreeMap<HostIndex, BTreeMap<PhysnetKey, Option<String>>>,
}

impl Held {
    /// Brings everything that the change may have altered up to date, and nothing else.
    fn follow(&mut self, before: &Snapshot, after: &Snapshot, touched: &BTreeSet<Key>) {
        let impact = impact(before, after, touched);
        for owner in impact.owners {
            let now = compile(owner, after);
            let had = self.compiled.remove(&owner).unwrap_or_default();
            let delta = diff(&had, &now);
            assert_eq!(switch::patched(&had, &delta), now, "the difference of {owner} does not lead there");
            assert_eq!(delta.is_empty(), had == now);
            assert_eq!(had.digest() + delta.change, now.digest());
            assert_eq!(delta.is_empty(), had.digest() == now.digest());
            if !now.is_empty() {
                self.compiled.insert(owner, now);
            }
        }
        self.follow_links(&impact.links, after);
        for host in impact.uplinks {
            assert_ne!(uplinks(host, before), uplinks(host, after));
            self.uplinks.insert(host, uplinks(host, after));
        }
        // Exactly what changes: what begins was not there, and what ends was.
        for (host, scope) in &impact.ended {
            let gone = self.subscriptions.get_mut(host).is_some_and(|scopes| scopes.remove(scope));
            assert!(gone, "{scope} ends on host {host}, which did not have it");
            assert!(impact.subscribers.contains(host));
        }
        for (host, scope) in &impact.began {
            let new = self.subscriptions.entry(*host).or_default().insert(*scope);
            assert!(new, "{scope} begins on host {host}, which had it");
            assert!(impact.subscribers.contains(host));
        }
        self.subscriptions.retain(|_, scopes| !scopes.is_empty());
        let told = impact.subscribers.iter().chain(impact.links.iter().map(|link| &link.host));
        assert_eq!(impact.hosts, told.copied().collect());
    }

    fn follow_links(&mut self, links: &BTreeSet<Link>, snapshot: &Snapshot) {
        for link in links {
            let ports = self.tunnels.entry(link.host).or_default();
            ports.remove(&tunnel_name(link.encap, link.peer));
            let port = tunnel(*link, snapshot, &TunnelSettings::default());
            ports.extend(port.map(|port| (port.name.clone(), port)));
        }
    }

    fn look_at(&mut self, host: HostIndex, snapshot: &Snapshot) {
        if snapshot.host_by_index(host).is_some() {
            self.subscriptions.insert(host, subscriptions(host, snapshot));
        }
    }

    fn from_scratch(snapshot: &Snapshot) -> Held {
        let mut held = Held::default();
        let networks = snapshot.networks().map(|network| Scope::Network(network.vni));
        let hosts = snapshot.hosts().map(|host| Scope::Host(host.index));
        let routers = snapshot.routers().map(|router| Scope::Router(router.key));
        let policies = snapshot.policies().map(|policy| Scope::Policy(policy.key));
        for owner in
            networks.chain(routers).chain(policies).chain(hosts).flat_map(|scope| owners(scope, snapshot))
        {
            let compiled = compile(owner, snapshot);
            assert!(!compiled.is_empty(), "{owner} is said to exist");
            assert_eq!(compiled, compile(owner, snapshot), "compiling {owner} twice");
            held.compiled.insert(owner, compiled);
        }
        for host in snapshot.hosts() {
            held.look_at(host.index, snapshot);
            held.tunnels.insert(host.index, tunnels(&host.id, snapshot, &TunnelSettings::default()));
        }
        held.uplinks = snapshot.hosts().map(|host| (host.index, uplinks(host.index, snapshot))).collect();
        held
    }

    /// What one host's switch must have.
    fn wanted_by(&self, host: HostIndex) -> BTreeMap<Owner, &Compiled> {
        let scopes = &self.subscriptions[&host];
        self.compiled.iter().filter(|(o, _)| scopes.contains(&o.scope())).map(|(o, c)| (*o, c)).collect()
    }
}

/// A walk over a scope gives what compiling its owners one by one gives.
fn check_walks(held: &Held, snapshot: &Snapshot) {
    let scopes: BTreeSet<Scope> = held.compiled.keys().map(|owner| owner.scope()).collect();
    let mut walked = BTreeMap::new();
    for scope in scopes {
        let mut tallies = Vec::new();
        compile_scope(scope, snapshot, |owner, compiled| {
            let again = Compiled::new(compiled.flows.clone(), compiled.groups.clone());
            assert_eq!(again.digest(), compiled.digest(), "{owner}");
            tallies.push((owner, compiled.tally()));
            assert!(walked.insert(owner, compiled).is_none(), "{owner} twice");
        });
        let mut counted = Vec::new();
        tally_scope(scope, snapshot, |owner, tally| counted.push((owner, tally)));
        assert_eq!(counted, tallies);
    }
    assert_eq!(walked.keys().collect::<Vec<_>>(), held.compiled.keys().collect::<Vec<_>>());
    assert!(walked == held.compiled);
}

/// Subscriptions follow from the policies of the ports that are there, and from the realms, said the slow way: whoever has a port in a network has every network and
/// router that can be reached from it.
fn check_realms(held: &Held, snapshot: &Snapshot) {
    for host in snapshot.hosts() {
        let mut wanted = BTreeSet::from([Scope::Host(host.index)]);
        let mut left: Vec<_> = snapshot.networks_at(host.index).map(|network| network.id).collect();
        let serves = |router: &&Arc<Router>| {
            router.gateway.as_ref().is_some_and(|gateway| gateway.hosts.contains(&host.index))
        };
        let mut routers: BTreeSet<_> = snapshot.routers().filter(serves).map(|router| router.id).collect();
        left.extend(
            snapshot.ports().filter(|p| p.router().is_some_and(|r| routers.contains(&r))).map(|p| p.network),
        );
        let mut seen = BTreeSet::new();
        while let Some(id) = left.pop() {
            if !seen.insert(id) {
                continue;
            }
            wanted.extend(snapshot.network(&id).map(|network| Scope::Network(network.vni)));
            for router in snapshot.ports().filter(|p| p.network == id).filter_map(|port| port.router()) {
                routers.insert(router);
                let beyond = snapshot.ports().filter(|port| port.router() == Some(router));
                left.extend(beyond.map(|port| port.network));
            }
        }
        for router in routers.iter().filter_map(|id| snapshot.router(id)) {
            wanted.insert(Scope::Router(router.key));
            let outside = router.gateway.as_ref().and_then(|gateway| snapshot.network(&gateway.network));
            let outside = outside.filter(|network| {
                network.external && network.segment.is_some() && snapshot.carries(host, network)
            });
            wanted.extend(outside.map(|network| Scope::Network(network.vni)));
        }
        let here = |id| snapshot.bound_host(id).is_some_and(|on| on.index == host.index);
        let worn = snapshot.ports().filter(|port| here(port.id)).filter_map(|port| port.policy);
        wanted.extend(worn.filter(|key| snapshot.policy(*key).is_some()).map(Scope::Policy));
        let has = &held.subscriptions[&host.index];
        assert_eq!(has, &wanted, "host {}", host.index);
        let scopes = held.compiled.keys().map(|owner| owner.scope());
        for scope in scopes.collect::<BTreeSet<_>>() {
            assert_eq!(subscribes(host.index, scope, snapshot), has.contains(&scope), "{scope}");
        }
    }
}

fn check_same(held: &Held, scratch: &Held) {
    let names = |held: &Held| held.compiled.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(held), names(scratch), "owners");
    for (owner, compiled) in &scratch.compiled {
        assert_eq!(&held.compiled[owner], compiled, "flows of {owner}");
    }
    assert_eq!(held.subscriptions, scratch.subscriptions);
    // A host that is gone may have left an empty entry behind, never a tunnel.
    let tunnels = |held: &Held| -> BTreeMap<_, _> {
        held.tunnels.iter().filter(|(_, ports)| !ports.is_empty()).map(|(h, p)| (*h, p.clone())).collect()
    };
    assert_eq!(tunnels(held), tunnels(scratch));
    let uplinks = |held: &Held| -> BTreeMap<_, _> {
        held.uplinks.iter().filter(|(_, all)| !all.is_empty()).map(|(h, all)| (*h, all.clone())).collect()
    };
    assert_eq!(uplinks(held), uplinks(scratch));
}

/// What a switch shows, taken entry by entry, adds up to what is wanted, scope by scope.
fn check_tallies(step: usize, held: &Held, snapshot: &Snapshot) {
    // One switch a step: all of them in turn.
    for host in held.subscriptions.keys().cycle().skip(step).take(held.subscriptions.len().min(1)) {
        let mut wanted: BTreeMap<Scope, Tally> = BTreeMap::new();
        let mut seen = Tallies::default();
        for (owner, compiled) in held.wanted_by(*host) {
            wanted.entry(owner.scope()).or_default().merge(compiled.tally());
            switch::show(compiled, &mut seen);
        }
        assert_eq!(seen.by_scope(*host, snapshot), ByScope { scopes: wanted, foreign: Tally::default() });
    }
}

/// What must hold for the flows of any one switch.
fn check_hosts(held: &Held) {
    for host in held.subscriptions.keys() {
        let mut places = BTreeSet::new();
        let mut groups = BTreeSet::new();
        for (owner, compiled) in held.wanted_by(*host) {
            pipeline::check_compiled(owner, compiled).unwrap_or_else(|e| panic!("{owner}: {e}"));
            for flow in &compiled.flows {
                let (table, priority, matching) = flow.place();
                assert!(places.insert((table, priority, matching)), "{owner}: place taken in table {table}");
            }
            for group in &compiled.groups {
                assert!(groups.insert(group.id), "{owner}: group {:#x} taken", group.id);
            }
        }
    }
}

/// Every bound port that is up is reached through its own host's tunnel, and that tunnel exists on every other host that
/// has its network, be it through a router.
/// On a physical network, that is the way.
fn check_ways(held: &Held, snapshot: &Snapshot) {
    for port in snapshot.ports() {
        let (Some(network), Some(host)) = (snapshot.network(&port.network), snapshot.bound_host(port.id))
        else {
            continue;
        };
        if !network.admin_up || !port.admin_up {
            continue;
        }
        let compiled = &held.compiled[&Owner::Port(network.vni, port.key)];
        let way = compiled.flows.iter().find(|flow| flow.table == pipeline::L2_REMOTE.number);
        let ofport = match network.segment {
            Some(segment) => Some(uplink_ofport(segment.physnet)),
            None => tunnel_ofport(network.encap, host.index),
        };
        assert_eq!(switch::output_of(way.expect("a bound port has a way")), ofport.map(u32::from));
        let has_it = |host: &HostIndex| held.subscriptions[host].contains(&Scope::Network(network.vni));
        let indexes = held.subscriptions.keys().filter(|index| **index != host.index && has_it(index));
        for member in indexes.filter_map(|index| snapshot.host_by_index(*index)) {
            if let Some(segment) = network.segment {
                assert!(held.uplinks[&member.index].contains_key(&segment.physnet));
            } else if member.encap_ips.towards(&host.encap_ips).is_some() {
                let known = held.tunnels[&member.index].values().any(|tunnel| Some(tunnel.ofport) == ofport);
                assert!(known, "host {} has no tunnel to {}", member.index, host.index);
            }
        }
    }
}

/// How many flows every switch has.
fn counts(held: &Held) -> BTreeMap<HostIndex, i64> {
    let flows = |host: &HostIndex| held.wanted_by(*host).values().map(|c| c.flows.len() as i64).sum();
    held.subscriptions.keys().map(|host| (*host, flows(host))).collect()
}

/// What is said beforehand about a change is what it then comes to.
fn check_preview(sides: [&Snapshot; 2], touched: &BTreeSet<Key>, counts: [&BTreeMap<HostIndex, i64>; 2]) {
    let said = preview(sides[0], sides[1], touched, usize::MAX).expect("no bound");
    let hosts: BTreeSet<HostIndex> = counts.into_iter().flat_map(|side| side.keys().copied()).collect();
    assert!(said.keys().all(|host| hosts.contains(host)));
    for host in hosts {
        let [had, has] = counts.map(|side| side.get(&host).copied().unwrap_or(0));
        let said = said.get(&host).copied().unwrap_or_default();
        assert_eq!(said.added as i64 - said.removed as i64, has - had, "host {host}: {said:?}");
    }
}

fn run(history: Vec<Vec<Op>>) {
    let mut snapshot = Snapshot::new();
    let mut held = Held::default();
    let mut flows = BTreeMap::new();
    let mut switches: BTreeMap<HostIndex, Switch> = BTreeMap::new();
    for (step, ops) in history.iter().enumerate() {
        let before = snapshot.clone();
        let changes = commit(&before, ops);
        let touched: BTreeSet<Key> = changes.iter().map(|change| change.key()).collect();
        snapshot.apply(Revision(step as u64 + 1), &changes);
        held.follow(&before, &snapshot, &touched);
        check_same(&held, &Held::from_scratch(&snapshot));
        check_walks(&held, &snapshot);
        check_realms(&held, &snapshot);
        check_hosts(&held);
        check_tallies(step, &held, &snapshot);
        check_ways(&held, &snapshot);
        let had = std::mem::replace(&mut flows, counts(&held));
        check_preview([&before, &snapshot], &touched, [&had, &flows]);
        // A host that goes and comes back under another index is another switch to us.
        switches.retain(|host, _| held.subscriptions.contains_key(host));
        for host in held.subscriptions.keys() {
            switches.entry(*host).or_default().bring_to(&held.wanted_by(*host));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn incremental_is_from_scratch(history in prop::collection::vec(prop::collection::vec(op(), 1..4), 1..60)) {
        run(history);
    }
}
