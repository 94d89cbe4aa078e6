//! What stands in the tables: one file per table or feature, one function per kind of owner.

pub(crate) mod address_security;
pub(crate) mod arp_nd;
pub(crate) mod classify;
pub(crate) mod dns;
pub(crate) mod drops;
pub(crate) mod failover;
pub(crate) mod floating;
pub(crate) mod flood;
pub(crate) mod gateways;
pub(crate) mod l2;
pub(crate) mod neighbours;
pub(crate) mod outside_errors;
pub(crate) mod policy;
pub(crate) mod port_security;
pub(crate) mod qos;
pub(crate) mod router_answers;
pub(crate) mod routers;
pub(crate) mod security;
pub(crate) mod served;
pub(crate) mod services;
pub(crate) mod sizes;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use weft_model::{Binding, Network, OfPort, Port, PortSecurity, QosPolicy, Segment, Snapshot, VlanId};
use weft_openflow::action::CopyField;
use weft_openflow::{Action, OxmField, oxm};

use crate::fields::Fields;
use crate::sheet::Then;

/// A port on its own host, with its network.
pub(crate) struct Local<'a> {
    pub network: &'a Network,
    pub port: &'a Port,
    /// The interface that it is behind.
    pub ofport: OfPort,
    /// Its number on the host, which no other port has there: the interface's own but for subports of trunks.
    pub number: OfPort,
    /// How it shares the interface, if it does.
    pub share: Option<Share>,
    /// How much it may send and get.
    pub qos: Option<&'a QosPolicy>,
}

/// How a port shares its interface with others.
#[derive(Clone, Copy)]
pub(crate) enum Share {
    /// It is a trunk's parent: its frames have no tag.
    Parent,
    /// It is a subport: its frames have this one.
    Subport(VlanId),
}

impl<'a> Local<'a> {
    /// A port where a host's claim says that it is.
    pub fn of(network: &'a Network, port: &'a Port, claim: &Binding, snapshot: &'a Snapshot) -> Local<'a> {
        let is_parent = || snapshot.trunk_of_parent(port.id).is_some();
        let share = match claim.behind {
            Some(behind) => Some(Share::Subport(behind.vlan)),
            None => is_parent().then_some(Share::Parent),
        };
        let number = OfPort::new(claim.zone().into()).unwrap_or(claim.ofport);
        Local {
            network,
            port,
            ofport: claim.ofport,
            number,
            share,
            qos: snapshot.qos_of(port, network).map(AsRef::as_ref),
        }
    }

    /// Its zone of the connection tracker.
    pub fn zone(&self) -> u32 {
        self.number.get().into()
    }

    /// True if the port may send and receive.
    pub fn is_up(&self) -> bool {
        self.network.admin_up && self.port.admin_up
    }
}

/// Copies a whole field; only the names of the two count.
fn copy(from: OxmField, to: OxmField) -> Action {
    Action::CopyField(CopyField::whole(from.header(), to.header()))
}

/// The port's IPv4 addresses, each once.
fn ipv4_of(port: &Port) -> BTreeSet<Ipv4Addr> {
    let addresses = port.fixed_ips.iter().map(|ip| ip.address);
    addresses.filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None }).collect()
}

/// The port's IPv6 addresses, each once, without the link-local one that it makes up itself.
fn ipv6_of(port: &Port) -> BTreeSet<Ipv6Addr> {
    let addresses = port.fixed_ips.iter().map(|ip| ip.address);
    addresses.filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None }).collect()
}

/// The IPv6 addresses of a router's interface: its own, and the link-local one that its MAC makes.
fn with_link_local(port: &Port) -> BTreeSet<Ipv6Addr> {
    let mut addresses = ipv6_of(port);
    addresses.insert(port.mac.link_local());
    addresses
}

/// True if the port can have no other link-local address than the one that its MAC makes.
fn link_local_is_known(port: &Port) -> bool {
    port.security == PortSecurity::Enforced
}

/// Which address of a packet.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Source,
    Destination,
}

/// The field that says that an address is within a prefix; `None` when every address is.
pub(crate) fn prefix_field(prefix: IpNet, side: Side) -> Option<OxmField> {
    let is_one = prefix.prefix_len() == prefix.max_prefix_len();
    if prefix.prefix_len() == 0 {
        return None;
    }
    Some(match (prefix, side) {
        (IpNet::V4(p), Side::Source) if is_one => oxm::ipv4_src(p.addr()),
        (IpNet::V4(p), Side::Destination) if is_one => oxm::ipv4_dst(p.addr()),
        (IpNet::V6(p), Side::Source) if is_one => oxm::ipv6_src(p.addr()),
        (IpNet::V6(p), Side::Destination) if is_one => oxm::ipv6_dst(p.addr()),
        (IpNet::V4(p), Side::Source) => oxm::ipv4_src_masked(p.network(), p.netmask()),
        (IpNet::V4(p), Side::Destination) => oxm::ipv4_dst_masked(p.network(), p.netmask()),
        (IpNet::V6(p), Side::Source) => oxm::ipv6_src_masked(p.network(), p.netmask()),
        (IpNet::V6(p), Side::Destination) => oxm::ipv6_dst_masked(p.network(), p.netmask()),
    })
}

/// What stands in front of a network's frames on its way from host to host: the tunnel's id, or a tag.
fn wrapped(network: &Network) -> Then {
    match network.segment {
        None => Then::new().set(oxm::tun_id(u64::from(network.vni.get()))),
        Some(Segment { vlan: None, .. }) => Then::new(),
        Some(Segment { vlan: Some(vlan), .. }) => {
            Then::new().act(Action::PushVlan(ETH_VLAN)).set(oxm::vlan_vid(vlan.get()))
        }
    }
}

/// The bit that broadcast and multicast addresses have, as value and mask.
const GROUP_BIT: [u8; 6] = [1, 0, 0, 0, 0, 0];
/// Ethernet type of a customer's VLAN tag (IEEE 802.1Q).
const ETH_VLAN: u16 = 0x8100;
/// That of a provider's (IEEE 802.1ad).
const ETH_SERVICE_VLAN: u16 = 0x88a8;
const ETH_IPV4: u16 = 0x0800;
const ETH_ARP: u16 = 0x0806;
const ETH_IPV6: u16 = 0x86dd;
const PROTO_ICMP: u8 = 1;
const PROTO_TCP: u8 = 6;
const PROTO_UDP: u8 = 17;
const PROTO_ICMPV6: u8 = 58;
/// ICMPv6 type of a neighbour solicitation (RFC 4861 section 4.3).
const SOLICITATION: u8 = 135;
/// ICMPv6 type of a neighbour advertisement (RFC 4861 section 4.4).
const ADVERTISEMENT: u8 = 136;

fn ipv4() -> Fields {
    Fields::new().with(oxm::eth_type(ETH_IPV4))
}

fn arp() -> Fields {
    Fields::new().with(oxm::eth_type(ETH_ARP))
}

fn ipv6() -> Fields {
    Fields::new().with(oxm::eth_type(ETH_IPV6))
}

fn icmpv6(kind: u8) -> Fields {
    ipv6().with(oxm::ip_proto(PROTO_ICMPV6)).with(oxm::icmpv6_type(kind))
}
