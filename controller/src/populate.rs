//! States of any size in which every name and number follows from an index: what measurements start from.
//!
//! Everything is numbered from 0. Port `n` of `ports` belongs to network `n * networks / ports`, and so on below; a
//! fleet simulator that knows the numbers knows what to plug where ([`Population::ports_of_host`]), and a record that
//! is shown to it leads back to its number ([`number`]). Ids are scattered over their range as random ones are.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use uuid::Uuid;
use weft_model::{
    AddressRange, Binding, Change, Counters, Encap, EncapIps, FixedIp, Host, HostId, HostIndex, MacAddr, Mtu,
    Network, NetworkId, OfPort, Port, PortId, PortKey, PortSecurity, Record, Revision, Snapshot, Stamp,
    Subnet, SubnetId, Tenant, TenantId, Timestamp, Vni,
};

use crate::vault::{Vault, VaultError};

/// Hosts of one pod: a network's ports are all in one.
pub const POD: u32 = 50;
/// Networks of one tenant.
pub const NETWORKS_PER_TENANT: u32 = 50;
/// How many records one commit carries.
const LOT: usize = 4096;
/// 2026-01-01T00:00:00Z, when everything was made.
const MADE: Timestamp = Timestamp(1_767_225_600);

/// How large a state is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Hosts, at most 10,700.
    pub hosts: u32,
    /// Networks besides the wide one, each with a subnet.
    pub networks: u32,
    /// Ports in these networks, each bound on a host of its network's pod.
    pub ports: u32,
    /// Ports of one further network (number [`Size::networks`]): its port `i` is on host `i`. 0 for no such network.
    pub wide: u32,
}

/// What of a state cannot be computed from a single index: who is where.
#[derive(Debug, Clone)]
pub struct Population {
    size: Size,
    /// Per port its host and its ofport there.
    places: Vec<(u32, u16)>,
    /// Ports ordered by host, then number; the ports of host `h` are `by_host[starts[h]..starts[h + 1]]`.
    by_host: Vec<u32>,
    starts: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Network = 1,
    Subnet = 2,
    Port = 3,
}

/// The number inside an id that this module made.
pub fn number(id: Uuid) -> u32 {
    // The low half has the number in its low bits, the kind and the variant far above it.
    id.as_u64_pair().1 as u32
}

/// The id of a network.
pub fn network_id(network: u32) -> NetworkId {
    NetworkId(id(Kind::Network, network))
}

/// The id of the only subnet of a network.
pub fn subnet_id(network: u32) -> SubnetId {
    SubnetId(id(Kind::Subnet, network))
}

/// The id of a port; what the `iface-id` of its interface has to be.
pub fn port_id(port: u32) -> PortId {
    PortId(id(Kind::Port, port))
}

/// The `system-id` of a host: `host-00042`; its hostname is the same.
pub fn host_id(host: u32) -> HostId {
    format!("host-{host:05}").parse().expect("letters, digits and a dash make a host id")
}

/// The id of a tenant: 32 hexadecimal digits.
pub fn tenant_id(tenant: u32) -> TenantId {
    format!("{:032x}", u128::from(scatter(tenant.into())) << 64 | u128::from(tenant))
        .parse()
        .expect("hexadecimal digits make a tenant id")
}

/// The MAC of a port: 02:57:46 and the number's low 24 bits.
pub fn mac(port: u32) -> MacAddr {
    let [_, a, b, c] = port.to_be_bytes();
    MacAddr([0x02, 0x57, 0x46, a, b, c])
}

/// The VTEP address of a host: 100.64.0.0/10 plus one plus the number.
pub fn vtep(host: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(100, 64, 0, 1)) + host)
}

/// The name of a port's interface on its host: `tap` and the number in hexadecimal.
pub fn interface(port: u32) -> String {
    format!("tap{port:x}")
}

/// A host as it would have joined.
pub fn host(host: u32) -> Host {
    Host {
        id: host_id(host),
        index: HostIndex::new(host + 1).expect("a population has no more hosts than there are indexes"),
        hostname: host_id(host).to_string(),
        encap_ips: EncapIps { v4: Some(vtep(host)), v6: None },
        ovs_version: "3.1.0".into(),
        datapath_type: "netdev".into(),
        bridge_mappings: Default::default(),
        joined: MADE,
    }
}

impl Population {
    /// Decides who is where. The ports of network `k` are on hosts of pod `k % pods`, at random (but the same at every
    /// call); ofports count from 1 in the order of port numbers.
    pub fn new(size: Size) -> Population {
        let mut next = vec![0_u16; size.hosts as usize];
        let places: Vec<(u32, u16)> = (0..size.ports + size.wide)
            .map(|port| {
                let host = place(size, port);
                next[host as usize] += 1;
                (host, next[host as usize])
            })
            .collect();
        let mut by_host: Vec<u32> = (0..size.ports + size.wide).collect();
        by_host.sort_by_key(|port| places[*port as usize]);
        let mut starts = vec![0_u32];
        starts.extend(next.iter().scan(0, |sum, count| {
            *sum += u32::from(*count);
            Some(*sum)
        }));
        Population { size, places, by_host, starts }
    }

    /// How large it is.
    pub fn size(&self) -> Size {
        self.size
    }

    /// How many ports there are, those of the wide network included: their numbers come last.
    pub fn ports(&self) -> u32 {
        self.size.ports + self.size.wide
    }

    /// The network of a port.
    pub fn network_of(&self, port: u32) -> u32 {
        network_of(self.size, port)
    }

    /// The host of a port and its ofport there.
    pub fn place_of(&self, port: u32) -> (u32, u16) {
        self.places[port as usize]
    }

    /// The ports of a host in the order of their ofports, which are 1, 2, 3 and so on.
    pub fn ports_of_host(&self, host: u32) -> &[u32] {
        let host = host as usize;
        &self.by_host[self.starts[host] as usize..self.starts[host + 1] as usize]
    }

    /// The address of a port: its position in its network plus 2, in 10.(network % 256).0.0/16.
    pub fn address(&self, port: u32) -> Ipv4Addr {
        let network = self.network_of(port);
        let first = first_port(self.size, network);
        Ipv4Addr::from(u32::from(prefix(network).network()) + 2 + port - first)
    }

    /// Every record, in the order in which a store keeps them.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let size = self.size;
        let networks = size.networks + u32::from(size.wide > 0);
        let tenants = ordered(networks.div_ceil(NETWORKS_PER_TENANT), tenant_id);
        std::iter::once(self.counters())
            .chain(tenants.into_iter().map(tenant))
            .chain((0..size.hosts).map(|number| Record::Host(Arc::new(host(number)))))
            .chain(ordered(networks, network_id).into_iter().map(network))
            .chain(ordered(networks, subnet_id).into_iter().map(subnet))
            .chain(ordered(self.ports(), port_id).into_iter().map(|port| self.port(port)))
            .chain(ordered(self.ports(), port_id).into_iter().map(|port| self.binding(port)))
    }

    /// The state at revision 1.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::from_records(Revision(1), self.records())
    }

    /// Fills a vault that holds nothing, and returns the revision it has then.
    ///
    /// # Errors
    /// When the store fails, or is not new.
    pub fn write(&self, vault: &Vault) -> Result<Revision, VaultError> {
        let (mut revision, mut lot) = (Revision(0), Vec::with_capacity(LOT));
        for record in self.records() {
            lot.push(Change::Put(record));
            if lot.len() == LOT {
                revision = Revision(revision.0 + 1);
                vault.store(revision, &lot)?;
                lot.clear();
            }
        }
        revision = Revision(revision.0 + 1);
        vault.store(revision, &lot)?;
        Ok(revision)
    }

    fn counters(&self) -> Record {
        Record::Counters(Counters {
            next_vni: self.size.networks + 2,
            next_port_key: self.ports() + 1,
            next_host_index: self.size.hosts + 1,
            ..Counters::default()
        })
    }

    fn port(&self, port: u32) -> Record {
        let network = self.network_of(port);
        Record::Port(Arc::new(Port {
            id: port_id(port),
            tenant: tenant_id(network / NETWORKS_PER_TENANT),
            network: network_id(network),
            key: PortKey::new(port + 1).expect("a population has fewer ports than there are keys"),
            stamp: stamp(format!("port-{port}")),
            mac: mac(port),
            fixed_ips: vec![FixedIp { subnet: subnet_id(network), address: self.address(port).into() }],
            admin_up: true,
            security: PortSecurity::Enforced,
            policy: None,
            allowed_pairs: Vec::new(),
            dhcp_options: Vec::new(),
            device_id: String::new(),
            device_owner: "compute:nova".into(),
            requested_host: None,
            dns_name: String::new(),
            qos_policy: None,
        }))
    }

    fn binding(&self, port: u32) -> Record {
        let (host, ofport) = self.place_of(port);
        Record::Binding(Arc::new(Binding {
            port: port_id(port),
            host: host_id(host),
            interface: interface(port),
            ofport: OfPort::new(ofport.into()).expect("a host has fewer ports than there are ofports"),
            since: Revision(1),
            behind: None,
        }))
    }
}

fn place(size: Size, port: u32) -> u32 {
    if port >= size.ports {
        return port - size.ports;
    }
    let pods = size.hosts.div_ceil(POD);
    let pod = network_of(size, port) % pods;
    let hosts = POD.min(size.hosts - pod * POD);
    pod * POD + (scatter(port.into()) % u64::from(hosts)) as u32
}

fn network_of(size: Size, port: u32) -> u32 {
    if port >= size.ports {
        return size.networks;
    }
    (u64::from(port) * u64::from(size.networks) / u64::from(size.ports)) as u32
}

fn first_port(size: Size, network: u32) -> u32 {
    if network == size.networks {
        return size.ports;
    }
    (u64::from(network) * u64::from(size.ports)).div_ceil(size.networks.into()) as u32
}

fn prefix(network: u32) -> Ipv4Net {
    let [.., low] = network.to_be_bytes();
    Ipv4Net::new(Ipv4Addr::new(10, low, 0, 0), 16).expect("16 bits are a prefix length")
}

fn tenant(tenant: u32) -> Record {
    let stamp = stamp(format!("tenant-{tenant}"));
    Record::Tenant(Arc::new(Tenant { id: tenant_id(tenant), stamp, enabled: true }))
}

fn network(network: u32) -> Record {
    Record::Network(Arc::new(Network {
        id: network_id(network),
        tenant: tenant_id(network / NETWORKS_PER_TENANT),
        stamp: stamp(format!("network-{network}")),
        vni: Vni::new(network + 1).expect("a population has fewer networks than there are VNIs"),
        encap: Encap::Vxlan,
        mtu: Mtu(1450),
        admin_up: true,
        port_security_default: true,
        dns_domain: String::new(),
        vlan_transparent: false,
        qos_policy: None,
        external: false,
        segment: None,
    }))
}

fn subnet(network: u32) -> Record {
    let cidr = prefix(network);
    let at = |offset: u32| IpAddr::V4(Ipv4Addr::from(u32::from(cidr.network()) + offset));
    Record::Subnet(Arc::new(Subnet {
        id: subnet_id(network),
        tenant: tenant_id(network / NETWORKS_PER_TENANT),
        network: network_id(network),
        stamp: stamp(format!("subnet-{network}")),
        cidr: IpNet::V4(cidr),
        pool: None,
        gateway: Some(at(1)),
        pools: vec![AddressRange { start: at(2), end: at(0xfffe) }],
        dhcp: true,
        dns_servers: Vec::new(),
        host_routes: Vec::new(),
        ipv6_ra_mode: None,
        ipv6_address_mode: None,
    }))
}

fn stamp(name: String) -> Stamp {
    Stamp { name, created: MADE, updated: MADE, number: 1, ..Stamp::default() }
}

/// The numbers below `count` in the order of their ids.
fn ordered<I: Ord>(count: u32, id: impl Fn(u32) -> I) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..count).collect();
    numbers.sort_by_cached_key(|number| id(*number));
    numbers
}

/// A version 8 UUID (RFC 9562 section 5.8): a hash, so that ids lie scattered, then the kind and the number.
fn id(kind: Kind, number: u32) -> Uuid {
    let low = (kind as u64) << 32 | u64::from(number);
    let high = scatter(low) & !0xf000 | 0x8000;
    Uuid::from_u64_pair(high, 1 << 63 | low)
}

/// A fixed one-to-one mixing of 64 bits (multiplication by odd constants and folding): close to random, never equal.
fn scatter(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SMALL: Size = Size { hosts: 120, networks: 30, ports: 610, wide: 70 };

    /// The state is one that the planner could have made: no two ports share a MAC, an address or an ofport.
    #[test]
    fn everything_is_unique_and_leads_back_to_its_number() {
        let population = Population::new(SMALL);
        let snapshot = population.snapshot();
        assert_eq!(snapshot.port_count(), 680);
        let (mut addresses, mut ofports) = (BTreeSet::new(), BTreeSet::new());
        for port in snapshot.ports() {
            let n = number(port.id.0);
            assert_eq!((port.id, port.mac), (port_id(n), mac(n)));
            let [ip] = port.fixed_ips[..] else { panic!("one address each") };
            let pools = &snapshot.subnet(&ip.subnet).unwrap().pools;
            assert!(pools[0].contains(ip.address), "{} of port {n}", ip.address);
            assert!(addresses.insert(ip), "{ip:?} twice");
            let binding = snapshot.binding(port.id).unwrap();
            assert!(ofports.insert((binding.host.clone(), binding.ofport)), "{binding:?} twice");
            let (host, ofport) = population.place_of(n);
            assert_eq!((binding.host.clone(), binding.ofport.get()), (host_id(host), ofport));
            assert_eq!(population.ports_of_host(host)[usize::from(ofport) - 1], n);
        }
        let wide = snapshot.member_hosts(network_id(30)).count();
        assert_eq!(wide, 70, "the wide network is on its first hosts, once each");
        let pod: BTreeSet<u16> =
            snapshot.member_hosts(network_id(1)).map(|host| (host.index.get() - 1) / 50).collect();
        assert_eq!(pod, BTreeSet::from([1]), "a network stays in its pod");
    }

    /// What is written comes back, and the next writes go on from there.
    #[test]
    fn a_vault_gives_back_the_same_state() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let engine = weft_store::Engine::Redb;
            Vault::new(weft_store::open(engine, folder.path(), weft_store::Options::default()).unwrap())
        };
        let population = Population::new(SMALL);
        let revision = population.write(&open()).unwrap();
        let loaded = open().load().unwrap();
        assert_eq!(loaded.revision(), revision);
        assert_eq!(loaded, Snapshot::from_records(revision, population.records()));
    }
}
