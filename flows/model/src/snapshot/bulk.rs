//! The state made at once from all its records: every index is sorted once and its tree built from below, on two cores.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::qos::Qos;
use super::quotas::Usage;
use super::trunks::Trunks;
use super::{External, Identity, Map, Physical, Routing, Snapshot, UsedAddresses, commit};
use crate::change::{Counters, Key, Record};
use crate::{
    Binding, FloatingIp, FloatingIpId, Host, HostId, HostIndex, Network, NetworkId, PhysicalNetwork,
    PhysnetKey, Port, PortForwarding, PortForwardingId, PortId, QosPolicy, QosPolicyId, Quota, Revision,
    Router, RouterId, Subnet, SubnetId, Tenant, TenantId, Token, TokenId, Trunk, TrunkId,
};

impl Snapshot {
    /// The state that holds exactly these records, in whatever order they come: what start-up reads from the store.
    /// Of several records with one key the last one stands. Input in the order of its keys, as a store gives it, is
    /// not sorted again.
    pub fn from_records(revision: Revision, records: impl IntoIterator<Item = Record>) -> Snapshot {
        let mut pile = Pile::default();
        for record in records {
            pile.add(record);
        }
        pile.build(revision)
    }
}

/// Records by kind.
#[derive(Default)]
struct Pile {
    counters: Counters,
    tenants: Vec<(TenantId, Arc<Tenant>)>,
    quotas: Vec<(TenantId, Arc<Quota>)>,
    tokens: Vec<(TokenId, Arc<Token>)>,
    /// At most a few hundred.
    physnets: BTreeMap<PhysnetKey, Arc<PhysicalNetwork>>,
    networks: Vec<(NetworkId, Arc<Network>)>,
    subnets: Vec<(SubnetId, Arc<Subnet>)>,
    ports: Vec<(PortId, Arc<Port>)>,
    routers: Vec<(RouterId, Arc<Router>)>,
    floating_ips: Vec<(FloatingIpId, Arc<FloatingIp>)>,
    forwardings: Vec<(PortForwardingId, Arc<PortForwarding>)>,
    hosts: Vec<(HostId, Arc<Host>)>,
    bindings: Vec<((PortId, HostId), Arc<Binding>)>,
    /// Users and what goes with them, which are few beside ports.
    identity: Vec<Record>,
    trunks: Vec<(TrunkId, Arc<Trunk>)>,
    qos_policies: Vec<(QosPolicyId, Arc<QosPolicy>)>,
    /// Groups, rules and the like, which are few beside ports.
    security: BTreeMap<Key, Record>,
    /// Address scopes, subnet pools, RBAC policies and ranges of VNIs, which are few too.
    shared: BTreeMap<Key, Record>,
}

impl Pile {
    fn add(&mut self, record: Record) {
        match record {
            Record::Counters(counters) => self.counters = counters,
            Record::Tenant(r) => self.tenants.push((r.id.clone(), r)),
            Record::Quota(r) => self.quotas.push((r.tenant.clone(), r)),
            Record::Token(r) => self.tokens.push((r.id, r)),
            one @ (Record::User(_) | Record::Assignment(_) | Record::AppCredential(_)) => {
                self.identity.push(one);
            }
            Record::PhysicalNetwork(r) => drop(self.physnets.insert(r.key, r)),
            Record::Network(r) => self.networks.push((r.id, r)),
            Record::Subnet(r) => self.subnets.push((r.id, r)),
            Record::Port(r) => self.ports.push((r.id, r)),
            Record::Router(r) => self.routers.push((r.id, r)),
            Record::FloatingIp(r) => self.floating_ips.push((r.id, r)),
            Record::PortForwarding(r) => self.forwardings.push((r.id, r)),
            Record::Trunk(r) => self.trunks.push((r.id, r)),
            Record::QosPolicy(r) => self.qos_policies.push((r.id, r)),
            Record::Host(r) => self.hosts.push((r.id.clone(), r)),
            Record::Binding(r) => self.bindings.push(((r.port, r.host.clone()), r)),
            other @ (Record::SecurityGroup(_)
            | Record::SecurityRule(_)
            | Record::AddressGroup(_)
            | Record::Policy(_)) => drop(self.security.insert(other.key(), other)),
            other @ (Record::AddressScope(_)
            | Record::SubnetPool(_)
            | Record::RbacPolicy(_)
            | Record::SegmentRange(_)) => drop(self.shared.insert(other.key(), other)),
        }
    }

    fn build(mut self, revision: Revision) -> Snapshot {
        put_in_order(&mut self.ports);
        put_in_order(&mut self.hosts);
        let (ports, hosts) = (&self.ports, &self.hosts);
        let bindings = std::mem::take(&mut self.bindings);
        // The indexes of ports and those of claims cost about the same.
        let (with_claims, mut snapshot) = std::thread::scope(|scope| {
            let claims = scope.spawn(|| claims(bindings, ports, hosts));
            let snapshot = port_indexes(ports);
            (claims.join(), snapshot)
        });
        let with_claims = match with_claims {
            Ok(with_claims) => with_claims,
            Err(panicked) => std::panic::resume_unwind(panicked),
        };
        snapshot.put_security(&self.security, ports, &with_claims);
        snapshot.revision = revision;
        snapshot.counters = self.counters;
        let each_port = self.ports.iter().map(|(_, port)| port.as_ref());
        snapshot.routing = Routing::of(primary(self.routers), each_port);
        snapshot.ports = Map::from_sorted(self.ports.into_iter());
        snapshot.bindings = with_claims.bindings;
        snapshot.claims_by_host = with_claims.claims_by_host;
        snapshot.bound_by_network = with_claims.bound_by_network;
        snapshot.bound_by_host = with_claims.bound_by_host;
        snapshot.quotas = primary(self.quotas);
        snapshot.put_tenants(self.tenants, self.tokens);
        snapshot.identity = Identity::of(&self.identity, snapshot.tokens.values());
        snapshot.put_networks(self.networks, self.subnets);
        snapshot.physical = Physical::of(self.physnets.values(), snapshot.networks.values());
        let (floating_ips, forwardings) = (primary(self.floating_ips), primary(self.forwardings));
        let (networks, routers) = (snapshot.networks.values(), snapshot.routers());
        snapshot.external = External::of(networks, routers, floating_ips, forwardings);
        snapshot.trunks = Trunks::of(primary(self.trunks).values());
        let policies = primary(self.qos_policies);
        snapshot.qos = Qos::of(policies.values(), snapshot.ports.values(), snapshot.networks.values());
        snapshot.put_shared(&self.shared);
        let by_index = self.hosts.iter().map(|(id, host)| (host.index, id.clone()));
        snapshot.hosts_by_index = index(by_index);
        snapshot.hosts = Map::from_sorted(self.hosts.into_iter());
        snapshot.usage = Usage::of(&snapshot);
        snapshot
    }
}

impl Snapshot {
    fn put_security(
        &mut self,
        records: &BTreeMap<Key, Record>,
        ports: &[(PortId, Arc<Port>)],
        claims: &Snapshot,
    ) {
        records.values().for_each(|record| self.security.put(record));
        ports.iter().for_each(|(_, port)| self.security.put_port(port));
        if ports.iter().all(|(_, port)| port.policy.is_none()) {
            return;
        }
        for (_, host, port) in claims.bound_by_network.iter().map(|(key, ())| key) {
            if let Ok(at) = ports.binary_search_by(|(id, _)| id.cmp(port)) {
                self.security.bind(&ports[at].1, *host);
            }
        }
    }

    /// Once the subnets are there.
    fn put_shared(&mut self, records: &BTreeMap<Key, Record>) {
        for record in records.values() {
            match record {
                Record::AddressScope(r) => self.pools.put_scope(r),
                Record::SubnetPool(r) => self.pools.put_pool(r),
                Record::RbacPolicy(r) => self.sharing.put(r),
                Record::SegmentRange(r) => self.physical.put_range(r),
                _ => {}
            }
        }
        self.subnets.values().for_each(|subnet| self.pools.put_subnet(subnet));
    }

    fn put_tenants(&mut self, tenants: Vec<(TenantId, Arc<Tenant>)>, tokens: Vec<(TokenId, Arc<Token>)>) {
        self.tenants = primary(tenants);
        self.tokens = primary(tokens);
        self.tokens_by_digest = index(self.tokens.values().map(|token| (token.digest, token.id)));
    }

    fn put_networks(
        &mut self,
        networks: Vec<(NetworkId, Arc<Network>)>,
        subnets: Vec<(SubnetId, Arc<Subnet>)>,
    ) {
        self.networks = primary(networks);
        self.subnets = primary(subnets);
        self.networks_by_vni = index(self.networks.values().map(|network| (network.vni, network.id)));
        self.networks_by_tenant = grouped(self.networks.values().map(|n| (&n.tenant, n.id)));
        self.subnets_by_network = index(self.subnets.values().map(|s| ((s.network, s.id), ())));
        self.subnets_by_tenant = grouped(self.subnets.values().map(|s| (&s.tenant, s.id)));
    }
}

/// A state with nothing but what is derived from ports.
fn port_indexes(ports: &[(PortId, Arc<Port>)]) -> Snapshot {
    let each = || ports.iter().map(|(_, port)| port);
    let addresses = each().flat_map(|port| {
        let id = port.id;
        port.fixed_ips.iter().map(move |ip| ((ip.subnet, ip.address), id))
    });
    let by_address: Map<_, _> = index(addresses);
    Snapshot {
        used: UsedAddresses::from_sorted(by_address.iter().map(|(key, _)| *key)),
        ports_by_address: by_address,
        ports_by_network: index(each().map(|port| ((port.network, port.id), ()))),
        ports_by_mac: index(each().map(|port| ((port.network, port.mac), port.id))),
        ports_by_device: index(each().filter_map(|port| Some((super::device_key(port)?, ())))),
        ports_by_name: index(each().filter_map(|port| Some((super::names::name_key(port)?, ())))),
        ports_by_key: index(each().map(|port| (port.key, port.id))),
        ports_by_tenant: grouped(each().map(|port| (&port.tenant, port.id))),
        ..Snapshot::default()
    }
}

/// A state with nothing but claims and what is derived from them.
fn claims(
    mut bindings: Vec<((PortId, HostId), Arc<Binding>)>,
    ports: &[(PortId, Arc<Port>)],
    hosts: &[(HostId, Arc<Host>)],
) -> Snapshot {
    put_in_order(&mut bindings);
    let known = hosts.iter().map(|(id, host)| (id, Claimant { index: Some(host.index), ports: Vec::new() }));
    let mut claimants: BTreeMap<&HostId, Claimant> = known.collect();
    let (mut by_network, mut rest) = (Vec::with_capacity(bindings.len()), ports);
    for of_port in bindings.chunk_by(|((a, _), _), ((b, _), _)| a == b) {
        let id = of_port[0].1.port;
        // Both are in the order of ports, so this is one walk over them.
        let before = rest.iter().take_while(|(port, _)| *port < id).count();
        rest = &rest[before..];
        let port = rest.first().filter(|(port, _)| *port == id);
        let in_force = of_port.iter().map(|(_, claim)| claim).max_by(|a, b| commit::precedence(a, b));
        for (_, claim) in of_port {
            // The texts are compared once for both indexes: that is what costs here.
            let claimant = claimants.entry(&claim.host).or_default();
            claimant.ports.push(id);
            if let (Some((_, port)), Some(index)) = (port, claimant.index)
                && in_force.is_some_and(|in_force| Arc::ptr_eq(in_force, claim))
                && !port.is_virtual()
            {
                by_network.push((port.network, index, id));
            }
        }
    }
    let claims_by_host: Vec<_> = claimants
        .into_iter()
        .flat_map(|(host, claimant)| claimant.ports.into_iter().map(move |port| ((host.clone(), port), ())))
        .collect();
    Snapshot {
        bound_by_host: index(by_network.iter().map(|(network, host, port)| ((*host, *network, *port), ()))),
        bound_by_network: index(by_network.into_iter().map(|key| (key, ()))),
        claims_by_host: Map::from_sorted(claims_by_host.into_iter()),
        bindings: Map::from_sorted(bindings.into_iter()),
        ..Snapshot::default()
    }
}

/// Who claims ports.
#[derive(Default)]
struct Claimant {
    /// None for a host that is not known.
    index: Option<HostIndex>,
    ports: Vec<PortId>,
}

/// Sorts by key, and leaves only the last of equals.
fn put_in_order<K: Ord, V>(entries: &mut Vec<(K, V)>) {
    if entries.is_sorted_by(|a, b| a.0 < b.0) {
        return;
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    // `dedup` keeps the first of equals, so the last one is moved to the front of them.
    entries.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            std::mem::swap(later, earlier);
        }
        same
    });
}

pub(super) fn primary<K: Ord + Clone, V>(mut entries: Vec<(K, V)>) -> Map<K, V> {
    put_in_order(&mut entries);
    Map::from_sorted(entries.into_iter())
}

/// An index of keys that are unique in every state that the planner makes.
fn index<K: Ord + Clone, V>(entries: impl Iterator<Item = (K, V)>) -> Map<K, V> {
    let mut entries: Vec<(K, V)> = entries.collect();
    entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    entries.dedup_by(|later, earlier| later.0 == earlier.0);
    Map::from_sorted(entries.into_iter())
}

/// An index under a text that repeats, of ids that come in order: comparing texts while sorting would cost most of all.
fn grouped<'a, K: Ord + Clone + 'a, I: Ord + Clone>(
    entries: impl Iterator<Item = (&'a K, I)>,
) -> Map<(K, I), ()> {
    let mut groups: BTreeMap<&K, Vec<I>> = BTreeMap::new();
    for (key, id) in entries {
        groups.entry(key).or_default().push(id);
    }
    let entries: Vec<((K, I), ())> = groups
        .into_iter()
        .flat_map(|(key, ids)| ids.into_iter().map(move |id| ((key.clone(), id), ())))
        .collect();
    Map::from_sorted(entries.into_iter())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{
        Encap, EncapIps, FLOATING_IP, FixedIp, FloatingTarget, Gateway, GatewayZone, MacAddr, OfPort,
        PolicyKey, PortKey, PortRange, PortSecurity, ROUTER_GATEWAY, ROUTER_INTERFACE, RouterKey, Stamp,
        SubnetId, Timestamp, Transport, Vni, change::Change,
    };

    fn router(n: u8) -> RouterId {
        RouterId(Uuid::from_u128((n % 3).into()))
    }

    /// A port, host, router or claim of a small world in which everything meets: claims to ports that are not there, of hosts
    /// that are not there, several to one port, and records that come twice and differ.
    fn record((kind, n, m): (u8, u8, u8)) -> Record {
        let name = |prefix: &str, number: u8| format!("{prefix}{number}");
        let host: HostId = name("h", m % 5).parse().expect("a host id");
        let id = PortId(Uuid::from_u128((n % 7).into()));
        match kind % 7 {
            5 | 6 => external((kind, n, m)),
            0 => host_record(host, n, m),
            1 => Record::Port(Arc::new(Port {
                id,
                tenant: name("t", n % 2).parse().expect("a tenant id"),
                network: NetworkId(Uuid::from_u128((n % 3).into())),
                key: PortKey::new(u32::from(n % 7) + 1).expect("a key"),
                stamp: Stamp::default(),
                mac: MacAddr([2, 0, 0, 0, m, n % 7]),
                fixed_ips: vec![FixedIp {
                    subnet: SubnetId(Uuid::from_u128((n % 3).into())),
                    address: [10, 0, m, n % 7].into(),
                }],
                admin_up: true,
                security: PortSecurity::Enforced,
                policy: PolicyKey::new(u32::from(m % 4)),
                allowed_pairs: Vec::new(),
                dhcp_options: Vec::new(),
                device_id: match m % 6 {
                    0 => String::new(),
                    1 | 4 | 5 => router(n).to_string(),
                    _ => name("d", m % 3),
                },
                device_owner: ["", ROUTER_INTERFACE, "", "", ROUTER_GATEWAY, FLOATING_IP][usize::from(m % 6)]
                    .into(),
                requested_host: None,
                dns_name: if m % 3 == 0 { String::new() } else { name("N", n % 2) },
                qos_policy: (m % 4 == 0).then(|| QosPolicyId(Uuid::from_u128((m % 3).into()))),
            })),
            2 => Record::Router(Arc::new(Router {
                id: router(n),
                tenant: name("t", n % 2).parse().expect("a tenant id"),
                key: RouterKey::new(u32::from(n % 3) + 1).expect("a key"),
                stamp: Stamp::default(),
                admin_up: m % 2 == 0,
                routes: Vec::new(),
                gateway: (m % 3 > 0).then(|| Gateway {
                    network: NetworkId(Uuid::from_u128((m % 2).into())),
                    port: id,
                    snat: true,
                    transit: Vni::new(u32::from(n % 3) + 9).expect("a VNI"),
                    encap: Encap::Vxlan,
                    zone: GatewayZone::new(u32::from(n % 3) + 1).expect("a zone"),
                    hosts: (0..m % 3)
                        .filter_map(|at| HostIndex::new(u32::from((m / 3 + at) % 5) + 1))
                        .collect(),
                }),
            })),
            _ => Record::Binding(Arc::new(Binding {
                port: id,
                host,
                interface: name("tap", n),
                ofport: OfPort::new(i64::from(n) + 1).expect("an ofport"),
                since: Revision(u64::from(n / 7 % 4)),
                behind: None,
            })),
        }
    }

    fn host_record(id: HostId, n: u8, m: u8) -> Record {
        Record::Host(Arc::new(Host {
            index: HostIndex::new(u32::from(m % 5) + 1).expect("an index"),
            id,
            hostname: n.to_string(),
            encap_ips: EncapIps::default(),
            ovs_version: String::new(),
            datapath_type: String::new(),
            bridge_mappings: BTreeMap::new(),
            joined: Timestamp(0),
        }))
    }

    /// A floating IP or a port forwarding, of the same world.
    fn external((kind, n, m): (u8, u8, u8)) -> Record {
        let floating_ip = FloatingIpId(Uuid::from_u128((n % 5).into()));
        let port = PortId(Uuid::from_u128((m % 7).into()));
        let address = [10, 0, m, n % 7].into();
        if kind % 7 == 5 {
            return Record::FloatingIp(Arc::new(FloatingIp {
                id: floating_ip,
                tenant: format!("t{}", n % 2).parse().expect("a tenant id"),
                stamp: Stamp::default(),
                network: NetworkId(Uuid::from_u128((m % 3).into())),
                port,
                address,
                target: (m % 2 == 0).then_some(FloatingTarget { port, address, router: router(m) }),
            }));
        }
        Record::PortForwarding(Arc::new(PortForwarding {
            id: PortForwardingId(Uuid::from_u128((n % 7).into())),
            floating_ip: FloatingIpId(Uuid::from_u128((m % 5).into())),
            stamp: Stamp::default(),
            protocol: Transport::Tcp,
            external: PortRange::one(80).expect("a port"),
            port,
            address,
            internal: PortRange::one(80).expect("a port"),
            router: router(m),
        }))
    }

    proptest! {
        /// What is made at once is what one change after the other leads to, every index of it.
        #[test]
        fn at_once_is_the_same_as_one_by_one(seeds in prop::collection::vec(any::<(u8, u8, u8)>(), 0..60)) {
            let mut one_by_one = Snapshot::new();
            for seed in &seeds {
                one_by_one.apply(Revision(9), &[Change::Put(record(*seed))]);
            }
            one_by_one.apply(Revision(9), &[]);
            prop_assert_eq!(Snapshot::from_records(Revision(9), seeds.into_iter().map(record)), one_by_one);
        }
    }
}
