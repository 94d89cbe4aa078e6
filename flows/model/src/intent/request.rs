//! The words of a request: what to create, and what to change of what exists.
//!
//! In a patch, an absent field stays as it is; where a field can be cleared, `Some(None)` clears it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::security_request::PortGroups;
use super::{AskedPrefix, NewGateway};
use crate::{
    AddressRange, AllowedPair, DhcpFamily, DhcpOption, Encap, EncapIps, HostId, HostRoute, MacAddr,
    NetworkId, OfPort, PortId, PortSecurity, QosPolicyId, QuotaKind, Route, RouterId, SecurityGroupId,
    Session, SubnetId, TenantId, Timestamp, TokenId, TokenRole, VlanId, Vni,
};

/// The descriptive part of a new object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// What the tenant calls it, at most 255 characters.
    pub name: String,
    /// Free text, at most 255 characters.
    pub description: String,
    /// Labels for filtering, at most 50 of at most 60 characters.
    pub tags: BTreeSet<String>,
}

/// Changes to the descriptive part of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelsPatch {
    /// See [`Labels::name`].
    pub name: Option<String>,
    /// See [`Labels::description`].
    pub description: Option<String>,
    /// The whole new set; see [`Labels::tags`].
    pub tags: Option<BTreeSet<String>>,
}

/// A tenant to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// Name, description, tags.
    pub labels: Labels,
    /// Whether its tokens are accepted.
    pub enabled: bool,
}

/// Changes to a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TenantPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// Whether its tokens are accepted.
    pub enabled: Option<bool>,
}

/// What happens to a limit below what the tenant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BelowUse {
    /// It is set, and keeps the tenant from having more.
    #[default]
    Allowed,
    /// It is refused.
    Refused,
}

/// Changes to the limits of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuotaPatch {
    /// The new limits; `None` is no limit. What is not in it stays as it is.
    pub limits: BTreeMap<QuotaKind, Option<u32>>,
    /// Whether a limit may be below what the tenant has.
    pub below_use: BelowUse,
}

/// An API token to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The handle by which it is listed and revoked.
    pub id: TokenId,
    /// What it may do; a tenant named here must exist.
    pub role: TokenRole,
    /// SHA-256 of the secret text.
    pub digest: [u8; 32],
    /// What it is for, at most 255 characters.
    pub description: String,
    /// When it stops being accepted, if ever.
    pub expires: Option<Timestamp>,
    /// Who logs in, if somebody does; the user, its role and its credential must be there.
    pub session: Option<Session>,
}

/// Where a new network is to be on the operator's layer 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSegment {
    /// The name of the physical network; it need not be known before.
    pub physnet: String,
    /// Under which tag; a flat network has none.
    pub vlan: Option<VlanId>,
}

/// A network to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNetwork {
    /// Its id.
    pub id: NetworkId,
    /// Whose it is to be. A tenant may leave it out or name itself; an admin must name one.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// The VNI to use (admin only); allocated when absent.
    pub vni: Option<Vni>,
    /// The encapsulation to use (admin only); the configured one when absent.
    pub encap: Option<Encap>,
    /// Where it is on the operator's layer 2 (admin only); carried in tunnels when absent.
    pub segment: Option<NewSegment>,
    /// The largest IP packet of its workloads in bytes; what the underlay carries when absent.
    pub mtu: Option<u32>,
    /// When false, none of its ports sends or receives.
    pub admin_up: bool,
    /// What new ports get for their port security when they do not say.
    pub port_security_default: bool,
    /// The DNS domain of its ports' names; may be empty.
    pub dns_domain: String,
    /// Frames that already have a VLAN tag pass; for networks in tunnels only.
    pub vlan_transparent: bool,
    /// Routers of every tenant may have their gateway on it (admin only).
    pub external: bool,
    /// The QoS policy of its ports; its tenant's default one when absent, none when `Some(None)`.
    pub qos_policy: Option<Option<QosPolicyId>>,
    /// Every tenant may have ports on it (admin only).
    pub shared: bool,
}

impl NewNetwork {
    /// A network with every field at its default.
    pub fn new(id: NetworkId) -> NewNetwork {
        NewNetwork {
            id,
            tenant: None,
            labels: Labels::default(),
            vni: None,
            encap: None,
            segment: None,
            mtu: None,
            admin_up: true,
            port_security_default: true,
            dns_domain: String::new(),
            vlan_transparent: false,
            external: false,
            qos_policy: None,
            shared: false,
        }
    }
}

/// Changes to a network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// See [`NewNetwork::mtu`].
    pub mtu: Option<u32>,
    /// See [`NewNetwork::admin_up`].
    pub admin_up: Option<bool>,
    /// See [`NewNetwork::port_security_default`].
    pub port_security_default: Option<bool>,
    /// See [`NewNetwork::dns_domain`].
    pub dns_domain: Option<String>,
    /// See [`NewNetwork::external`] (admin only); refused while gateways or floating IPs are on it.
    pub external: Option<bool>,
    /// The QoS policy of its ports; none when `Some(None)`.
    pub qos_policy: Option<Option<QosPolicyId>>,
    /// See [`NewNetwork::shared`] (admin only); refused while those who would lose it are on it.
    pub shared: Option<bool>,
}

/// A subnet to create. It belongs to its network's tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubnet {
    /// Its id.
    pub id: SubnetId,
    /// The network whose ports it addresses.
    pub network: NetworkId,
    /// Whose it is to be: the network's tenant when absent; only an admin may name another.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// The prefix.
    pub prefix: AskedPrefix,
    /// The gateway: the first usable address when absent, none when `Some(None)`.
    pub gateway: Option<Option<IpAddr>>,
    /// Where automatic addresses come from: every usable address but the gateway when absent.
    pub pools: Option<Vec<AddressRange>>,
    /// Whether DHCP is answered on it.
    pub dhcp: bool,
    /// Resolvers told to workloads, at most 20, of the prefix's family.
    pub dns_servers: Vec<IpAddr>,
    /// Further routes told to workloads, at most 100, of the prefix's family.
    pub host_routes: Vec<HostRoute>,
    /// slaac, dhcpv6-stateful or dhcpv6-stateless; IPv6 only.
    pub ipv6_ra_mode: Option<String>,
    /// The same words; IPv6 only.
    pub ipv6_address_mode: Option<String>,
}

impl NewSubnet {
    /// A subnet with every other field at its default.
    pub fn new(id: SubnetId, network: NetworkId, cidr: IpNet) -> NewSubnet {
        NewSubnet::cut(id, network, AskedPrefix::Own(cidr))
    }

    /// A subnet with a prefix from wherever, and every other field at its default.
    pub fn cut(id: SubnetId, network: NetworkId, prefix: AskedPrefix) -> NewSubnet {
        NewSubnet {
            id,
            network,
            tenant: None,
            labels: Labels::default(),
            prefix,
            gateway: None,
            pools: None,
            dhcp: true,
            dns_servers: Vec::new(),
            host_routes: Vec::new(),
            ipv6_ra_mode: None,
            ipv6_address_mode: None,
        }
    }
}

/// Changes to a subnet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubnetPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// See [`NewSubnet::gateway`].
    pub gateway: Option<Option<IpAddr>>,
    /// See [`NewSubnet::pools`].
    pub pools: Option<Vec<AddressRange>>,
    /// See [`NewSubnet::dhcp`].
    pub dhcp: Option<bool>,
    /// See [`NewSubnet::dns_servers`].
    pub dns_servers: Option<Vec<IpAddr>>,
    /// See [`NewSubnet::host_routes`].
    pub host_routes: Option<Vec<HostRoute>>,
}

/// One address that a port asks for; at least one of the two must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct AskedIp {
    /// From which subnet; found by the address when absent.
    pub subnet: Option<SubnetId>,
    /// Which address; the lowest free one of the subnet's pools when absent.
    pub address: Option<IpAddr>,
}

/// A port to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPort {
    /// Its id.
    pub id: PortId,
    /// The network it belongs to.
    pub network: NetworkId,
    /// Whose it is to be: the network's tenant when absent; only an admin may name another.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// Its Ethernet address; made from `mac_seed` when absent.
    pub mac: Option<MacAddr>,
    /// Where the search for a free generated MAC starts; random.
    pub mac_seed: u32,
    /// Its addresses: one per family that the network has when absent, none when empty; at most 32.
    pub fixed_ips: Option<Vec<AskedIp>>,
    /// When false, the port neither sends nor receives.
    pub admin_up: bool,
    /// Whether its sources are checked; the network's default when absent.
    pub security: Option<PortSecurity>,
    /// Which security groups it wears.
    pub groups: PortGroups,
    /// What it may send from besides its own addresses, at most 32.
    pub allowed_pairs: Vec<AllowedPair>,
    /// What DHCP tells it besides, at most 32.
    pub dhcp_options: Vec<DhcpOption>,
    /// What uses the port, at most 255 characters.
    pub device_id: String,
    /// Which kind of user, at most 255 characters.
    pub device_owner: String,
    /// The host that its user asks for; a hint.
    pub requested_host: Option<String>,
    /// Its host name for DNS; may be empty.
    pub dns_name: String,
    /// Its own QoS policy.
    pub qos_policy: Option<QosPolicyId>,
}

impl NewPort {
    /// A port with every other field at its default.
    pub fn new(id: PortId, network: NetworkId, mac_seed: u32) -> NewPort {
        NewPort {
            id,
            network,
            tenant: None,
            labels: Labels::default(),
            mac: None,
            mac_seed,
            fixed_ips: None,
            admin_up: true,
            security: None,
            groups: PortGroups::Unfiltered,
            allowed_pairs: Vec::new(),
            dhcp_options: Vec::new(),
            device_id: String::new(),
            device_owner: String::new(),
            requested_host: None,
            dns_name: String::new(),
            qos_policy: None,
        }
    }
}

/// Changes to a port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// A new Ethernet address; refused for a bound port unless an admin asks.
    pub mac: Option<MacAddr>,
    /// The whole new list of addresses; an entry that names only a subnet keeps the port's address from it.
    pub fixed_ips: Option<Vec<AskedIp>>,
    /// See [`NewPort::admin_up`].
    pub admin_up: Option<bool>,
    /// See [`NewPort::security`].
    pub security: Option<PortSecurity>,
    /// The whole new set of groups.
    pub groups: Option<BTreeSet<SecurityGroupId>>,
    /// The whole new list; see [`NewPort::allowed_pairs`].
    pub allowed_pairs: Option<Vec<AllowedPair>>,
    /// What is chosen anew, or (with nothing) no longer, by family and name; other options stay.
    pub dhcp_options: Vec<(DhcpFamily, String, Option<DhcpOption>)>,
    /// See [`NewPort::device_id`].
    pub device_id: Option<String>,
    /// See [`NewPort::device_owner`].
    pub device_owner: Option<String>,
    /// See [`NewPort::requested_host`].
    pub requested_host: Option<Option<String>>,
    /// See [`NewPort::dns_name`].
    pub dns_name: Option<String>,
    /// Its own QoS policy; none when `Some(None)`.
    pub qos_policy: Option<Option<QosPolicyId>>,
}

/// A router to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRouter {
    /// Its id.
    pub id: RouterId,
    /// Whose it is to be. A tenant may leave it out or name itself; an admin must name one.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// When false, it forwards nothing.
    pub admin_up: bool,
    /// Where it leads to the outside, if it does.
    pub gateway: Option<NewGateway>,
}

impl NewRouter {
    /// A router with every other field at its default.
    pub fn new(id: RouterId) -> NewRouter {
        NewRouter { id, tenant: None, labels: Labels::default(), admin_up: true, gateway: None }
    }
}

/// Changes to a router.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouterPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// See [`NewRouter::admin_up`].
    pub admin_up: Option<bool>,
    /// What happens to the static routes.
    pub routes: Option<RoutesPatch>,
    /// The gateway that it is to have; none when `Some(None)`.
    pub gateway: Option<Option<NewGateway>>,
}

/// Changes to a router's static routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutesPatch {
    /// Exactly these, at most 100.
    Set(Vec<Route>),
    /// These as well; those that are there already stay.
    Add(Vec<Route>),
    /// Without these; those that are not there are not missed.
    Remove(Vec<Route>),
}

/// An interface to give to a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewInterface {
    /// A new port with the gateway's address of a subnet.
    OfSubnet {
        /// Which subnet.
        subnet: SubnetId,
        /// The id of the port to make.
        port: PortId,
        /// Where the search for a free generated MAC starts; random.
        mac_seed: u32,
    },
    /// A port that is there and that nobody uses.
    Port(PortId),
}

/// An interface to take from a router; its port is deleted. One of the two must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldInterface {
    /// The one with an address of this subnet.
    pub subnet: Option<SubnetId>,
    /// This one.
    pub port: Option<PortId>,
}

/// What a host's OVSDB shows, complete: what is not in it is not there any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostReport {
    /// Its `external_ids:system-id`.
    pub id: HostId,
    /// Its `external_ids:hostname`.
    pub hostname: String,
    /// Where its VTEP is.
    pub encap_ips: EncapIps,
    /// The version its `Open_vSwitch` row states.
    pub ovs_version: String,
    /// The datapath type of its integration bridge.
    pub datapath_type: String,
    /// By which bridges it reaches physical networks, see [`crate::Host::bridge_mappings`].
    pub bridge_mappings: BTreeMap<String, String>,
    /// Every interface of the integration bridge whose `external_ids:iface-id` is a port id and that has an ofport.
    pub interfaces: Vec<ReportedInterface>,
}

/// One interface that claims a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedInterface {
    /// Its `external_ids:iface-id`.
    pub port: PortId,
    /// Its name.
    pub name: String,
    /// Its OpenFlow port number.
    pub ofport: OfPort,
}
