//! Proves that what the desk acknowledged is there after a restart, record for record, in either store, and that damaged
//! records stop a start instead of being skipped.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use weft_controller::desk::{Desk, Hooks, WriteError};
use weft_controller::records;
use weft_controller::vault::Vault;
use weft_model::intent::{
    Actor, AskedIp, AskedPart, AskedPool, AskedPrefix, AskedTarget, BelowUse, HostReport, Intent,
    NewAddressGroup, NewAddressScope, NewAppCredential, NewFloatingIp, NewGateway, NewInterface, NewNetwork,
    NewPort, NewPortForwarding, NewQosPolicy, NewRbacPolicy, NewRouter, NewSecurityGroup, NewSegment,
    NewSegmentRange, NewSubnet, NewSubnetPool, NewTenant, NewToken, NewTrunk, NewUser, PortGroups,
    QosRuleChange, QuotaPatch, Rejected, ReportedInterface, RouterPatch, SegmentRangeChange, Settings,
    Subport,
};
use weft_model::{
    Access, AddressGroupId, AddressScopeId, AppCredentialId, Audience, CredentialReach, CredentialSecret,
    Direction, Dscp, Encap, EncapIps, Family, FloatingIpId, HostRoute, Kbps, Key, NetworkId, OfPort,
    PasswordHash, PortForwardingId, PortId, PortRange, PortSecurity, QosPolicyId, QosRuleId, QosRuleKind,
    QuotaKind, RateLimit, RbacPolicyId, Revision, Role, RouterId, SecurityGroupId, SecurityRuleId,
    SegmentRangeId, Session, Snapshot, SubnetId, SubnetPoolId, TenantId, Timestamp, TokenId, TokenRole,
    Tracking, Transport, TrunkId, UserId, VlanId, Vni,
};
use weft_store::{Batch, Engine, Options, Store, Table};

const ENGINES: [Engine; 2] = [Engine::Redb, Engine::Sled];

fn open(engine: Engine, path: &Path) -> Box<dyn Store> {
    weft_store::open(engine, path, Options::default()).unwrap()
}

fn start(engine: Engine, path: &Path) -> (Desk, Snapshot) {
    let vault = Vault::new(open(engine, path));
    let loaded = vault.load().unwrap();
    let desk = Desk::open(vault, loaded.clone(), Settings::default(), Hooks::none()).unwrap();
    (desk, loaded)
}

fn tenant() -> TenantId {
    "red".parse().unwrap()
}

fn network() -> NetworkId {
    NetworkId(uuid::Uuid::from_u128(1))
}

/// One of everything, with every optional field set somewhere.
fn everything() -> Vec<Intent> {
    let id = uuid::Uuid::from_u128;
    let v4 = SubnetId(id(2));
    let mut port = NewPort::new(PortId(id(4)), network(), 7);
    port.fixed_ips = Some(vec![AskedIp { subnet: Some(v4), address: Some("10.0.0.77".parse().unwrap()) }]);
    port.security = Some(PortSecurity::Off);
    (port.device_id, port.device_owner) = ("vm-1".into(), "compute:nova".into());
    (port.requested_host, port.dns_name) = (Some("h1".into()), "web".into());
    let report = HostReport {
        id: "h1".parse().unwrap(),
        hostname: "one.example.net".into(),
        encap_ips: EncapIps { v4: "192.0.2.1".parse().ok(), v6: "2001:db8::1".parse().ok() },
        ovs_version: "3.1.0".into(),
        datapath_type: "netdev".into(),
        bridge_mappings: [("outside".to_owned(), "br-ex".to_owned())].into(),
        interfaces: vec![ReportedInterface {
            port: PortId(id(4)),
            name: "tap0".into(),
            ofport: OfPort::new(3).unwrap(),
        }],
    };
    let group = NewSecurityGroup {
        id: SecurityGroupId(id(6)),
        tenant: Some(tenant()),
        labels: Default::default(),
        tracking: Tracking::Stateless,
        rule_ids: [7, 8].map(|n| SecurityRuleId(id(n))),
    };
    let addresses = NewAddressGroup {
        id: AddressGroupId(id(9)),
        tenant: Some(tenant()),
        labels: Default::default(),
        prefixes: ["192.0.2.0/24".parse().unwrap()].into(),
    };
    let mut filtered = NewPort::new(PortId(id(13)), network(), 8);
    filtered.groups = PortGroups::These([group.id].into());
    let router = NewRouter { tenant: Some(tenant()), ..NewRouter::new(RouterId(id(14))) };
    let limits = [(QuotaKind::Port, Some(5000)), (QuotaKind::Router, Some(1))].into();
    let quota = QuotaPatch { limits, below_use: BelowUse::Refused };
    let token = |n, role, expires| {
        let digest = [u8::try_from(n).unwrap(); 32];
        Intent::CreateToken(NewToken {
            id: TokenId(id(n)),
            role,
            digest,
            description: "for tests".into(),
            expires,
            session: None,
        })
    };
    let first = Intent::CreateTenant(NewTenant { id: tenant(), labels: Default::default(), enabled: true });
    let rest = [
        token(10, TokenRole::Admin, None),
        token(11, TokenRole::Member(tenant()), Some(Timestamp(u64::MAX / 4))),
        token(12, TokenRole::Reader(tenant()), None),
        Intent::CreatePort(port),
        Intent::ReportHost(report),
        Intent::CreateSecurityGroup(group),
        Intent::CreateAddressGroup(addresses),
        Intent::CreatePort(filtered),
        Intent::CreateRouter(router),
        Intent::SetQuota(tenant(), quota),
    ];
    let more = outside().into_iter().chain(people()).chain(shaping()).chain(pools());
    [first].into_iter().chain(networks()).chain(rest).chain(more).collect()
}

/// A user with a role, credentials of both kinds, and sessions.
fn people() -> Vec<Intent> {
    let id = uuid::Uuid::from_u128;
    let ann: UserId = "ann".parse().unwrap();
    let hash = || PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA");
    let user = NewUser {
        id: ann.clone(),
        name: "Ann".into(),
        description: "first".into(),
        email: "ann@example.org".into(),
        enabled: true,
        password: Some(hash()),
        default_tenant: Some(tenant()),
    };
    let credential = |n, secret, reach, expires| NewAppCredential {
        id: AppCredentialId(id(n)),
        user: ann.clone(),
        tenant: tenant(),
        role: Role::Member,
        name: format!("c{n}"),
        description: "for a program".into(),
        secret,
        reach,
        expires,
    };
    let drawn = credential(40, CredentialSecret::Drawn([4; 32]), CredentialReach::Restricted, None);
    let late = Some(Timestamp(u64::MAX / 4));
    let chosen = credential(41, CredentialSecret::Chosen(hash()), CredentialReach::Unrestricted, late);
    let session = |n, role, project, credential| {
        Intent::CreateToken(NewToken {
            id: TokenId(id(n)),
            role,
            digest: [u8::try_from(n).unwrap(); 32],
            description: String::new(),
            expires: late,
            session: Some(Session { user: ann.clone(), project, credential }),
        })
    };
    vec![
        Intent::CreateUser(user),
        Intent::Assign(ann.clone(), tenant(), Role::Member),
        Intent::Assign(ann.clone(), tenant(), Role::Reader),
        Intent::CreateAppCredential(drawn),
        Intent::CreateAppCredential(chosen),
        session(42, TokenRole::Unscoped, None, None),
        session(43, TokenRole::Member(tenant()), Some(tenant()), Some(AppCredentialId(id(40)))),
    ]
}

/// A QoS policy with rules of every kind, worn by a network, and a trunk whose subport is where its parent is.
fn shaping() -> Vec<Intent> {
    let id = uuid::Uuid::from_u128;
    let policy = QosPolicyId(id(40));
    let new = NewQosPolicy {
        id: policy,
        tenant: Some(tenant()),
        labels: Default::default(),
        shared: true,
        is_default: true,
    };
    let limit = |direction, rate| {
        QosRuleKind::Limit(direction, RateLimit { rate: Kbps::new(rate).unwrap(), burst: rate / 2 })
    };
    let rules = [
        limit(Direction::Egress, 1000),
        limit(Direction::Ingress, 500),
        QosRuleKind::Mark(Dscp::new(46).unwrap()),
    ];
    let rules = (41..)
        .zip(rules)
        .map(|(n, kind)| Intent::ChangeQosRule(policy, QosRuleChange::Add(QosRuleId(id(n)), kind)));
    let shaped = NewNetwork { tenant: Some(tenant()), mtu: Some(1300), ..NewNetwork::new(NetworkId(id(45))) };
    let subport = NewPort { qos_policy: Some(policy), ..NewPort::new(PortId(id(46)), shaped.id, 11) };
    let trunk = NewTrunk {
        id: TrunkId(id(47)),
        tenant: None,
        labels: Default::default(),
        port: PortId(id(4)),
        admin_up: true,
        subports: vec![Subport { port: subport.id, vlan: VlanId::new(100).unwrap() }],
    };
    let rest = [Intent::CreateNetwork(shaped), Intent::CreatePort(subport), Intent::CreateTrunk(trunk)];
    [Intent::CreateQosPolicy(new)].into_iter().chain(rules).chain(rest).collect()
}

/// A way out and ways in: a gateway, a floating IP with a target and one with a port forwarding.
fn outside() -> Vec<Intent> {
    let id = uuid::Uuid::from_u128;
    let (external, inside) = (NetworkId(id(5)), NetworkId(id(20)));
    let target = AskedTarget { port: PortId(id(22)), address: None };
    let floating_ip = |n: u128| NewFloatingIp {
        tenant: Some(tenant()),
        ..NewFloatingIp::new(FloatingIpId(id(n)), external, PortId(id(n + 1)), 9)
    };
    let gateway = NewGateway { snat: Some(false), ..NewGateway::new(external, PortId(id(25)), 9) };
    let forwarding = NewPortForwarding {
        id: PortForwardingId(id(30)),
        floating_ip: FloatingIpId(id(28)),
        description: "many".into(),
        protocol: Transport::Udp,
        external: PortRange::new(8000, 8010).unwrap(),
        target,
        internal: PortRange::new(80, 90).unwrap(),
    };
    let interface = NewInterface::OfSubnet { subnet: SubnetId(id(21)), port: PortId(id(23)), mac_seed: 10 };
    vec![
        Intent::CreateNetwork(NewNetwork { tenant: Some(tenant()), ..NewNetwork::new(inside) }),
        Intent::CreateSubnet(NewSubnet::new(SubnetId(id(21)), inside, "10.9.0.0/24".parse().unwrap())),
        Intent::CreatePort(NewPort::new(PortId(id(22)), inside, 11)),
        Intent::CreateSubnet(NewSubnet::new(SubnetId(id(24)), external, "198.51.100.0/24".parse().unwrap())),
        Intent::AddInterface(RouterId(id(14)), interface),
        Intent::UpdateRouter(
            RouterId(id(14)),
            RouterPatch { gateway: Some(Some(gateway)), ..RouterPatch::default() },
        ),
        Intent::CreateFloatingIp(NewFloatingIp { target: Some(target), ..floating_ip(26) }),
        Intent::CreateFloatingIp(floating_ip(28)),
        Intent::CreatePortForwarding(forwarding),
    ]
}

/// A pool in a scope with a subnet that is cut from it, both shared in some way.
fn pools() -> Vec<Intent> {
    let id = uuid::Uuid::from_u128;
    let (scope, pool) = (AddressScopeId(id(40)), SubnetPoolId(id(41)));
    let new_scope = NewAddressScope {
        id: scope,
        tenant: Some(tenant()),
        labels: Default::default(),
        family: Family::V6,
        shared: true,
    };
    let new_pool = NewSubnetPool {
        tenant: Some(tenant()),
        default_prefixlen: Some(72),
        default_quota: Some(7),
        is_default: true,
        scope: Some(scope),
        ..NewSubnetPool::new(pool, vec!["fd01::/48".parse().unwrap()])
    };
    let cut =
        AskedPrefix::Cut { pool: AskedPool::This(pool), family: None, part: AskedPart::Lowest(Some(64)) };
    let range = NewSegmentRange {
        id: SegmentRangeId(id(44)),
        tenant: Some(tenant()),
        labels: Default::default(),
        encap: Encap::Geneve,
        first: Vni::new(100).unwrap(),
        last: Vni::new(199).unwrap(),
    };
    let policy = NewRbacPolicy {
        id: RbacPolicyId(id(43)),
        object: pool.into(),
        access: Access::Shared,
        audience: Audience::Tenant("blue".parse().unwrap()),
    };
    vec![
        Intent::CreateAddressScope(new_scope),
        Intent::CreateSubnetPool(new_pool),
        Intent::CreateSubnet(NewSubnet::cut(SubnetId(id(42)), NetworkId(id(20)), cut)),
        Intent::CreateRbacPolicy(policy),
        Intent::ChangeSegmentRange(SegmentRangeChange::Create(range)),
    ]
}

/// Networks of both kinds, and subnets of both families.
fn networks() -> Vec<Intent> {
    let id = uuid::Uuid::from_u128;
    let mut new_network = NewNetwork::new(network());
    new_network.tenant = Some(tenant());
    new_network.vni = Vni::new(0x00ff_ffff);
    new_network.dns_domain = "example.net.".into();
    new_network.vlan_transparent = true;
    let v4 = SubnetId(id(2));
    let mut subnet = NewSubnet::new(v4, network(), "10.0.0.0/24".parse().unwrap());
    subnet.dns_servers = vec!["9.9.9.9".parse().unwrap()];
    subnet.host_routes = vec![HostRoute {
        destination: "10.9.0.0/16".parse().unwrap(),
        nexthop: "10.0.0.254".parse().unwrap(),
    }];
    let mut v6 = NewSubnet::new(SubnetId(id(3)), network(), "fd00::/64".parse().unwrap());
    (v6.gateway, v6.ipv6_ra_mode, v6.ipv6_address_mode) =
        (Some(None), Some("slaac".into()), Some("slaac".into()));
    let mut provider = NewNetwork::new(NetworkId(id(5)));
    provider.tenant = Some(tenant());
    provider.external = true;
    provider.segment = Some(NewSegment { physnet: "outside".into(), vlan: VlanId::new(100) });
    vec![
        Intent::CreateNetwork(new_network),
        Intent::CreateSubnet(subnet),
        Intent::CreateSubnet(v6),
        Intent::CreateNetwork(provider),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_is_there_after_a_restart() {
    for engine in ENGINES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let (desk, empty) = start(engine, &path);
        assert_eq!(empty, Snapshot::new());
        let written = desk.write(Actor::Admin, everything()).await.unwrap();
        assert_eq!(written.revision, Revision(1));
        assert_eq!(written.touched.len(), everything().len());
        drop(desk);
        let (desk, loaded) = reopen(engine, &path).await;
        assert_eq!(loaded, written.snapshot, "{engine:?}");
        let gone = desk
            .write(
                Actor::Admin,
                vec![
                    Intent::DeleteTrunk(TrunkId(uuid::Uuid::from_u128(47)), None),
                    Intent::DeletePort(PortId(uuid::Uuid::from_u128(4)), None),
                ],
            )
            .await
            .unwrap();
        drop(desk);
        assert_eq!(reopen(engine, &path).await.1, gone.snapshot, "{engine:?}");
    }
}

/// A host that dies with all its interfaces is one commit, however many they were; it must fit the store.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_claims_come_and_go_as_one_commit_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (desk, _) = start(Engine::Redb, &path);
    let report = |count: u16| {
        let interface = |n: u16| ReportedInterface {
            port: PortId(uuid::Uuid::from_u128(n.into())),
            name: format!("tap{n}"),
            ofport: OfPort::new(n.into()).unwrap(),
        };
        Intent::ReportHost(HostReport {
            id: "h1".parse().unwrap(),
            hostname: "one".into(),
            encap_ips: EncapIps::default(),
            ovs_version: "3.1.0".into(),
            datapath_type: "netdev".into(),
            bridge_mappings: Default::default(),
            interfaces: (1..=count).map(interface).collect(),
        })
    };
    for (revision, count) in [(1, 10_000), (2, 0), (3, 10_000)] {
        let written = desk.write(Actor::Admin, vec![report(count)]).await.unwrap();
        assert_eq!(written.revision, Revision(revision));
        assert_eq!(written.snapshot.bindings().count(), usize::from(count));
    }
    let gone = desk.write(Actor::Admin, vec![Intent::DeleteHost("h1".parse().unwrap())]).await.unwrap();
    assert_eq!((gone.revision, gone.snapshot.bindings().count()), (Revision(4), 0));
    drop(desk);
    assert_eq!(reopen(Engine::Redb, &path).await.1, gone.snapshot);
}

/// The writer thread lets go of the store when the last desk is dropped, a moment later.
async fn reopen(engine: Engine, path: &Path) -> (Desk, Snapshot) {
    for _ in 0..2000 {
        match weft_store::open(engine, path, Options::default()) {
            Ok(store) => {
                drop(store);
                return start(engine, path);
            }
            Err(_) => tokio::task::yield_now().await,
        }
        std::thread::yield_now();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("the store is still locked");
}

#[test]
fn every_record_reads_back_as_it_was_written() {
    let context =
        weft_model::intent::Context { now: Timestamp(1_700_000_000), settings: Settings::default() };
    let plan = weft_model::intent::plan(&Snapshot::new(), &Actor::Admin, &everything(), &context).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for record in plan.snapshot.records() {
        let (table, key) = records::place(&record.key());
        seen.insert(table);
        assert_eq!(records::decode(table, &key, &records::encode(&record)).unwrap(), record);
        let elsewhere = records::decode(table, "elsewhere", &records::encode(&record)).unwrap_err();
        assert!(elsewhere.to_string().starts_with(&format!("record {table}/elsewhere:")), "{elsewhere}");
    }
    assert_eq!(seen.len(), records::TABLES.len(), "a table has no record in this test: {seen:?}");
}

#[test]
fn a_damaged_record_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(Engine::Redb, &path);
    let mut batch = Batch::new();
    batch.put(Table("networks"), network().to_string(), br#"{"id": "not a network"}"#);
    store.apply(&batch).unwrap();
    let error = Vault::new(store).load().unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains(&network().to_string()), "{error}: {source}");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_get_distinct_addresses_and_revisions_in_order() {
    let published: Arc<Mutex<Vec<(Revision, usize)>>> = Arc::default();
    let log = published.clone();
    let publish = move |snapshot: &Snapshot, touched: &[Key]| {
        log.lock().unwrap().push((snapshot.revision(), touched.len()))
    };
    let hooks = Hooks { publish: Box::new(publish), ..Hooks::none() };
    let desk = Desk::open(Vault::none(), Snapshot::new(), Settings::default(), hooks).unwrap();
    desk.write(Actor::Admin, everything()).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200u32 {
        let desk = desk.clone();
        tasks.spawn(async move {
            let port = NewPort::new(PortId(uuid::Uuid::from_u128(1000 + u128::from(n))), network(), 0);
            desk.write(Actor::Tenant(tenant()), vec![Intent::CreatePort(port)]).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    let snapshot = desk.snapshot();
    let addresses: std::collections::BTreeSet<_> =
        snapshot.ports_of(network()).flat_map(|port| port.fixed_ips.iter().map(|ip| ip.address)).collect();
    assert_eq!(addresses.len(), 403, "201 ports with one address of each family, and one with one");
    let published = published.lock().unwrap();
    let revisions: Vec<u64> = published.iter().map(|(revision, _)| revision.0).collect();
    assert_eq!(revisions, (1..=snapshot.revision().0).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_request_stores_nothing_of_itself() {
    let desk = Desk::ephemeral().unwrap();
    let half = vec![
        Intent::CreateTenant(NewTenant { id: tenant(), labels: Default::default(), enabled: true }),
        Intent::DeleteNetwork(network(), None),
    ];
    let refused = desk.write(Actor::Admin, half).await.unwrap_err();
    let WriteError::RejectedPart { position: 1, rejected: Rejected::NetworkNotFound(_) } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(desk.snapshot(), Snapshot::new());
}
