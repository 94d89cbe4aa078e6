//! The cost of a change: what it concerns grows with the change and not with the network.

#[path = "../state/mod.rs"]
mod state;

mod counts;
mod gateways;
mod security;

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::Result;
use weft_compiler::{Delta, Impact, Owner, Scope, compile, diff, impact};
use weft_model::{Binding, Change, HostIndex, Key, Port, PortKey, Record, Revision, Snapshot, Vni};

const HOSTS: u32 = 300;

/// One network with one port on each of 300 hosts, one host more, and what `lines` add.
fn world(lines: &str) -> Result<Snapshot> {
    let mut text = "network red vni=5001\n".to_owned();
    for n in 1..=HOSTS + 1 {
        writeln!(text, "host h{n} index={n} ip=192.0.{}.{}", n >> 8, n & 0xff)?;
    }
    for n in 1..=HOSTS {
        let (mac, ip) =
            (format!("02:00:00:00:{:02x}:{:02x}", n >> 8, n & 0xff), format!("10.0.{}.{}", n >> 8, n & 0xff));
        writeln!(text, "port p{n} network=red key={n} mac={mac} ip={ip}\nbind p{n} h{n} of=1")?;
    }
    state::parse(&(text + lines))
}

/// What a change concerns, and what must be sent for it.
struct Cost {
    impact: Impact,
    deltas: Vec<(Owner, Delta)>,
}

impl Cost {
    fn of(before: &str, after: &str) -> Result<Cost> {
        let (before, after) = (world(before)?, world(after)?);
        let impact = impact(&before, &after, &differences(&before, &after));
        let delta = |owner: &Owner| (*owner, diff(&compile(*owner, &before), &compile(*owner, &after)));
        let deltas = impact.owners.iter().map(delta).filter(|(_, delta)| !delta.is_empty()).collect();
        Ok(Cost { impact, deltas })
    }

    fn changed(&self) -> Vec<String> {
        self.deltas.iter().map(|(owner, _)| owner.to_string()).collect()
    }

    fn messages(&self) -> usize {
        self.deltas.iter().map(|(_, delta)| weft_compiler::encode(std::slice::from_ref(delta)).len()).sum()
    }
}

/// The keys under which the two differ, but for the revision at which a claim was first seen.
fn differences(before: &Snapshot, after: &Snapshot) -> BTreeSet<Key> {
    let records = |snapshot: &Snapshot| -> BTreeSet<Key> {
        let routers = snapshot.routers().map(|router| Key::Router(router.id));
        let rules = snapshot.security_rules().map(|rule| Key::SecurityRule(rule.id));
        let ports = snapshot.ports().map(|port| Key::Port(port.id)).chain(routers).chain(rules);
        let floating = snapshot.floating_ips().map(|ip| Key::FloatingIp(ip.id));
        let forwarded = snapshot.port_forwardings().map(|forwarding| Key::PortForwarding(forwarding.id));
        let ports = ports.chain(floating).chain(forwarded);
        let claims = snapshot.ports().flat_map(|port| snapshot.claims_of_port(port.id));
        ports.chain(claims.map(|claim| Key::Binding(claim.port, claim.host.clone()))).collect()
    };
    let same = |key: &Key| match (before.record(key), after.record(key)) {
        (Some(Record::Port(a)), Some(Record::Port(b))) => Port::clone(&a) == Port::clone(&b),
        (Some(Record::Binding(a)), Some(Record::Binding(b))) => {
            Binding { since: b.since, ..Binding::clone(&a) } == Binding::clone(&b)
        }
        (Some(Record::Router(a)), Some(Record::Router(b))) => a == b,
        (Some(Record::SecurityRule(a)), Some(Record::SecurityRule(b))) => a == b,
        (Some(Record::FloatingIp(a)), Some(Record::FloatingIp(b))) => a == b,
        (Some(Record::PortForwarding(a)), Some(Record::PortForwarding(b))) => a == b,
        (a, b) => a.is_none() && b.is_none(),
    };
    records(before).union(&records(after)).filter(|key| !same(key)).cloned().collect()
}

const NEW: &str = "port new network=red key=9999 mac=02:00:00:00:99:99 ip=10.0.99.99\n";

#[test]
fn a_port_without_a_host_costs_nothing() -> Result<()> {
    let cost = Cost::of("", NEW)?;
    assert_eq!(cost.messages(), 0);
    assert!(cost.impact.hosts.is_empty());
    Ok(())
}

#[test]
fn a_port_more_on_a_member_host_concerns_itself() -> Result<()> {
    let cost = Cost::of(NEW, &format!("{NEW}bind new h7 of=2"))?;
    assert_eq!(
        cost.changed(),
        ["port 9999 of network 5001", "port 9999 on host 7", "flooding of network 5001 on host 7"]
    );
    assert!(cost.messages() < 25, "{} messages", cost.messages());
    assert!(cost.impact.hosts.is_empty(), "no tunnel and no subscription changes");
    Ok(())
}

#[test]
fn a_new_member_host_costs_one_bucket_and_its_tunnels() -> Result<()> {
    let cost = Cost::of(NEW, &format!("{NEW}bind new h301 of=1"))?;
    assert!(!cost.impact.owners.iter().any(|owner| matches!(owner, Owner::Network(_))));
    let network = cost.deltas.iter().find(|(owner, _)| matches!(owner, Owner::Flood(_, 1)));
    let (_, delta) = network.expect("the flood group changes");
    assert_eq!((delta.add.len(), delta.delete.len(), delta.groups.len()), (0, 0, 1));
    assert_eq!(cost.impact.subscribers.len(), 1);
    assert_eq!(cost.impact.links.len(), 2 * HOSTS as usize);
    Ok(())
}

/// On a physical network a host more costs nobody else anything: no bucket, no tunnel; its own way out, and what others
/// know of the port.
#[test]
fn a_new_host_on_a_physical_network_costs_its_own_uplink() -> Result<()> {
    let mut there = "physnet blue key=1\nnetwork tagged vni=5002 physnet=1 vlan=100\n".to_owned();
    for n in 1..=HOSTS {
        let (key, mac) = (1000 + n, format!("02:00:00:01:{:02x}:{:02x}", n >> 8, n & 0xff));
        writeln!(there, "port v{n} network=tagged key={key} mac={mac}\nbind v{n} h{n} of=2")?;
    }
    let new = "port new network=tagged key=9999 mac=02:00:00:00:99:99 ip=10.0.99.99\n";
    let cost = Cost::of(&format!("{there}{new}"), &format!("{there}{new}bind new h301 of=1"))?;
    let others =
        ["port 9999 of network 5002", "port 9999 on host 301", "flooding of network 5002 on host 301"];
    assert_eq!(cost.changed(), others);
    let host = HostIndex::new(301).expect("in range");
    assert!(cost.impact.links.is_empty());
    assert_eq!(cost.impact.uplinks, BTreeSet::from([host]));
    assert_eq!(cost.impact.subscribers, BTreeSet::from([host]));
    Ok(())
}

#[test]
fn a_joining_host_costs_the_buckets_of_its_shard_only() -> Result<()> {
    let cost = Cost::of(NEW, &format!("{NEW}bind new h301 of=1"))?;
    let wide: Vec<&Owner> =
        cost.impact.owners.iter().filter(|o| matches!(o.scope(), Scope::Network(_))).collect();
    let vni = Vni::new(5001).expect("in range");
    let key = PortKey::new(9999).expect("in range");
    assert_eq!(wide, [&Owner::Flood(vni, 1), &Owner::Port(vni, key)]);
    // Of the 301 members, 46 are in the shard.
    let after = world(&format!("{NEW}bind new h301 of=1"))?;
    assert_eq!(compile(Owner::Flood(vni, 1), &after).groups[0].buckets.len(), 46);
    let (host, network) = (HostIndex::new(301).expect("in range"), Scope::Network(vni));
    assert_eq!(cost.impact.began, BTreeSet::from([(host, network)]));
    assert!(cost.impact.ended.is_empty());
    Ok(())
}

#[test]
fn the_first_host_of_a_shard_changes_where_flooding_goes() -> Result<()> {
    let far = format!("{NEW}host far index=600 ip=192.0.9.9\n");
    let cost = Cost::of(&far, &format!("{far}bind new far of=1"))?;
    let delta = |wanted: &dyn Fn(&Owner) -> bool| {
        let (_, delta) = cost.deltas.iter().find(|(owner, _)| wanted(owner))?;
        Some((delta.add.len(), delta.delete.len(), delta.groups.len()))
    };
    assert_eq!(delta(&|owner| matches!(owner, Owner::Flood(_, 2))), Some((0, 0, 1)));
    assert_eq!(delta(&|owner| matches!(owner, Owner::Network(_))), Some((1, 0, 0)));
    Ok(())
}

#[test]
fn a_host_that_goes_concerns_its_own_networks_and_peers() -> Result<()> {
    let before = world(&format!("{NEW}bind new h301 of=1"))?;
    let mut after = before.clone();
    let host = before.hosts().find(|host| host.index.get() == 301).expect("it is there").id.clone();
    let claims: Vec<Key> =
        before.claims_of_host(&host).map(|claim| Key::Binding(claim.port, host.clone())).collect();
    let touched: BTreeSet<Key> = claims.into_iter().chain([Key::Host(host)]).collect();
    let changes: Vec<Change> = touched.iter().cloned().map(Change::Delete).collect();
    after.apply(Revision(10_000), &changes);
    let impact = impact(&before, &after, &touched);
    assert_eq!(impact.owners.len(), 5, "{:?}", impact.owners);
    assert_eq!(impact.ended.len(), 2);
    assert_eq!(impact.links.len(), 2 * HOSTS as usize);
    Ok(())
}

#[test]
fn a_port_that_moves_concerns_two_hosts_and_one_way() -> Result<()> {
    let at = |host: &str| format!("{NEW}bind new {host} of=2");
    let cost = Cost::of(&at("h7"), &at("h8"))?;
    assert_eq!(cost.changed().len(), 5);
    let way = cost.deltas.iter().find(|(owner, _)| matches!(owner, Owner::Port(..)));
    assert_eq!(way.map(|(_, delta)| (delta.add.len(), delta.delete.len())), Some((1, 0)));
    assert!(cost.impact.hosts.is_empty());
    Ok(())
}

#[test]
fn another_ofport_concerns_one_port_on_one_host() -> Result<()> {
    let at = |ofport: u8| format!("{NEW}bind new h7 of={ofport}");
    let cost = Cost::of(&at(2), &at(3))?;
    assert_eq!(cost.changed(), ["port 9999 on host 7"]);
    Ok(())
}

/// Two small networks beside the large one, with a port each on hosts of their own, and routers for them.
const SMALL: &str = "
    host s1 index=401 ip=192.0.8.1
    host s2 index=402 ip=192.0.8.2
    network one vni=6001
    network two vni=6002
    subnet one4 network=one cidr=10.8.1.0/24
    subnet two4 network=two cidr=10.8.2.0/24
    subnet red4 network=red cidr=10.0.0.0/16
    port p-one network=one key=8001 mac=02:00:00:08:01:02 ip=10.8.1.2
    port p-two network=two key=8002 mac=02:00:00:08:02:02 ip=10.8.2.2
    bind p-one s1 of=1
    bind p-two s2 of=1
    router small key=1
    port gw-one network=one key=8101 mac=02:00:00:08:01:01 ip=10.8.1.1 router=small
";
const GW_TWO: &str = "port gw-two network=two key=8102 mac=02:00:00:08:02:01 ip=10.8.2.1 router=small\n";

#[test]
fn an_interface_concerns_its_realm_and_nobody_else() -> Result<()> {
    let cost = Cost::of(SMALL, &format!("{SMALL}{GW_TWO}"))?;
    let owners: Vec<String> = cost.impact.owners.iter().map(ToString::to_string).collect();
    assert_eq!(owners, ["port 8002 of network 6002", "port 8102 of network 6002", "router 1"]);
    let numbers = |hosts: &BTreeSet<HostIndex>| hosts.iter().map(|host| host.get()).collect::<Vec<_>>();
    assert_eq!(numbers(&cost.impact.subscribers), [401, 402]);
    // Each gets the other's network, the second one the router as well; one tunnel each way.
    assert_eq!((cost.impact.began.len(), cost.impact.ended.len(), cost.impact.links.len()), (3, 0, 2));
    Ok(())
}

#[test]
fn a_port_more_in_a_realm_costs_as_in_a_network() -> Result<()> {
    let state = format!("{SMALL}{GW_TWO}port new network=two key=9999 mac=02:00:00:00:99:99 ip=10.8.2.99\n");
    // A host that has a port of the realm, but none of this network.
    let cost = Cost::of(&state, &format!("{state}bind new s1 of=2"))?;
    let changed = ["flooding of network 6002 to hosts of shard 1", "port 9999 of network 6002"];
    let local = ["port 9999 on host 401", "flooding of network 6002 on host 401"];
    assert_eq!(cost.changed(), [changed, local].concat());
    assert!(cost.impact.subscribers.is_empty() && cost.impact.links.is_empty(), "it had all of it already");
    Ok(())
}

#[test]
fn a_route_concerns_its_router() -> Result<()> {
    let state = format!("{SMALL}{GW_TWO}");
    let routed = state.replace("router small key=1", "router small key=1 route=192.0.2.0/24>10.8.2.2");
    let cost = Cost::of(&state, &routed)?;
    assert_eq!(cost.changed(), ["router 1"]);
    assert_eq!((cost.messages(), cost.impact.hosts.len()), (1, 0));
    Ok(())
}
