//! Who announces what, and when, without switches: two hosts that may serve one router's gateway, and one that serves another's
//! alone.

use std::net::IpAddr;

use weft_model::intent::{
    Actor, Context, HostReport, Intent, NewFloatingIp, NewGateway, NewInterface, NewNetwork, NewRouter,
    NewSegment, NewSubnet, NewTenant, RouterPatch, Settings, plan,
};
use weft_model::{
    Encap, EncapIps, FloatingIpId, NetworkId, PortId, RouterId, RouterKey, SubnetId, TenantId, Timestamp,
};

use super::*;

fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

fn tenant() -> TenantId {
    "red".parse().unwrap()
}

/// What hosts report: all of them have a bridge to physical network `shared`, the third one alone to `own`.
fn report(n: u8) -> Intent {
    let names = if n == 3 { &["own"][..] } else { &["shared"] };
    Intent::ReportHost(HostReport {
        id: format!("h{n}").parse().unwrap(),
        hostname: format!("h{n}"),
        encap_ips: EncapIps { v4: Some([192, 0, 2, n].into()), v6: None },
        ovs_version: "3.1.0".into(),
        datapath_type: "netdev".into(),
        bridge_mappings: names.iter().map(|name| ((*name).to_owned(), format!("br-{name}"))).collect(),
        interfaces: Vec::new(),
    })
}

/// A router of its own on an external network of its own, by number.
fn estate(n: u128, physnet: &str) -> Vec<Intent> {
    let (outer, inner) = (NetworkId(uuid(n)), NetworkId(uuid(n + 1)));
    let router = RouterId(uuid(n));
    let network = |id| NewNetwork { tenant: Some(tenant()), ..NewNetwork::new(id) };
    let segment = Some(NewSegment { physnet: physnet.to_owned(), vlan: None });
    let subnet = |id, network, cidr: &str| {
        Intent::CreateSubnet(NewSubnet::new(SubnetId(uuid(id)), network, cidr.parse().unwrap()))
    };
    let gateway = Some(NewGateway::new(outer, PortId(uuid(n)), 1));
    vec![
        Intent::CreateNetwork(NewNetwork { segment, external: true, ..network(outer) }),
        Intent::CreateNetwork(network(inner)),
        subnet(n, outer, "203.0.113.0/24"),
        subnet(n + 1, outer, "2001:db8::/64"),
        subnet(n + 2, inner, "10.0.0.0/24"),
        Intent::CreateRouter(NewRouter { tenant: Some(tenant()), ..NewRouter::new(router) }),
        Intent::AddInterface(
            router,
            NewInterface::OfSubnet { subnet: SubnetId(uuid(n + 2)), port: PortId(uuid(n + 1)), mac_seed: 7 },
        ),
        Intent::UpdateRouter(router, RouterPatch { gateway: Some(gateway), ..RouterPatch::default() }),
    ]
}

fn snapshot() -> Snapshot {
    let tenant = NewTenant { id: tenant(), labels: Default::default(), enabled: true };
    let mut intents = vec![Intent::CreateTenant(tenant)];
    intents.extend((1..=3).map(report));
    intents.extend(estate(10, "shared"));
    intents.extend(estate(20, "own"));
    let context = Context { now: Timestamp(1), settings: Settings::default() };
    plan(&Snapshot::new(), &Actor::Admin, &intents, &context).unwrap().snapshot
}

/// The router with the shared gateway, and its list: who comes first and who follows.
fn list(snapshot: &Snapshot) -> (RouterKey, HostIndex, HostIndex) {
    let router = snapshot.router(&RouterId(uuid(10))).unwrap();
    let [first, second] = router.gateway.as_ref().unwrap().hosts[..] else { panic!("{router:?}") };
    (router.key, first, second)
}

fn tunnel(peer: HostIndex) -> TunnelId {
    TunnelId { encap: Encap::Vxlan, peer }
}

/// The messages in a piece of bytes.
fn messages(said: Option<Bytes>) -> Vec<Message> {
    let (mut messages, mut rest) = (Vec::new(), said.unwrap_or_default());
    while !rest.is_empty() {
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        messages.push(Message::decode(&rest.split_to(length)).unwrap().1);
    }
    messages
}

/// How many addresses are announced.
fn announced(said: Option<Bytes>) -> usize {
    messages(said).iter().filter(|message| matches!(message, Message::PacketOut(_))).count()
}

/// These hosts have been connected for long, and hear all others.
fn settled(hosts: &[HostIndex], snapshot: &Snapshot) -> Herald {
    let (mut herald, then) = (Herald::default(), Instant::now());
    hosts.iter().for_each(|host| drop(herald.greet(*host, then, snapshot)));
    assert_eq!(herald.handle_timeout(then + GRACE, snapshot), []);
    herald
}

/// The gateway's address of each family, and the link-local one.
const ALL: usize = 3;

#[test]
fn who_follows_speaks_when_the_first_falls_silent_and_once() {
    let snapshot = snapshot();
    let (_, first, second) = list(&snapshot);
    let mut herald = settled(&[second], &snapshot);
    let dead = (tunnel(first), Pulse::Dead);
    let said = messages(herald.handle_pulse(second, dead, &snapshot));
    assert_eq!(said.len(), ALL);
    let Message::PacketOut(arp) = &said[0] else { panic!("{said:?}") };
    let gateway = snapshot.port(&PortId(uuid(10))).unwrap();
    assert_eq!(arp.packet[6..12], gateway.mac.0);
    let IpAddr::V4(address) = gateway.fixed_ips[0].address else { panic!("{gateway:?}") };
    assert_eq!(arp.packet[28..32], address.octets());
    assert_eq!(herald.handle_pulse(second, dead, &snapshot), None, "it has been said");
    assert_eq!(herald.handle_pulse(second, (tunnel(first), Pulse::Alive), &snapshot), None);
    assert_eq!(announced(herald.handle_pulse(second, dead, &snapshot)), ALL, "once more");
    // The tunnel of another encapsulation carries nothing to the gateway.
    let other = TunnelId { encap: Encap::Geneve, peer: first };
    let mut herald = settled(&[second], &snapshot);
    assert_eq!(herald.handle_pulse(second, (other, Pulse::Dead), &snapshot), None);
}

#[test]
fn who_is_first_speaks_whenever_another_comes_back() {
    let snapshot = snapshot();
    let (_, first, second) = list(&snapshot);
    let mut herald = settled(&[first], &snapshot);
    for pulse in [Pulse::Dead, Pulse::Alive, Pulse::Alive] {
        assert_eq!(announced(herald.handle_pulse(first, (tunnel(second), pulse), &snapshot)), ALL);
    }
}

#[test]
fn a_switch_is_asked_once_on_each_connection_who_is_alive() {
    let snapshot = snapshot();
    let (_, first, second) = list(&snapshot);
    let (mut herald, now) = (Herald::default(), Instant::now());
    let asked = messages(herald.greet(first, now, &snapshot));
    let port = PortNo(tunnel_ofport(Encap::Vxlan, second).unwrap().into());
    assert_eq!(asked, [Message::from(Request::PortDesc(port))]);
    assert_eq!(herald.greet(first, now, &snapshot), None);
    herald.forget(first);
    assert_eq!(messages(herald.greet(first, now, &snapshot)).len(), 1);
    // Who has no rival need not wait for anybody.
    let third = snapshot.host(&"h3".parse().unwrap()).unwrap().index;
    assert_eq!(
        (announced(herald.greet(third, now, &snapshot)), herald.greet(third, now, &snapshot)),
        (ALL, None)
    );
}

#[test]
fn new_owners_are_announced_by_who_serves_them() {
    let snapshot = snapshot();
    let (key, first, second) = list(&snapshot);
    let mut herald = settled(&[first, second], &snapshot);
    let now = Instant::now();
    let owners = BTreeSet::from([Owner::Gateway(first, key), Owner::Gateway(second, key)]);
    let said = herald.handle_owners(&owners, now, &snapshot);
    assert_eq!(said.iter().map(|(host, _)| *host).collect::<Vec<_>>(), [first]);
    assert_eq!(herald.handle_timeout(now + GRACE, &snapshot), [], "everybody is heard");
    // Who is silent when the second one comes may not have been heard yet; then it is silent.
    assert_eq!(herald.handle_owners(&owners, now, &snapshot).len(), 1);
    assert_eq!(herald.handle_pulse(second, (tunnel(first), Pulse::Dead), &snapshot), None);
    assert_eq!(herald.handle_owners(&owners, now + GRACE / 2, &snapshot).len(), 1);
    assert_eq!(herald.handle_timeout(now + GRACE / 2, &snapshot), []);
    let said = herald.handle_timeout(herald.poll_timeout().unwrap(), &snapshot);
    assert_eq!(said.iter().map(|(host, _)| *host).collect::<Vec<_>>(), [second]);
    assert_eq!(herald.poll_timeout(), None, "changes in between did not make it longer");
    herald.forget(second);
    assert_eq!(herald.handle_owners(&owners, now, &snapshot).len(), 1, "it is not known any more");
    assert_eq!(herald.handle_owners(&BTreeSet::from([Owner::HostBase(first)]), now, &snapshot), []);
}

#[test]
fn who_has_just_come_does_not_speak_for_whom_it_has_not_heard_yet() {
    let snapshot = snapshot();
    let (_, first, second) = list(&snapshot);
    let (mut herald, now) = (Herald::default(), Instant::now());
    let (dead, alive) = ((tunnel(first), Pulse::Dead), (tunnel(first), Pulse::Alive));
    assert_eq!(herald.handle_pulse(second, dead, &snapshot), None, "it has no flows yet");
    herald.greet(second, now, &snapshot);
    assert_eq!(herald.handle_pulse(second, alive, &snapshot), None);
    assert_eq!(herald.handle_timeout(now + GRACE, &snapshot), []);
    // On its next connection the first one is dead indeed; who leaves in between is not waited for.
    herald.forget(second);
    herald.greet(second, now, &snapshot);
    assert_eq!(herald.handle_pulse(second, dead, &snapshot), None);
    herald.forget(second);
    assert_eq!(herald.poll_timeout(), None);
    herald.greet(second, now, &snapshot);
    assert_eq!(herald.handle_pulse(second, dead, &snapshot), None);
    let said = herald.handle_timeout(now + GRACE, &snapshot);
    assert_eq!(said.into_iter().map(|(_, said)| announced(Some(said))).sum::<usize>(), ALL);
}

#[test]
fn a_floating_ip_that_leads_nowhere_is_not_announced() {
    let new = NewFloatingIp {
        id: FloatingIpId(uuid(1)),
        tenant: Some(tenant()),
        labels: Default::default(),
        network: NetworkId(uuid(10)),
        port: PortId(uuid(99)),
        mac_seed: 3,
        address: None,
        subnet: None,
        target: None,
    };
    let context = Context { now: Timestamp(2), settings: Settings::default() };
    let plan = plan(&snapshot(), &Actor::Admin, &[Intent::CreateFloatingIp(new)], &context).unwrap();
    let (_, first, _) = list(&plan.snapshot);
    let key = plan.snapshot.port(&PortId(uuid(99))).unwrap().key;
    let owners = BTreeSet::from([Owner::Floating(first, key)]);
    assert_eq!(Herald::default().handle_owners(&owners, Instant::now(), &plan.snapshot), []);
}
