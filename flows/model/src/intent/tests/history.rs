//! Random histories: whatever is asked in whatever order, every index equals one rebuilt from the records, and no two
//! ports share what must be unique.

mod outside;
mod shared;

use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::address::successor;
use crate::{Key, MacAddr, NextHop, Port, Route};

const CIDRS: [&str; 4] = ["10.0.0.0/29", "10.0.0.8/29", "fd00::/125", "10.0.0.0/28"];

/// A step: which kind of intent, and the numbers that it is made of.
type Step = (u8, u8, u8, u8);

fn intent((kind, x, y, z): Step) -> Intent {
    let (n, m) = (u128::from(x % 4), u128::from(y % 8));
    let owner = tenant(["a", "b"][usize::from(x % 2)]);
    let if_number = (z == 0).then_some(1);
    if kind >= 208 {
        return security((kind, x, y, z));
    }
    if kind >= 144 {
        return outside::intent((kind, x, y, z));
    }
    match kind % 24 {
        0 => {
            let vlan = crate::VlanId::new(u32::from(z % 3));
            let physnet = ["one", "two"][usize::from(y % 2)].to_owned();
            let segment = (z % 2 == 0).then_some(NewSegment { physnet, vlan });
            let (tenant, external) = (Some(owner), y % 4 == 0);
            Intent::CreateNetwork(NewNetwork { tenant, segment, external, ..NewNetwork::new(network(n)) })
        }
        1 => {
            let labels = named(["", "x"][usize::from(z % 2)]);
            let mtu = (z % 3 == 0).then_some(1000 + u32::from(y) * 2);
            Intent::UpdateNetwork(
                network(n),
                NetworkPatch { if_number, labels, mtu, ..NetworkPatch::default() },
            )
        }
        2 => Intent::DeleteNetwork(network(n), if_number),
        3 | 4 => {
            let cidr = net(CIDRS[usize::from(z % 4)]);
            let mut new = NewSubnet::new(subnet(m), network(n), cidr);
            new.gateway =
                [None, Some(None), Some(Some(cidr.hosts().next().expect("one")))][usize::from(y % 3)];
            Intent::CreateSubnet(new)
        }
        5 => {
            let pools = Some(vec![pool("10.0.0.2", "10.0.0.3"), pool("10.0.0.5", "10.0.0.6")]);
            let pools = pools.filter(|_| z % 2 == 0);
            let gateway = (z % 3 == 0).then_some(None);
            Intent::UpdateSubnet(subnet(m), SubnetPatch { pools, gateway, ..SubnetPatch::default() })
        }
        6 => Intent::DeleteSubnet(subnet(m), if_number),
        7..=11 => port_intent((kind, x, y, z)),
        12..=14 => {
            let claims =
                [(u128::from(y % 16), "t", i64::from(z) + 1), (u128::from(z % 16), "u", i64::from(y) + 1)];
            let name = ["h1", "h2", "h3"][usize::from(x % 3)];
            let report = super::hosts::report(name, &claims[..usize::from(kind) % 3]);
            Intent::ReportHost(HostReport { bridge_mappings: outside::mappings(y ^ z), ..report })
        }
        15 => shared::intent((x, y, z)),
        16..=22 => router_intent((kind % 24, x, y, z)),
        _ => Intent::DeleteHost(host(["h1", "h2", "h3"][usize::from(x % 3)])),
    }
}

fn port_intent((kind, x, y, z): Step) -> Intent {
    let if_number = (z == 0).then_some(1);
    match kind % 24 {
        7..=9 => {
            let mut new =
                NewPort::new(port(u128::from(y % 16)), network(u128::from(x % 4)), u32::from(z % 4));
            new.fixed_ips = asked(x, z);
            new.groups = [
                PortGroups::Unfiltered,
                PortGroups::Default,
                PortGroups::These(groups(z)),
                PortGroups::These(groups(x)),
            ][usize::from(kind / 16 % 4)]
            .clone();
            Intent::CreatePort(new)
        }
        10 => {
            let fixed_ips = asked(x, z);
            let mac = (z % 4 == 1).then_some(MacAddr([2, 0x57, 0x46, 0, 0, z % 8]));
            Intent::UpdatePort(
                port(u128::from(y % 16)),
                PortPatch { if_number, fixed_ips, mac, ..PortPatch::default() },
            )
        }
        _ => Intent::DeletePort(port(u128::from(y % 16)), if_number),
    }
}

fn router_intent((kind, x, y, z): Step) -> Intent {
    let m = u128::from(y % 3);
    let owner = tenant(["a", "b"][usize::from(x % 2)]);
    let if_number = (z == 0).then_some(1);
    match kind {
        16 => Intent::CreateRouter(NewRouter { tenant: Some(owner), ..NewRouter::new(router(m)) }),
        17 | 18 => {
            let (subnet, port) = (subnet(u128::from(z % 8)), port(u128::from(x % 16)));
            Intent::AddInterface(router(m), NewInterface::OfSubnet { subnet, port, mac_seed: z.into() })
        }
        19 => Intent::AddInterface(router(m), NewInterface::Port(port(u128::from(x % 16)))),
        20 => {
            let port = (z % 2 == 0).then_some(port(u128::from(x % 16)));
            let subnet = (z % 3 != 0).then_some(subnet(u128::from(z % 8)));
            Intent::RemoveInterface(router(m), OldInterface { subnet, port })
        }
        21 => {
            let via = Route {
                destination: net("192.0.2.0/24"),
                next_hop: NextHop::Via(IpAddr::from([10, 0, 0, z % 16])),
            };
            let routes = Some(match z % 3 {
                0 => RoutesPatch::Set(vec![via]),
                1 => RoutesPatch::Add(vec![via]),
                _ => RoutesPatch::Remove(vec![via]),
            });
            Intent::UpdateRouter(router(m), RouterPatch { if_number, routes, ..RouterPatch::default() })
        }
        _ => Intent::DeleteRouter(router(m), if_number),
    }
}

fn groups(bits: u8) -> BTreeSet<SecurityGroupId> {
    (0..4).filter(|n| bits >> n & 1 == 1).map(|n| super::security::group(n + 1)).collect()
}

/// A step about security: every kind of write, few objects, so that they meet.
fn security((kind, x, y, z): Step) -> Intent {
    use super::security::{group, rule};
    let owner = tenant(["a", "b"][usize::from(x % 2)]);
    let n = u128::from(y % 4) + 1;
    match kind % 8 {
        0 => Intent::CreateSecurityGroup(NewSecurityGroup {
            id: group(n),
            tenant: Some(owner),
            labels: Labels::default(),
            tracking: crate::Tracking::Stateful,
            rule_ids: [rule(n), rule(n + 4)],
        }),
        1 => Intent::DeleteSecurityGroup(group(n), None),
        2 => Intent::CreateSecurityRule(NewSecurityRule {
            remote: crate::Remote::Group(group(u128::from(z % 4) + 1)),
            ..NewSecurityRule::new(
                rule(u128::from(x % 8) + 9),
                group(n),
                crate::Direction::Ingress,
                crate::Family::V4,
            )
        }),
        3 => Intent::DeleteSecurityRule(rule(u128::from(x % 16) + 1)),
        4 | 5 => {
            let groups = (z % 4 != 0).then(|| groups(x));
            let security = match y % 5 {
                0 => Some(crate::PortSecurity::Off),
                1 => Some(crate::PortSecurity::Enforced),
                _ => None,
            };
            let pair = crate::AllowedPair { mac: None, prefix: net("10.0.0.16/30") };
            let allowed_pairs = (z % 5 == 0).then(|| vec![pair]);
            let patch = PortPatch { groups, security, allowed_pairs, ..PortPatch::default() };
            Intent::UpdatePort(port(u128::from(y % 16)), patch)
        }
        6 => Intent::EnsureDefaultGroup(owner),
        _ => Intent::UpdateSecurityGroup(
            group(n),
            SecurityGroupPatch { labels: named("x"), ..SecurityGroupPatch::default() },
        ),
    }
}

fn asked(x: u8, z: u8) -> Option<Vec<AskedIp>> {
    let by_subnet = AskedIp { subnet: Some(subnet(u128::from(x % 8))), address: None };
    let by_address = AskedIp { subnet: None, address: Some(IpAddr::from([10, 0, 0, z % 16])) };
    match z % 5 {
        0 => Some(vec![by_subnet, by_address]),
        1 => Some(vec![by_address]),
        2 => Some(vec![by_subnet]),
        _ => None,
    }
}

fn check_rebuilt(snapshot: &Snapshot) {
    let records: Vec<Record> = snapshot.records().collect();
    let keys: BTreeSet<Key> = records.iter().map(Record::key).collect();
    assert_eq!(keys.len(), records.len(), "every record once");
    assert_eq!(&Snapshot::from_records(snapshot.revision(), records.clone()), snapshot);
    records.iter().for_each(|record| assert_eq!(snapshot.record(&record.key()).as_ref(), Some(record)));
}

fn check_unique(snapshot: &Snapshot) {
    let count = snapshot.port_count();
    let macs: BTreeSet<_> = snapshot.ports().map(|port| (port.network, port.mac)).collect();
    let keys: BTreeSet<_> = snapshot.ports().map(|port| port.key).collect();
    assert_eq!((macs.len(), keys.len()), (count, count));
    let mut addresses = BTreeSet::new();
    for ip in snapshot.ports().flat_map(|port| &port.fixed_ips) {
        assert!(addresses.insert(*ip), "{ip:?} belongs to one port only");
        let subnet = snapshot.subnet(&ip.subnet).expect("an address is of a subnet that exists");
        assert!(crate::address::usable(subnet.cidr).contains(ip.address));
    }
    let vnis: BTreeSet<_> = snapshot.networks().map(|network| network.vni).collect();
    assert_eq!(vnis.len(), snapshot.networks().count());
    let indexes: BTreeSet<_> = snapshot.hosts().map(|host| host.index).collect();
    assert_eq!(indexes.len(), snapshot.hosts().count());
}

/// A policy is there exactly while a port wears it, and all that it is made of with it.
fn check_policies(snapshot: &Snapshot) {
    let worn: BTreeSet<_> = snapshot.ports().filter_map(|port| port.policy).collect();
    assert_eq!(snapshot.policies().map(|policy| policy.key).collect::<BTreeSet<_>>(), worn);
    for port in snapshot.ports() {
        let secure = port.security == crate::PortSecurity::Enforced;
        assert!(secure || (port.policy.is_none() && port.allowed_pairs.is_empty()));
        let policy = port.policy.and_then(|key| snapshot.policy(key));
        for group in policy.into_iter().flat_map(|policy| &policy.groups) {
            assert_eq!(snapshot.security_group(group).map(|group| &group.tenant), Some(&port.tenant));
        }
        for host in snapshot.hosts() {
            let here = snapshot.bound_host(port.id).is_some_and(|on| on.index == host.index);
            if let (Some(policy), true) = (port.policy, here) {
                assert!(snapshot.policies_at(host.index).any(|key| key == policy));
                assert!(snapshot.is_worn_at(policy, host.index));
            }
        }
    }
    for rule in snapshot.security_rules() {
        assert!(snapshot.security_group(&rule.group).is_some());
        if let crate::Remote::Group(remote) = rule.remote {
            assert!(snapshot.security_group(&remote).is_some());
        }
    }
    let keys: BTreeSet<_> = snapshot.security_rules().map(|rule| rule.key).collect();
    assert_eq!(keys.len(), snapshot.security_rules().count());
}

/// What is not to dangle: everything hangs on something that exists, also after deletions.
fn check_references(snapshot: &Snapshot) {
    check_policies(snapshot);
    for port in snapshot.ports() {
        assert!(snapshot.network(&port.network).is_some() && snapshot.tenant(&port.tenant).is_some());
        let newest = snapshot.claims_of_port(port.id).map(|claim| claim.since).max();
        let newest = newest.filter(|_| !port.is_virtual());
        assert_eq!(
            snapshot.binding(port.id).map(|claim| claim.since),
            newest,
            "the newest claim is in force"
        );
        let on = snapshot.bound_host(port.id).map(|host| host.id.clone());
        for host in snapshot.hosts() {
            let is_local = snapshot.local_ports(port.network, &host.id).any(|local| local.id == port.id);
            assert_eq!(is_local, on.as_ref() == Some(&host.id));
        }
    }
    assert!(snapshot.subnets().all(|subnet| snapshot.network(&subnet.network).is_some()));
    assert!(snapshot.bindings().all(|claim| snapshot.host(&claim.host).is_some()));
}

/// Every list that an index gives equals the one that a look at everything gives.
fn check_lists(snapshot: &Snapshot) {
    let is_on = |port: &Port, host: &HostId| snapshot.bound_host(port.id).is_some_and(|on| on.id == *host);
    for id in snapshot.networks().map(|network| network.id) {
        let ports = || snapshot.ports().filter(move |port| port.network == id);
        let subnets = snapshot.subnets().filter(|subnet| subnet.network == id);
        assert!(snapshot.ports_of(id).eq(ports()) && snapshot.subnets_of(id).eq(subnets));
        let hosts = snapshot.hosts().filter(|host| ports().any(|port| is_on(port, &host.id)));
        let mut indexes: Vec<_> = hosts.map(|host| host.index).collect();
        indexes.sort();
        assert!(snapshot.members(id).eq(indexes.iter().copied()));
        let on = |port: &Port| snapshot.bound_host(port.id).map(|host| (host.index, port.id));
        let mut bound: Vec<_> = ports().filter_map(|port| on(port)).collect();
        bound.sort();
        assert!(snapshot.bound_ports(id).map(|(host, port)| (host, port.id)).eq(bound));
        for first in &indexes {
            assert!(snapshot.members_from(id, *first).eq(indexes.iter().copied().filter(|i| i >= first)));
            assert!(snapshot.is_member_at(id, *first));
        }
    }
    for host in snapshot.hosts() {
        let claims = snapshot.bindings().filter(|claim| claim.host == host.id);
        assert!(snapshot.claims_of_host(&host.id).eq(claims));
        let has_port = |id| snapshot.ports_of(id).any(|port| is_on(port, &host.id));
        let networks = snapshot.networks().filter(|network| has_port(network.id));
        assert!(snapshot.networks_on(&host.id).eq(networks));
    }
    for owner in snapshot.tenants().map(|tenant| &tenant.id) {
        assert!(snapshot.networks_of_tenant(owner).eq(snapshot.networks().filter(|r| r.tenant == *owner)));
        assert!(snapshot.subnets_of_tenant(owner).eq(snapshot.subnets().filter(|r| r.tenant == *owner)));
        assert!(snapshot.ports_of_tenant(owner).eq(snapshot.ports().filter(|r| r.tenant == *owner)));
    }
}

/// A physical network is there exactly while a network is on it, and no two networks are in one place.
fn check_segments(snapshot: &Snapshot) {
    let segments: Vec<_> = snapshot.networks().filter_map(|n| Some((n.segment?, n.id))).collect();
    let places: BTreeSet<_> = segments.iter().map(|(segment, _)| *segment).collect();
    assert_eq!(places.len(), segments.len());
    let used: BTreeSet<_> = places.iter().map(|segment| segment.physnet).collect();
    assert_eq!(snapshot.physnets().map(|physnet| physnet.key).collect::<BTreeSet<_>>(), used);
    for (segment, network) in segments {
        assert_eq!(snapshot.network_by_segment(segment).map(|found| found.id), Some(network));
        assert!(snapshot.networks_of_physnet(segment.physnet).any(|found| found.id == network));
    }
    for physnet in snapshot.physnets() {
        assert_eq!(snapshot.physnet_by_name(&physnet.name), Some(physnet));
    }
}

/// Routers have what their ports say, and realms are what a walk from every network finds.
fn check_routers(snapshot: &Snapshot) {
    for router in snapshot.routers() {
        assert_eq!(snapshot.router_by_key(router.key), Some(router));
        let own = snapshot.ports().filter(|port| port.router() == Some(router.id));
        assert!(snapshot.interfaces_of(router.id).eq(own));
        let addresses = || snapshot.interfaces_of(router.id).flat_map(|port| &port.fixed_ips);
        let subnets: Vec<_> = addresses().filter_map(|ip| snapshot.subnet(&ip.subnet)).collect();
        for (at, subnet) in subnets.iter().enumerate() {
            let others = &subnets[at + 1..];
            assert!(!others.iter().any(|o| o.cidr.contains(&subnet.cidr) || subnet.cidr.contains(&o.cidr)));
            assert_eq!(subnet.tenant, router.tenant, "a router joins its own tenant's networks only");
        }
        let outer = router.gateway.iter().filter_map(|gateway| snapshot.port(&gateway.port));
        let outer: Vec<_> =
            outer.flat_map(|p| &p.fixed_ips).filter_map(|ip| snapshot.subnet(&ip.subnet)).collect();
        for route in &router.routes {
            let NextHop::Via(via) = route.next_hop else { continue };
            assert!(
                subnets.iter().chain(&outer).any(|subnet| subnet.cidr.contains(&via)),
                "{via} is connected"
            );
        }
    }
    for owner in snapshot.tenants().map(|tenant| &tenant.id) {
        assert!(snapshot.routers_of_tenant(owner).eq(snapshot.routers().filter(|r| r.tenant == *owner)));
    }
    let interfaces = || snapshot.ports().filter_map(|port| Some((port.network, port.router()?)));
    assert!(interfaces().all(|(_, router)| snapshot.router(&router).is_some()));
    for network in snapshot.networks().map(|network| network.id) {
        let (mut realm, mut routers) = (BTreeSet::from([network]), BTreeSet::new());
        loop {
            let size = realm.len() + routers.len();
            for (joined, router) in interfaces() {
                if realm.contains(&joined) {
                    routers.insert(router);
                }
                if routers.contains(&router) {
                    realm.insert(joined);
                }
            }
            if size == realm.len() + routers.len() {
                break;
            }
        }
        assert!(snapshot.realm(network).map(|network| network.id).eq(realm));
        assert_eq!(snapshot.realm_routers(network), routers);
        assert_eq!(snapshot.is_routed(network), interfaces().any(|(joined, _)| joined == network));
    }
    assert!(interfaces().count() == 0 || snapshot.routers().count() > 0);
    let is_bound = |port: &std::sync::Arc<Port>| snapshot.bound_host(port.id).is_some();
    assert!(!snapshot.ports().any(|port| port.router().is_some() && is_bound(port)));
}

/// The rule for automatic addresses, said the slow way: per family, the lowest free pool address of the oldest subnet
/// that has one.
fn lowest_free(before: &Snapshot, new: &NewPort) -> Vec<IpAddr> {
    let mut subnets: Vec<_> = before.subnets_of(new.network).cloned().collect();
    subnets.sort_by_key(|subnet| (subnet.stamp.created, subnet.id));
    let free = |is_v4: bool| {
        let family = subnets.iter().filter(|subnet| subnet.cidr.addr().is_ipv4() == is_v4);
        let mut addresses = family.flat_map(|subnet| {
            let walk = |pool: &crate::AddressRange| {
                let end = pool.end;
                std::iter::successors(Some(pool.start), |a| successor(*a)).take_while(move |a| *a <= end)
            };
            subnet.pools.iter().flat_map(walk).map(|address| (subnet.id, address))
        });
        addresses.find(|(subnet, address)| before.port_by_address(*subnet, *address).is_none())
    };
    [free(true), free(false)].into_iter().flatten().map(|(_, address)| address).collect()
}

fn addresses(port: &Port) -> Vec<IpAddr> {
    port.fixed_ips.iter().map(|ip| ip.address).collect()
}

fn check_step(before: &Snapshot, intent: &Intent, now: u64) -> Snapshot {
    let Ok(plan) = plan(before, &Actor::Admin, std::slice::from_ref(intent), &at(now)) else {
        return before.clone();
    };
    let keys: BTreeSet<Key> = plan.changes.iter().map(Change::key).collect();
    assert_eq!(keys.len(), plan.changes.len(), "one change per key");
    for change in &plan.changes {
        match change {
            Change::Put(record) => assert_ne!(before.record(&record.key()).as_ref(), Some(record)),
            Change::Delete(key) => assert!(before.record(key).is_some()),
        }
    }
    let steps = u64::from(!plan.changes.is_empty());
    assert_eq!(plan.snapshot.revision().0, before.revision().0 + steps);
    let mut applied = before.clone();
    if steps > 0 {
        applied.apply(plan.snapshot.revision(), &plan.changes);
    }
    assert_eq!(applied, plan.snapshot);
    if let Intent::CreatePort(new @ NewPort { fixed_ips: None, .. }) = intent {
        let port = plan.snapshot.port(&new.id).expect("created");
        assert_eq!(addresses(port), lowest_free(before, new));
    }
    plan.snapshot
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Incremental equals rebuilt after every step, and the invariants hold throughout.
    #[test]
    fn histories_keep_every_promise(steps in prop::collection::vec(any::<Step>(), 1..200)) {
        let first = outside::beginning();
        let mut snapshot = plan(&Snapshot::new(), &Actor::Admin, &first, &at(0)).expect("planned").snapshot;
        for (now, step) in (1u64..).zip(steps) {
            snapshot = check_step(&snapshot, &intent(step), now / 8);
            check_rebuilt(&snapshot);
            check_unique(&snapshot);
            check_references(&snapshot);
            check_lists(&snapshot);
            check_routers(&snapshot);
            check_segments(&snapshot);
            outside::check(&snapshot);
        }
    }

    /// A request of several intents comes to the same records as its intents one by one, but for the revision that
    /// claims remember; and if one is refused, so is the request.
    #[test]
    fn a_request_is_its_intents_in_a_row(
        past in prop::collection::vec(any::<Step>(), 0..60),
        batch in prop::collection::vec(any::<Step>(), 1..6),
    ) {
        let mut base = world();
        for step in past {
            base = check_step(&base, &intent(step), 1);
        }
        // Claims are left out: their age is the revision of the commit, and here are several commits against one.
        let is_report = |intent: &Intent| matches!(intent, Intent::ReportHost(_) | Intent::DeleteHost(_));
        let batch: Vec<Intent> = batch.into_iter().map(intent).filter(|intent| !is_report(intent)).collect();
        let together = plan(&base, &Actor::Admin, &batch, &at(2));
        let mut one_by_one = Some(base.clone());
        for intent in &batch {
            let next = |state: Snapshot| plan(&state, &Actor::Admin, std::slice::from_ref(intent), &at(2)).ok();
            one_by_one = one_by_one.and_then(next).map(|plan| plan.snapshot);
        }
        let records = |snapshot: &Snapshot| snapshot.records().collect::<Vec<_>>();
        prop_assert_eq!(together.ok().map(|plan| records(&plan.snapshot)), one_by_one.map(|s| records(&s)));
    }
}
