//! The whole desired state at one revision: immutable to its readers, cheap to copy, indexed for compilation.
//!
//! Maps are persistent and ordered: cloning a snapshot copies pointers, and a change shares nearly all that it does
//! not touch.

mod bulk;
mod commit;
mod external;
mod identity;
mod names;
mod physical;
mod pools;
mod qos;
mod quotas;
mod routers;
mod security;
mod sharing;
mod trunks;
mod used;

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::address::usable;
use crate::change::Counters;
use crate::ordered::OrderedMap;
use crate::{
    AddressRange, Binding, Host, HostId, HostIndex, MacAddr, Network, NetworkId, Port, PortId, PortKey,
    Quota, Revision, Subnet, SubnetId, Tenant, TenantId, Token, TokenId, Vni,
};

use external::External;
use identity::Identity;
pub use names::Named;
use physical::Physical;
use pools::Pools;
pub(crate) use quotas::counted;
use routers::Routing;
use sharing::Sharing;
pub(crate) use used::UsedAddresses;

type Map<K, V> = OrderedMap<K, V>;

/// Numbers of addresses of one subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressCount {
    /// Those that a port could have.
    pub usable: u128,
    /// Those in allocation pools.
    pub in_pools: u128,
    /// Those that ports have.
    pub used: u128,
    /// Those in allocation pools that ports have.
    pub used_of_pools: u128,
}

/// The whole desired state at one revision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    revision: Revision,
    counters: Counters,
    tenants: Map<TenantId, Arc<Tenant>>,
    quotas: Map<TenantId, Arc<Quota>>,
    tokens: Map<TokenId, Arc<Token>>,
    tokens_by_digest: Map<[u8; 32], TokenId>,
    /// Users, their roles and credentials, and which tokens are theirs.
    identity: Identity,
    networks: Map<NetworkId, Arc<Network>>,
    subnets: Map<SubnetId, Arc<Subnet>>,
    ports: Map<PortId, Arc<Port>>,
    hosts: Map<HostId, Arc<Host>>,
    /// Claims by port.
    bindings: Map<(PortId, HostId), Arc<Binding>>,
    // Indexes, all derived from the records above.
    networks_by_vni: Map<Vni, NetworkId>,
    hosts_by_index: Map<HostIndex, HostId>,
    subnets_by_network: Map<(NetworkId, SubnetId), ()>,
    ports_by_network: Map<(NetworkId, PortId), ()>,
    ports_by_key: Map<PortKey, PortId>,
    ports_by_mac: Map<(NetworkId, MacAddr), PortId>,
    ports_by_address: Map<(SubnetId, IpAddr), PortId>,
    used: UsedAddresses,
    networks_by_tenant: Map<(TenantId, NetworkId), ()>,
    subnets_by_tenant: Map<(TenantId, SubnetId), ()>,
    ports_by_tenant: Map<(TenantId, PortId), ()>,
    /// Ports that something uses, by a hash of what it is: a third of what the texts would take.
    ports_by_device: Map<(u64, PortId), ()>,
    ports_by_name: names::ByName,
    /// Claims by host.
    claims_by_host: Map<(HostId, PortId), ()>,
    /// Ports in force on a host that is known, per network: what decides membership and subscriptions. By index, so that
    /// the members of a range of indexes stand together.
    bound_by_network: Map<(NetworkId, HostIndex, PortId), ()>,
    /// The same, seen from the host.
    bound_by_host: Map<(HostIndex, NetworkId, PortId), ()>,
    /// Routers, and what they join.
    routing: Routing,
    /// Gateways, floating IPs, port forwardings.
    external: External,
    /// Physical networks, and which networks are on them.
    physical: Physical,
    /// QoS policies, and who wears them.
    qos: qos::Qos,
    /// Trunks, and which ports are in them.
    trunks: trunks::Trunks,
    /// Groups, rules and policies, with their indexes.
    security: security::Security,
    /// How much tenants have of what is counted.
    usage: quotas::Usage,
    /// Address scopes, subnet pools, and what subnets have taken of them.
    pools: Pools,
    /// Who may use what is another's.
    sharing: Sharing,
}

/// Records by key.
impl Snapshot {
    /// The state before anything was ever stored.
    pub fn new() -> Snapshot {
        Snapshot::default()
    }

    /// The revision of the last commit in it.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The allocation counters.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// A tenant by id.
    pub fn tenant(&self, id: &TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(id)
    }

    /// A token by the SHA-256 of its secret.
    pub fn token_by_digest(&self, digest: &[u8; 32]) -> Option<&Arc<Token>> {
        self.tokens.get(self.tokens_by_digest.get(digest)?)
    }

    /// A token by its handle.
    pub fn token(&self, id: &TokenId) -> Option<&Arc<Token>> {
        self.tokens.get(id)
    }

    /// A network by id.
    pub fn network(&self, id: &NetworkId) -> Option<&Arc<Network>> {
        self.networks.get(id)
    }

    /// A subnet by id.
    pub fn subnet(&self, id: &SubnetId) -> Option<&Arc<Subnet>> {
        self.subnets.get(id)
    }

    /// A port by id.
    pub fn port(&self, id: &PortId) -> Option<&Arc<Port>> {
        self.ports.get(id)
    }

    /// A host by id.
    pub fn host(&self, id: &HostId) -> Option<&Arc<Host>> {
        self.hosts.get(id)
    }

    /// All tenants, by id.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }

    /// All tokens, by handle.
    pub fn tokens(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.tokens.values()
    }

    /// All networks, by id.
    pub fn networks(&self) -> impl Iterator<Item = &Arc<Network>> {
        self.networks.values()
    }

    /// All subnets, by id.
    pub fn subnets(&self) -> impl Iterator<Item = &Arc<Subnet>> {
        self.subnets.values()
    }

    /// All ports, by id.
    pub fn ports(&self) -> impl Iterator<Item = &Arc<Port>> {
        self.ports.values()
    }

    /// All hosts, by id.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.values()
    }

    /// How many hosts there are.
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// How many ports there are.
    pub fn port_count(&self) -> usize {
        self.ports.len()
    }
}

/// Records by what they belong to.
impl Snapshot {
    /// The network with that VNI.
    pub fn network_by_vni(&self, vni: Vni) -> Option<&Arc<Network>> {
        self.networks.get(self.networks_by_vni.get(&vni)?)
    }

    /// The host with that index.
    pub fn host_by_index(&self, index: HostIndex) -> Option<&Arc<Host>> {
        self.hosts.get(self.hosts_by_index.get(&index)?)
    }

    /// The port with that key.
    pub fn port_by_key(&self, key: PortKey) -> Option<&Arc<Port>> {
        self.ports.get(self.ports_by_key.get(&key)?)
    }

    /// The port of a network that has this MAC.
    pub fn port_by_mac(&self, network: NetworkId, mac: MacAddr) -> Option<&Arc<Port>> {
        self.ports.get(self.ports_by_mac.get(&(network, mac))?)
    }

    /// The port that has this address of a subnet.
    pub fn port_by_address(&self, subnet: SubnetId, address: IpAddr) -> Option<&Arc<Port>> {
        self.ports.get(self.ports_by_address.get(&(subnet, address))?)
    }

    /// The addresses of a subnet that ports have, in order, from `from` on.
    pub fn addresses_from(&self, subnet: SubnetId, from: IpAddr) -> impl Iterator<Item = IpAddr> {
        let keys = self.ports_by_address.starting_at(&(subnet, from)).map(|(key, _)| *key);
        keys.take_while(move |(s, _)| *s == subnet).map(|(_, address)| address)
    }

    /// How many addresses a subnet has, and how many of them ports have. The cost does not grow with the number of ports, but
    /// with that of the gaps between their addresses.
    pub fn address_count(&self, subnet: &Subnet) -> AddressCount {
        let whole = AddressRange { start: subnet.cidr.network(), end: subnet.cidr.broadcast() };
        let sum = |count: &dyn Fn(&AddressRange) -> u128| {
            subnet.pools.iter().map(count).fold(0, u128::saturating_add)
        };
        AddressCount {
            usable: usable(subnet.cidr).len(),
            in_pools: sum(&AddressRange::len),
            used: self.used.count(subnet.id, whole),
            used_of_pools: sum(&|pool| self.used.count(subnet.id, *pool)),
        }
    }

    /// Which addresses are taken.
    pub(crate) fn used(&self) -> &UsedAddresses {
        &self.used
    }

    /// The subnets of a network, by id.
    pub fn subnets_of(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Subnet>> {
        let first = (network, SubnetId(Uuid::nil()));
        let keys = self.subnets_by_network.starting_at(&first).map(|(key, ())| key);
        keys.take_while(move |(n, _)| *n == network).filter_map(|(_, s)| self.subnets.get(s))
    }

    /// The ports of a network, by id.
    pub fn ports_of(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Port>> {
        let first = (network, PortId(Uuid::nil()));
        let keys = self.ports_by_network.starting_at(&first).map(|(key, ())| key);
        keys.take_while(move |(n, _)| *n == network).filter_map(|(_, p)| self.ports.get(p))
    }
}

/// Ports by what uses them.
impl Snapshot {
    /// The ports with this device id, which must not be empty, by id.
    pub fn ports_of_device(&self, device: &str) -> impl Iterator<Item = &Arc<Port>> {
        let hash = hashed(device);
        let keys = self.ports_by_device.starting_at(&(hash, PortId(Uuid::nil()))).map(|(key, ())| key);
        keys.take_while(move |(h, _)| *h == hash)
            .filter_map(|(_, port)| self.ports.get(port))
            .filter(move |port| port.device_id == device)
    }
}

/// FNV-1a over 64 bits: short, the same everywhere, and good enough where equals are told apart afterwards.
fn hashed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The entry of a port in the index by device.
fn device_key(port: &Port) -> Option<(u64, PortId)> {
    (!port.device_id.is_empty()).then(|| (hashed(&port.device_id), port.id))
}

/// Records by whose they are.
impl Snapshot {
    /// The networks of a tenant, by id.
    pub fn networks_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<Network>> {
        let keys = self.networks_by_tenant.starting_at(&(tenant.clone(), NetworkId(Uuid::nil())));
        owned_by(keys, tenant).filter_map(|id| self.networks.get(id))
    }

    /// The subnets of a tenant, by id.
    pub fn subnets_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<Subnet>> {
        let keys = self.subnets_by_tenant.starting_at(&(tenant.clone(), SubnetId(Uuid::nil())));
        owned_by(keys, tenant).filter_map(|id| self.subnets.get(id))
    }

    /// The ports of a tenant, by id.
    pub fn ports_of_tenant(&self, tenant: &TenantId) -> impl Iterator<Item = &Arc<Port>> {
        let keys = self.ports_by_tenant.starting_at(&(tenant.clone(), PortId(Uuid::nil())));
        owned_by(keys, tenant).filter_map(|id| self.ports.get(id))
    }
}

/// The ids at the front of an index whose tenant is `tenant`.
fn owned_by<'a, I: 'a>(
    keys: impl Iterator<Item = (&'a (TenantId, I), &'a ())>,
    tenant: &TenantId,
) -> impl Iterator<Item = &'a I> {
    let tenant = tenant.clone();
    keys.map(|(key, ())| key).take_while(move |(owner, _)| *owner == tenant).map(|(_, id)| id)
}

/// Who is where.
impl Snapshot {
    /// The claim in force of a port: the newest one, of the smaller host id among equals.
    pub fn binding(&self, port: PortId) -> Option<&Arc<Binding>> {
        // There is one claim nearly always, so to choose costs less than to keep what was chosen.
        let in_force = self.claims_of_port(port).max_by(|a, b| commit::precedence(a, b))?;
        // What is no workload's is on no host, whatever an interface says.
        self.ports.get(&port).filter(|port| !port.is_virtual()).map(|_| in_force)
    }

    /// The host on which a port is bound.
    pub fn bound_host(&self, port: PortId) -> Option<&Arc<Host>> {
        self.hosts.get(&self.binding(port)?.host)
    }

    /// All claims, by port and host, in force or not, also those to ports that do not exist (yet).
    pub fn bindings(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.bindings.values()
    }

    /// One host's claim to a port, in force or not.
    pub fn claim(&self, port: PortId, host: &HostId) -> Option<&Arc<Binding>> {
        self.bindings.get(&(port, host.clone()))
    }

    /// All claims to a port, by host.
    pub fn claims_of_port(&self, port: PortId) -> impl Iterator<Item = &Arc<Binding>> {
        let first = (port, HostId::first());
        self.bindings
            .starting_at(&first)
            .take_while(move |((p, _), _)| *p == port)
            .map(|(_, binding)| binding)
    }

    /// All claims of a host, by port, in force or not.
    pub fn claims_of_host<'a>(&'a self, host: &'a HostId) -> impl Iterator<Item = &'a Arc<Binding>> {
        let first = (host.clone(), PortId(Uuid::nil()));
        let keys = self.claims_by_host.starting_at(&first).map(|(key, ())| key);
        keys.take_while(move |(h, _)| h == host).filter_map(|(h, p)| self.bindings.get(&(*p, h.clone())))
    }

    /// The ports of a network whose binding in force is on a host.
    pub fn local_ports(&self, network: NetworkId, host: &HostId) -> impl Iterator<Item = &Arc<Port>> {
        let index = self.host(host).map(|host| host.index);
        index.into_iter().flat_map(move |index| self.local_ports_at(network, index))
    }

    /// The same, by the host's index.
    pub fn local_ports_at(&self, network: NetworkId, host: HostIndex) -> impl Iterator<Item = &Arc<Port>> {
        let keys =
            self.bound_by_network.starting_at(&(network, host, PortId(Uuid::nil()))).map(|(key, ())| key);
        keys.take_while(move |(n, h, _)| *n == network && *h == host)
            .filter_map(|(_, _, p)| self.ports.get(p))
    }

    /// The ports of a network that are bound on a host that is known, with its index, host by host.
    pub fn bound_ports(&self, network: NetworkId) -> impl Iterator<Item = (HostIndex, &Arc<Port>)> {
        let first = (network, HostIndex::MIN, PortId(Uuid::nil()));
        let keys = self.bound_by_network.starting_at(&first).map(|(key, ())| key);
        keys.take_while(move |(n, _, _)| *n == network)
            .filter_map(|(_, host, p)| Some((*host, self.ports.get(p)?)))
    }

    /// The hosts on which at least one port of a network is bound, by index.
    pub fn member_hosts(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Host>> {
        self.members(network).filter_map(|host| self.host_by_index(host))
    }

    /// Their indexes, in order, without a look at the hosts.
    pub fn members(&self, network: NetworkId) -> impl Iterator<Item = HostIndex> {
        self.members_from(network, HostIndex::MIN)
    }

    /// The indexes of the member hosts from `first` on, in order. The cost does not depend on how many there are below.
    pub fn members_from(&self, network: NetworkId, first: HostIndex) -> impl Iterator<Item = HostIndex> {
        let mut keys = self.bound_by_network.starting_at(&(network, first, PortId(Uuid::nil())));
        let mut last = None;
        std::iter::from_fn(move || {
            let mut tries = 0;
            loop {
                let (found, host, _) = *keys.next()?.0;
                if found != network {
                    return None;
                }
                if last != Some(host) {
                    last = Some(host);
                    return Some(host);
                }
                // A few ports of one host are stepped over; many are jumped over.
                tries += 1;
                if tries == 4 {
                    keys = self.bound_by_network.after(&(network, host, PortId(Uuid::max())));
                }
            }
        })
    }

    /// The networks of which at least one port is bound on a host, by id.
    pub fn networks_on(&self, host: &HostId) -> impl Iterator<Item = &Arc<Network>> {
        let index = self.host(host).map(|host| host.index);
        index.into_iter().flat_map(move |index| self.networks_at(index))
    }

    /// The same, by the host's index.
    pub fn networks_at(&self, host: HostIndex) -> impl Iterator<Item = &Arc<Network>> {
        let mut keys = self.bound_by_host.starting_at(&(host, NetworkId(Uuid::nil()), PortId(Uuid::nil())));
        std::iter::from_fn(move || {
            let (found, network, _) = *keys.next()?.0;
            if found != host {
                return None;
            }
            keys = self.bound_by_host.after(&(host, network, PortId(Uuid::max())));
            Some(network)
        })
        .filter_map(|network| self.networks.get(&network))
    }

    /// True if a port of the network is bound on the host.
    pub fn is_member(&self, network: NetworkId, host: &HostId) -> bool {
        self.host(host).is_some_and(|host| self.is_member_at(network, host.index))
    }

    /// The same, by the host's index.
    pub fn is_member_at(&self, network: NetworkId, host: HostIndex) -> bool {
        self.members_from(network, host).next() == Some(host)
    }
}
