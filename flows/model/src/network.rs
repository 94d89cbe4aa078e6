//! Networks: one broadcast domain each, carried under one VNI.

use crate::ids::{NetworkId, PhysnetKey, QosPolicyId, SegmentRangeId, TenantId, VlanId, Vni};
use crate::stamp::Stamp;

/// How a network's packets travel between hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encap {
    /// RFC 7348, the default.
    Vxlan,
    /// RFC 8926, without options.
    Geneve,
    /// RFC 2890: GRE with the VNI as key.
    Gre,
}

impl Encap {
    /// All encapsulations, in the order of their tunnel port ranges.
    pub const ALL: [Encap; 3] = [Encap::Vxlan, Encap::Geneve, Encap::Gre];

    /// The interface type in OVSDB and the `provider:network_type` in the API.
    pub fn name(self) -> &'static str {
        match self {
            Encap::Vxlan => "vxlan",
            Encap::Geneve => "geneve",
            Encap::Gre => "gre",
        }
    }

    /// The encapsulation with that [`Encap::name`].
    pub fn from_name(name: &str) -> Option<Encap> {
        Self::ALL.into_iter().find(|e| e.name() == name)
    }

    /// Bytes that the tunnel adds in front of the inner IP packet over an IPv4 underlay: inner Ethernet 14,
    /// outer IPv4 20, and UDP 8 + header 8 (VXLAN, Geneve) or GRE with key 8. Over IPv6 it is 20 more.
    pub fn overhead(self) -> u16 {
        match self {
            Encap::Vxlan | Encap::Geneve => 50,
            Encap::Gre => 42,
        }
    }
}

/// The largest IP packet that workloads of a network may send, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mtu(pub u16);

/// A physical network of the operator: hosts reach it by the bridge that they map it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhysicalNetwork {
    /// Its number; never changes while a network uses it.
    pub key: PhysnetKey,
    /// What the operator calls it, in the API and in `external_ids:weft-bridge-mappings`.
    pub name: String,
}

/// Where on the operator's own layer 2 a network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// On which physical network.
    pub physnet: PhysnetKey,
    /// Under which tag; `None` for a flat network, whose frames have none.
    pub vlan: Option<VlanId>,
}

impl Segment {
    /// The `provider:network_type` in the API.
    pub fn kind(&self) -> &'static str {
        if self.vlan.is_some() { "vlan" } else { "flat" }
    }
}

/// VNIs that networks of one encapsulation get when nobody chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRange {
    /// Its id.
    pub id: SegmentRangeId,
    /// Whose networks get them; `None` for those of every tenant that has no range of its own.
    pub tenant: Option<TenantId>,
    /// Name, description, times.
    pub stamp: Stamp,
    /// The encapsulation of the networks.
    pub encap: Encap,
    /// The first VNI.
    pub first: Vni,
    /// The last VNI; not below the first.
    pub last: Vni,
    /// Where the search for a free one starts: it only goes forward (and round).
    pub next: Vni,
}

impl SegmentRange {
    /// True if the VNI is one of the range.
    pub fn contains(&self, vni: Vni) -> bool {
        (self.first..=self.last).contains(&vni)
    }
}

/// A tenant's network: a broadcast domain of ports on any hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Name, description, times.
    pub stamp: Stamp,
    /// Its virtual network identifier; never changes while the network lives.
    pub vni: Vni,
    /// How its packets travel between hosts, unless it has a segment.
    pub encap: Encap,
    /// Where it is on the operator's layer 2; `None` for a network that is carried in tunnels.
    pub segment: Option<Segment>,
    /// The largest IP packet its workloads may send.
    pub mtu: Mtu,
    /// When false, none of its ports sends or receives.
    pub admin_up: bool,
    /// What new ports get for their port security when they do not say.
    pub port_security_default: bool,
    /// The DNS domain of its ports' names; may be empty.
    pub dns_domain: String,
    /// Frames that already have a VLAN tag pass from ports without port security; never true of one with a segment.
    pub vlan_transparent: bool,
    /// Routers of every tenant may have their gateway on it (`router:external`); only the operator has ports there.
    pub external: bool,
    /// The QoS policy of its ports that have none of their own.
    pub qos_policy: Option<QosPolicyId>,
}

/// What a VLAN tag adds to a frame (IEEE 802.1Q), in bytes.
pub const TAG_LEN: u16 = 4;

impl Network {
    /// The encapsulation that carries its packets between hosts; `None` where the operator's layer 2 does.
    pub fn tunnel(&self) -> Option<Encap> {
        self.segment.is_none().then_some(self.encap)
    }

    /// Bytes that are added in front of an IP packet on its way: see [`Encap::overhead`], and the tenant's own tag; none
    /// where frames travel as they are.
    pub fn overhead(&self) -> u16 {
        let tag = if self.vlan_transparent { TAG_LEN } else { 0 };
        if self.segment.is_some() { 0 } else { self.encap.overhead() + tag }
    }
}
