//! What is planned and what is refused, rule by rule, and as random histories.

mod desired;
mod floating_ips;
mod gateways;
mod history;
mod hosts;
mod names;
mod networks;
mod pools;
mod ports;
mod qos;
mod quotas;
mod routers;
mod security;
mod segment_ranges;
mod sharing;
mod subnets;
mod tenants;
mod trunks;
mod users;

use uuid::Uuid;

use super::*;
use crate::{OfPort, Record, Revision};

/// Tenants a and b; networks 1 (a, with subnet 1 and port 1) and 2 (b, with subnet 2 and port 2); nothing else.
pub(super) fn world() -> Snapshot {
    let intents = [
        Intent::CreateTenant(new_tenant("a")),
        Intent::CreateTenant(new_tenant("b")),
        Intent::CreateNetwork(NewNetwork { tenant: Some(tenant("a")), ..NewNetwork::new(network(1)) }),
        Intent::CreateNetwork(NewNetwork { tenant: Some(tenant("b")), ..NewNetwork::new(network(2)) }),
        Intent::CreateSubnet(NewSubnet::new(subnet(1), network(1), net("10.0.0.0/24"))),
        Intent::CreateSubnet(NewSubnet::new(subnet(2), network(2), net("10.0.0.0/24"))),
        Intent::CreatePort(NewPort::new(port(1), network(1), 1)),
        Intent::CreatePort(NewPort::new(port(2), network(2), 1)),
    ];
    plan(&Snapshot::new(), &Actor::Admin, &intents, &at(100)).expect("the world is valid").snapshot
}

/// Plans for tenant a on top of [`world`] and compares the outcome.
#[track_caller]
pub(super) fn check(intents: &[Intent], expected: &str) {
    check_as(&Actor::Tenant(tenant("a")), intents, expected);
}

/// Plans for the operator on top of [`world`] and compares the outcome.
#[track_caller]
pub(super) fn check_admin(intents: &[Intent], expected: &str) {
    check_as(&Actor::Admin, intents, expected);
}

/// Plans on top of [`world`] and compares the changes, one per line, or the refusal.
#[track_caller]
pub(super) fn check_as(actor: &Actor, intents: &[Intent], expected: &str) {
    check_on(&world(), actor, intents, expected);
}

#[track_caller]
pub(super) fn check_on(base: &Snapshot, actor: &Actor, intents: &[Intent], expected: &str) {
    let found = match plan(base, actor, intents, &at(200)) {
        Ok(plan) => {
            assert_eq!(plan.touched.len(), intents.len());
            let mut again = base.clone();
            if !plan.changes.is_empty() {
                again.apply(Revision(base.revision().0 + 1), &plan.changes);
            }
            assert_eq!(again, plan.snapshot, "the changes lead to the snapshot");
            let shown = plan.changes.iter().filter(|change| change.key() != Key::Counters);
            shown.map(|change| show(change).trim_end().to_owned()).collect::<Vec<_>>().join(
                "
",
            )
        }
        Err(rejected) => format!("refused: {rejected}"),
    };
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(found.replace("00000000-0000-0000-0000-0000000000", "#"), expected.join("\n"));
}

fn show(change: &Change) -> String {
    match change {
        Change::Delete(key) => format!("delete {key:?}").to_lowercase(),
        Change::Put(Record::Tenant(r)) => {
            format!("tenant {} {} {}", r.id, label(&r.stamp), if r.enabled { "enabled" } else { "disabled" })
        }
        Change::Put(record @ (Record::User(_) | Record::Assignment(_) | Record::AppCredential(_))) => {
            show_identity(record)
        }
        Change::Put(Record::Token(r)) => format!("token {} {:?}", r.id, r.role),
        Change::Put(Record::Network(r)) => {
            let (vni, encap, mtu) = (r.vni, r.encap.name(), r.mtu.0);
            let vlan =
                |segment: crate::Segment| segment.vlan.map_or(String::new(), |vlan| format!(" vlan {vlan}"));
            let way = r.segment.map_or(encap.to_owned(), |s| format!("physnet {}{}", s.physnet, vlan(s)));
            format!("network {} {} of {} vni {vni} {way} mtu {mtu}", r.id, label(&r.stamp), r.tenant)
        }
        Change::Put(Record::PhysicalNetwork(r)) => format!("physnet {} {}", r.key, r.name),
        Change::Put(Record::Subnet(r)) => {
            let gateway = r.gateway.map_or("none".to_owned(), |gateway| gateway.to_string());
            let pools: Vec<_> = r.pools.iter().map(|pool| format!("{}-{}", pool.start, pool.end)).collect();
            let (id, label, pools) = (r.id, label(&r.stamp), pools.join(" "));
            format!("subnet {id} {label} of {} {} via {gateway} pools {pools}", r.tenant, r.cidr)
        }
        Change::Put(Record::Port(r)) => {
            let ips: Vec<_> = r.fixed_ips.iter().map(|ip| ip.address.to_string()).collect();
            let (id, label, ips) = (r.id, label(&r.stamp), ips.join(" "));
            let policy = r.policy.map_or(String::new(), |policy| format!(" policy {policy}"));
            format!("port {id} {label} of {} key {} {} [{ips}]{policy}", r.tenant, r.key, r.mac)
        }
        Change::Put(Record::Router(r)) => {
            let routes: Vec<_> =
                r.routes.iter().map(|route| format!("{} {:?}", route.destination, route.next_hop)).collect();
            let (id, label, routes) = (r.id, label(&r.stamp), routes.join(", "));
            format!("router {id} {label} of {} key {} [{routes}]", r.tenant, r.key)
        }
        Change::Put(Record::Quota(r)) => format!("quota of {} {:?}", r.tenant, r.limits),
        Change::Put(Record::FloatingIp(r)) => {
            let target = r.target.map_or("nothing".to_owned(), |t| format!("{} by {}", t.address, t.router));
            format!("floating ip {} of {} {} for {target}", r.id, r.tenant, r.address)
        }
        Change::Put(Record::PortForwarding(r)) => {
            let (external, internal) = (r.external, r.internal);
            let (from, to) = ((external.first, external.last), (internal.first, internal.last));
            format!(
                "forwarding {} of {} {:?} {from:?} to {} {to:?}",
                r.id, r.floating_ip, r.protocol, r.address
            )
        }
        Change::Put(Record::Host(r)) => format!("host {} index {} {}", r.id, r.index, r.hostname),
        Change::Put(Record::Binding(r)) => {
            let behind = r.behind.map_or(String::new(), |b| format!(" vlan {} zone {}", b.vlan, b.zone));
            format!(
                "binding {} on {} as {} {} since {}{behind}",
                r.port, r.host, r.interface, r.ofport, r.since
            )
        }
        Change::Put(record) => show_more(record),
    }
}

/// What is worn, and what joins ports.
fn show_more(record: &Record) -> String {
    match record {
        Record::SecurityGroup(r) => {
            format!("group {} {} of {} {:?}", r.id, label(&r.stamp), r.tenant, r.tracking)
        }
        Record::SecurityRule(r) => {
            let (group, key, direction, family) = (r.group, r.key, r.direction, r.family);
            format!("rule of {group} key {key} {direction} {family} {:?} {:?}", r.service, r.remote)
        }
        Record::AddressGroup(r) => {
            format!("addresses {} {} of {} {:?}", r.id, label(&r.stamp), r.tenant, r.prefixes)
        }
        Record::Policy(r) => {
            let groups: Vec<_> = r.groups.iter().map(ToString::to_string).collect();
            format!("policy {} [{}]", r.key, groups.join(" "))
        }
        Record::Trunk(r) => {
            let subports: Vec<_> = r.subports.iter().map(|(vlan, port)| format!("{vlan}: {port}")).collect();
            format!("trunk {} of {} on {} [{}]", label(&r.stamp), r.tenant, r.port, subports.join(", "))
        }
        Record::QosPolicy(r) => {
            let kinds: Vec<_> = r.rules.iter().map(|rule| rule.kind).collect();
            format!("qos {} of {} {kinds:?}", label(&r.stamp), r.tenant)
        }
        other => show_shared(other),
    }
}

fn show_shared(record: &Record) -> String {
    match record {
        Record::AddressScope(r) => {
            format!("scope {} {} of {} {}", r.id, label(&r.stamp), r.tenant, r.family)
        }
        Record::SubnetPool(r) => {
            let prefixes: Vec<_> = r.prefixes.iter().map(ToString::to_string).collect();
            let lengths = format!("{}..{}..{}", r.min_prefixlen, r.default_prefixlen, r.max_prefixlen);
            let (id, label, prefixes) = (r.id, label(&r.stamp), prefixes.join(" "));
            format!("pool {id} {label} of {} {prefixes} lengths {lengths}", r.tenant)
        }
        Record::RbacPolicy(r) => {
            let (kind, object, access) = (r.object.kind.name(), r.object.id, r.access.name());
            format!("rbac of {} {kind} {object} {access} {:?}", r.tenant, r.audience)
        }
        Record::SegmentRange(r) => {
            let (id, encap, owner) = (r.id, r.encap.name(), r.tenant.as_ref().map(TenantId::as_str));
            format!(
                "range {id} {} {encap} {}-{} of {owner:?} next {}",
                label(&r.stamp),
                r.first,
                r.last,
                r.next
            )
        }
        other => format!("{other:?}"),
    }
}

fn show_identity(record: &Record) -> String {
    match record {
        Record::User(r) => {
            let tenant = r.default_tenant.as_ref().map_or("nothing".to_owned(), ToString::to_string);
            let state = if r.enabled { "enabled" } else { "disabled" };
            format!("user {} {} {state} for {tenant}", r.id, label(&r.stamp))
        }
        Record::Assignment(r) => format!("roles of {} for {} {:?}", r.user, r.tenant, r.roles),
        Record::AppCredential(r) => {
            format!("credential {} {} of {} for {} {:?}", r.id, r.name, r.user, r.tenant, r.role)
        }
        _ => String::new(),
    }
}

fn label(stamp: &crate::Stamp) -> String {
    format!("v{} {:?}", stamp.number, stamp.name)
}

pub(super) fn at(now: u64) -> Context {
    Context { now: Timestamp(now), settings: Settings::default() }
}

pub(super) fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant id")
}

pub(super) fn new_tenant(name: &str) -> NewTenant {
    NewTenant { id: tenant(name), labels: Labels::default(), enabled: true }
}

pub(super) fn host(name: &str) -> HostId {
    name.parse().expect("a host id")
}

pub(super) fn network(n: u128) -> NetworkId {
    NetworkId(Uuid::from_u128(n))
}

pub(super) fn subnet(n: u128) -> SubnetId {
    SubnetId(Uuid::from_u128(n))
}

pub(super) fn port(n: u128) -> PortId {
    PortId(Uuid::from_u128(n))
}

pub(super) fn router(n: u128) -> RouterId {
    RouterId(Uuid::from_u128(n))
}

pub(super) fn net(text: &str) -> ipnet::IpNet {
    text.parse().expect("a prefix")
}

pub(super) fn ip(text: &str) -> std::net::IpAddr {
    text.parse().expect("an address")
}

pub(super) fn pool(start: &str, end: &str) -> crate::AddressRange {
    crate::AddressRange { start: ip(start), end: ip(end) }
}

pub(super) fn ofport(n: i64) -> OfPort {
    OfPort::new(n).expect("an ofport")
}

pub(super) fn named(name: &str) -> LabelsPatch {
    LabelsPatch { name: Some(name.to_owned()), ..LabelsPatch::default() }
}
