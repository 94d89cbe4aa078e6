//! Why a packet is dropped: every drop in the pipeline names one of these.

/// Why a packet is dropped. The number is what stands in the reason register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Reason {
    /// From an interface that no port is bound to, or from an uplink under a VLAN that is not in use here.
    UnknownPort = 1,
    /// From a tunnel, for a network that this host has no port of.
    UnknownNetwork = 2,
    /// The sending or the receiving port is administratively down.
    PortDown = 3,
    /// The network is administratively down.
    NetworkDown = 4,
    /// A port sent a frame with a VLAN tag.
    VlanTagged = 5,
    /// The Ethernet source is not the port's.
    SpoofedMac = 6,
    /// The IPv4 source is not the port's.
    SpoofedIpv4 = 7,
    /// The sender in an ARP packet is not the port.
    SpoofedArp = 8,
    /// The IPv6 source is not the port's.
    SpoofedIpv6 = 9,
    /// A neighbour discovery packet speaks of addresses that are not the port's, or is malformed.
    SpoofedNd = 10,
    /// A router advertisement or redirect from a port.
    RogueRa = 11,
    /// A DHCP or DHCPv6 server's answer from a port.
    RogueDhcp = 12,
    /// No port of the network has the destination address, or the one that has it is on no host.
    UnknownDestination = 13,
    /// From a tunnel or an uplink, for a port that is not on this host.
    NotHere = 14,
    /// No way through the pipeline leads here; a fault of ours.
    NoPath = 15,
    /// The router is administratively down.
    RouterDown = 30,
    /// No route of the router leads to the destination address, or it is one that is never routed.
    NoRoute = 31,
    /// A blackhole route of the router leads there.
    Blackhole = 32,
    /// The packet has been forwarded too often: its TTL or hop limit is used up.
    TtlExpired = 33,
    /// Addressed to a router itself, which answers nothing but echo requests.
    RouterAddress = 34,
    /// Routed to an address that no bound port of its network has.
    NoNeighbour = 35,
    /// Is larger than the network that a router sends it to takes.
    TooBig = 53,
    /// Tells routers something, and reached a filtered port.
    ForRouters = 54,
    /// Routed to a machine on a physical network that is being asked for.
    NoNeighbourYet = 47,
    /// Has been learned from, which is all it was for.
    NeighbourNoted = 48,
    /// The port is filtered, but the flows of its policy are not here (yet).
    NoPolicy = 20,
    /// No rule of the sender lets it out.
    EgressDenied = 21,
    /// No rule of the receiver lets it in.
    IngressDenied = 22,
    /// Neither IP nor ARP, from or to a filtered port.
    OtherProtocol = 23,
    /// The connection tracker cannot make sense of it.
    InvalidConnection = 24,
    /// Belongs to a connection whose rule is gone.
    RevokedRule = 25,
    /// Belongs to a connection of another port that had the interface number before, or of an address that stands for
    /// another one now.
    StaleConnection = 26,
    /// Leads to the outside through a router whose gateway no host serves.
    NoGateway = 40,
    /// From outside, for an address or port that leads to nobody.
    Unsolicited = 41,
    /// On its way out, with an address that should have been translated and could not be.
    Untranslated = 42,
    /// From outside, with an address of the router's own networks.
    SpoofedInside = 43,
    /// From outside, and would leave to the outside again.
    Reflected = 44,
    /// Came from outside for an address that another host serves.
    Standby = 56,
    /// For the resolver, from a port that it does not serve (yet).
    NoResolver = 50,
    /// For an address of the network itself where nothing is served.
    NoService = 51,
}

impl Reason {
    /// All reasons, by number.
    pub const ALL: [Reason; 40] = [
        Reason::UnknownPort,
        Reason::UnknownNetwork,
        Reason::PortDown,
        Reason::NetworkDown,
        Reason::VlanTagged,
        Reason::SpoofedMac,
        Reason::SpoofedIpv4,
        Reason::SpoofedArp,
        Reason::SpoofedIpv6,
        Reason::SpoofedNd,
        Reason::RogueRa,
        Reason::RogueDhcp,
        Reason::UnknownDestination,
        Reason::NotHere,
        Reason::NoPath,
        Reason::RouterDown,
        Reason::NoRoute,
        Reason::Blackhole,
        Reason::TtlExpired,
        Reason::RouterAddress,
        Reason::NoNeighbour,
        Reason::TooBig,
        Reason::ForRouters,
        Reason::NoNeighbourYet,
        Reason::NeighbourNoted,
        Reason::NoPolicy,
        Reason::EgressDenied,
        Reason::IngressDenied,
        Reason::OtherProtocol,
        Reason::InvalidConnection,
        Reason::RevokedRule,
        Reason::StaleConnection,
        Reason::NoGateway,
        Reason::Unsolicited,
        Reason::Untranslated,
        Reason::SpoofedInside,
        Reason::Reflected,
        Reason::Standby,
        Reason::NoResolver,
        Reason::NoService,
    ];

    /// The number in the reason register.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The reason with that number.
    pub fn from_number(number: u32) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.number() == number)
    }

    /// The word for it in metrics, golden files and PIPELINE.md.
    pub fn name(self) -> &'static str {
        match self {
            Reason::UnknownPort => "unknown_port",
            Reason::UnknownNetwork => "unknown_network",
            Reason::PortDown => "port_down",
            Reason::NetworkDown => "network_down",
            Reason::VlanTagged => "vlan_tagged",
            Reason::SpoofedMac => "spoofed_mac",
            Reason::SpoofedIpv4 => "spoofed_ipv4",
            Reason::SpoofedArp => "spoofed_arp",
            Reason::SpoofedIpv6 => "spoofed_ipv6",
            Reason::SpoofedNd => "spoofed_nd",
            Reason::RogueRa => "rogue_ra",
            Reason::RogueDhcp => "rogue_dhcp",
            Reason::UnknownDestination => "unknown_destination",
            Reason::NotHere => "not_here",
            Reason::NoPath => "no_path",
            Reason::RouterDown => "router_down",
            Reason::NoRoute => "no_route",
            Reason::Blackhole => "blackhole",
            Reason::TtlExpired => "ttl_expired",
            Reason::RouterAddress => "router_address",
            Reason::NoNeighbour => "no_neighbour",
            Reason::TooBig => "too_big",
            Reason::ForRouters => "for_routers",
            Reason::NoNeighbourYet => "no_neighbour_yet",
            Reason::NeighbourNoted => "neighbour_noted",
            Reason::NoPolicy => "no_policy",
            Reason::EgressDenied => "egress_denied",
            Reason::IngressDenied => "ingress_denied",
            Reason::OtherProtocol => "other_protocol",
            Reason::InvalidConnection => "invalid_connection",
            Reason::RevokedRule => "revoked_rule",
            Reason::StaleConnection => "stale_connection",
            Reason::NoGateway => "no_gateway",
            Reason::Unsolicited => "unsolicited",
            Reason::Untranslated => "untranslated",
            Reason::SpoofedInside => "spoofed_inside",
            Reason::Reflected => "reflected",
            Reason::Standby => "standby",
            Reason::NoResolver => "no_resolver",
            Reason::NoService => "no_service",
        }
    }

    /// One sentence for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Reason::UnknownPort => {
                "came from an interface that no port is bound to, or from an uplink under a VLAN that is not in use here"
            }
            Reason::UnknownNetwork => "came out of a tunnel for a network that this host has no port of",
            Reason::PortDown => "the sending or receiving port is administratively down",
            Reason::NetworkDown => "the network is administratively down",
            Reason::VlanTagged => "a port sent a frame with a VLAN tag",
            Reason::SpoofedMac => "the Ethernet source is not the port's",
            Reason::SpoofedIpv4 => "the IPv4 source is not the port's",
            Reason::SpoofedArp => "the sender in an ARP packet is not the port",
            Reason::SpoofedIpv6 => "the IPv6 source is not the port's",
            Reason::SpoofedNd => {
                "a neighbour discovery packet speaks of addresses that are not the port's, or is malformed"
            }
            Reason::RogueRa => "a router advertisement or redirect from a port",
            Reason::RogueDhcp => "a DHCP or DHCPv6 server's answer from a port",
            Reason::UnknownDestination => "no bound port of the network has the destination address",
            Reason::NotHere => "came out of a tunnel or an uplink for a port that is not on this host",
            Reason::NoPath => "no way through the pipeline leads here; a fault of Weft's",
            Reason::RouterDown => "the router is administratively down",
            Reason::NoRoute => {
                "no route of the router leads to the destination, or it is an address that is never routed"
            }
            Reason::Blackhole => "a blackhole route of the router leads there",
            Reason::TtlExpired => "its TTL or hop limit is used up",
            Reason::RouterAddress => "is for a router itself, which answers nothing but echo requests",
            Reason::NoNeighbour => "was routed to an address that no bound port of its network has",
            Reason::TooBig => "is larger than the network that a router sends it to takes",
            Reason::ForRouters => {
                "a listener's report or a router solicitation, which reached a port with security groups: it is for routers"
            }
            Reason::NoNeighbourYet => {
                "was routed to a machine on a physical network that is being asked for, or does not answer"
            }
            Reason::NeighbourNoted => {
                "is an answer to a router's question on a physical network, which has been noted"
            }
            Reason::NoPolicy => "the port is filtered, and the flows of its policy are not here (yet)",
            Reason::EgressDenied => "no rule of the sender's security groups lets it out",
            Reason::IngressDenied => "no rule of the receiver's security groups lets it in",
            Reason::OtherProtocol => "is neither IP nor ARP, and one of its ports has security groups",
            Reason::InvalidConnection => "makes no sense to the connection tracker",
            Reason::RevokedRule => "belongs to a connection that no rule of the port allows any more",
            Reason::StaleConnection => {
                "belongs to a connection of another port that had the same interface number before, or of an \
                 address that stands for another one now"
            }
            Reason::NoGateway => "leads to the outside through a router whose gateway no host serves",
            Reason::Unsolicited => {
                "came from outside for an address or a port of an external network that leads to nobody"
            }
            Reason::Untranslated => {
                "was to leave with an address that should have been translated and could not be"
            }
            Reason::SpoofedInside => "came from outside with an address of the router's own networks",
            Reason::Standby => "came from outside for an address that another host serves",
            Reason::Reflected => "came from outside and would leave to the outside again",
            Reason::NoResolver => "asks the resolver, from a port that it does not serve (yet)",
            Reason::NoService => "is for an address of the network itself, where nothing is served",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_lead_back() {
        let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_number(reason.number()), Some(reason));
        }
        assert_eq!(Reason::from_number(0), None);
    }
}
