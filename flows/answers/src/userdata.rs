//! What flows carry for the controller: a version, what is asked, and what the answer is made of.
//!
//! All numbers are in network order. What does not decode to the last byte is no userdata of ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::frame::Mac;
use crate::options::{DomainName, Options4, Options6};

/// The first byte; another one is another language.
const VERSION: u8 = 1;
/// Most addresses, prefixes or resolvers in one userdata.
pub const MAX_LIST: usize = 32;

/// What is asked, and what the answer is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// DHCP (RFC 2131).
    Dhcp4(Dhcp4),
    /// DHCPv6 (RFC 8415).
    Dhcp6(Dhcp6),
    /// Router solicitations (RFC 4861 section 4.1).
    Advertisement(Advertisement),
    /// A packet that cannot go on.
    IcmpError(IcmpError),
    /// A machine on a physical network that a router wants to send to.
    Neighbour(Neighbour),
    /// DNS, from the port with this key; see [`crate::dns`].
    Dns {
        /// The key of the port that asks.
        port: u32,
    },
}

/// The one address that a DHCP client may have, and what it is told with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dhcp4 {
    /// The server's Ethernet address.
    pub server_mac: Mac,
    /// The server's name to its clients (option 54), and the source of its answers.
    pub server: Ipv4Addr,
    /// The client's address.
    pub address: Ipv4Addr,
    /// Everything else.
    pub options: Options4,
}

/// The addresses that a DHCPv6 client may have, and what it is told with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dhcp6 {
    /// The server's Ethernet address; its DUID and its link-local address follow from it.
    pub server_mac: Mac,
    /// The client's addresses; without any, the service is stateless.
    pub addresses: Vec<Ipv6Addr>,
    /// Everything else.
    pub options: Options6,
}

/// What a router advertisement says (RFC 4861 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertisement {
    /// The router's Ethernet address; its link-local address follows from it.
    pub router_mac: Mac,
    /// Where hosts get addresses and the rest.
    pub managed: Managed,
    /// For how many seconds the router is a default router; 0 for none.
    pub lifetime: u16,
    /// The link's MTU; 0 to say nothing.
    pub mtu: u16,
    /// The prefixes on the link.
    pub prefixes: Vec<Prefix>,
    /// Resolvers (RFC 8106).
    pub dns: Vec<Ipv6Addr>,
    /// A domain to search (RFC 8106).
    pub domain: Option<DomainName>,
}

/// What DHCPv6 has for hosts (RFC 4861 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Managed {
    /// Nothing.
    Nothing,
    /// Everything but addresses (the O flag).
    Other,
    /// Addresses and everything else (the M flag).
    Addresses,
}

/// A prefix on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The prefix.
    pub address: Ipv6Addr,
    /// Its length in bits.
    pub length: u8,
    /// Whether hosts make themselves addresses in it (the A flag).
    pub autonomous: bool,
}

/// An error to be sent to where the packet came from, in the name of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// The router's address on the packet's network; of the packet's family.
    pub router: IpAddr,
    /// What is wrong.
    pub trouble: Trouble,
}

/// A question on a physical network for the machine that has the next hop's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// Who asks, and gets the answer.
    pub asker_mac: Mac,
    /// Its address, of the family of what is asked for; the unspecified IPv4 address for who has none to show.
    pub asker: IpAddr,
    /// The OpenFlow port by which the question leaves.
    pub uplink: u16,
    /// The VLAN in which it is asked, 1 to 4094.
    pub vlan: Option<u16>,
}

/// Why a packet cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Its time to live, or hop limit, is used up.
    TimeExceeded,
    /// There is no route.
    NetUnreachable,
    /// Nobody has the address.
    HostUnreachable,
    /// The router serves no such protocol.
    ProtocolUnreachable,
    /// The router has no such port.
    PortUnreachable,
    /// It is forbidden by a rule.
    Prohibited,
    /// It is larger than the next link takes, which is this many bytes.
    TooBig(u16),
}

const DHCP4: u8 = 1;
const DHCP6: u8 = 2;
const ADVERTISEMENT: u8 = 3;
const ICMP_ERROR: u8 = 4;
const NEIGHBOUR: u8 = 15;
/// The largest number of a VLAN.
const VLAN_MAX: u16 = 4094;
const DNS: u8 = 16;
/// The flags of a router advertisement in their places.
const M_FLAG: u8 = 0x80;
const O_FLAG: u8 = 0x40;

impl Service {
    /// The userdata.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        out.push(VERSION);
        match self {
            Service::Dhcp4(service) => {
                out.push(DHCP4);
                out.extend(service.server_mac.0);
                out.extend(service.server.octets());
                out.extend(service.address.octets());
                out.extend_from_slice(service.options.as_bytes());
            }
            Service::Dhcp6(service) => {
                out.push(DHCP6);
                out.extend(service.server_mac.0);
                put_list(&mut out, &service.addresses);
                out.extend_from_slice(service.options.as_bytes());
            }
            Service::Advertisement(service) => service.encode(&mut out),
            Service::Dns { port } => {
                out.push(DNS);
                out.extend(port.to_be_bytes());
            }
            Service::IcmpError(service) => {
                out.push(ICMP_ERROR);
                let (what, mtu) = service.trouble.numbers();
                out.push(what);
                out.extend(mtu.to_be_bytes());
                match service.router {
                    IpAddr::V4(address) => out.extend(address.octets()),
                    IpAddr::V6(address) => out.extend(address.octets()),
                }
            }
            Service::Neighbour(question) => {
                out.push(NEIGHBOUR);
                out.extend(question.asker_mac.0);
                out.extend(question.uplink.to_be_bytes());
                out.extend(question.vlan.unwrap_or(0).to_be_bytes());
                match question.asker {
                    IpAddr::V4(address) => out.extend(address.octets()),
                    IpAddr::V6(address) => out.extend(address.octets()),
                }
            }
        }
        out
    }

    /// The service that a userdata is about, if it is one of ours to the last byte.
    pub fn decode(userdata: &[u8]) -> Option<Service> {
        let mut bytes = Bytes(userdata);
        let [version, kind] = bytes.take()?;
        if version != VERSION {
            return None;
        }
        match kind {
            DHCP4 => {
                let (server_mac, server, address) =
                    (Mac(bytes.take()?), Ipv4Addr::from(bytes.take()?), Ipv4Addr::from(bytes.take()?));
                let options = Options4::read(bytes.0)?;
                Some(Service::Dhcp4(Dhcp4 { server_mac, server, address, options }))
            }
            DHCP6 => {
                let (server_mac, addresses) = (Mac(bytes.take()?), bytes.list()?);
                let options = Options6::read(bytes.0)?;
                Some(Service::Dhcp6(Dhcp6 { server_mac, addresses, options }))
            }
            DNS => Some(Service::Dns { port: u32::from_be_bytes(bytes.whole()?) }),
            ADVERTISEMENT => Advertisement::decode(bytes).map(Service::Advertisement),
            ICMP_ERROR => {
                let ([what], mtu) = (bytes.take()?, u16::from_be_bytes(bytes.take()?));
                let router = match bytes.0.len() {
                    4 => IpAddr::from(bytes.take::<4>()?),
                    _ => IpAddr::from(bytes.whole::<16>()?),
                };
                let trouble = Trouble::from_numbers(what, mtu)?;
                Some(Service::IcmpError(IcmpError { router, trouble }))
            }
            NEIGHBOUR => {
                let (asker_mac, uplink) = (Mac(bytes.take()?), u16::from_be_bytes(bytes.take()?));
                let vlan = u16::from_be_bytes(bytes.take()?);
                let asker = match bytes.0.len() {
                    4 => IpAddr::from(bytes.take::<4>()?),
                    _ => IpAddr::from(bytes.whole::<16>()?),
                };
                let vlan = (vlan != 0).then_some(vlan);
                if vlan.is_some_and(|vlan| vlan > VLAN_MAX) {
                    return None;
                }
                Some(Service::Neighbour(Neighbour { asker_mac, asker, uplink, vlan }))
            }
            _ => None,
        }
    }
}

impl Advertisement {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(ADVERTISEMENT);
        out.extend(self.router_mac.0);
        out.push(self.flags());
        out.extend(self.lifetime.to_be_bytes());
        out.extend(self.mtu.to_be_bytes());
        let prefixes = &self.prefixes[..self.prefixes.len().min(MAX_LIST)];
        out.push(u8::try_from(prefixes.len()).expect("a list is short"));
        for prefix in prefixes {
            out.push(prefix.length);
            out.push(u8::from(prefix.autonomous));
            out.extend(prefix.address.octets());
        }
        put_list(out, &self.dns);
        out.extend_from_slice(self.domain.as_ref().map(DomainName::as_bytes).unwrap_or_default());
    }

    fn decode(mut bytes: Bytes<'_>) -> Option<Advertisement> {
        let (router_mac, [flags]) = (Mac(bytes.take()?), bytes.take()?);
        let managed = [Managed::Nothing, Managed::Other, Managed::Addresses]
            .into_iter()
            .find(|managed| managed.flags() == flags)?;
        let (lifetime, mtu) = (u16::from_be_bytes(bytes.take()?), u16::from_be_bytes(bytes.take()?));
        let [count] = bytes.take()?;
        let mut prefixes = Vec::new();
        for _ in 0..bounded(count)? {
            let ([length, autonomous], address) = (bytes.take()?, Ipv6Addr::from(bytes.take::<16>()?));
            if length > 128 || autonomous > 1 {
                return None;
            }
            prefixes.push(Prefix { address, length, autonomous: autonomous == 1 });
        }
        let dns = bytes.list()?;
        let domain = if bytes.0.is_empty() { None } else { Some(DomainName::read(bytes.0)?) };
        Some(Advertisement { router_mac, managed, lifetime, mtu, prefixes, dns, domain })
    }

    /// The flags as they stand in the advertisement.
    pub(crate) fn flags(&self) -> u8 {
        self.managed.flags()
    }
}

impl Managed {
    fn flags(self) -> u8 {
        match self {
            Managed::Nothing => 0,
            Managed::Other => O_FLAG,
            Managed::Addresses => M_FLAG | O_FLAG,
        }
    }
}

impl Trouble {
    fn numbers(self) -> (u8, u16) {
        match self {
            Trouble::TimeExceeded => (1, 0),
            Trouble::NetUnreachable => (2, 0),
            Trouble::HostUnreachable => (3, 0),
            Trouble::ProtocolUnreachable => (4, 0),
            Trouble::PortUnreachable => (5, 0),
            Trouble::Prohibited => (6, 0),
            Trouble::TooBig(mtu) => (7, mtu),
        }
    }

    fn from_numbers(what: u8, mtu: u16) -> Option<Trouble> {
        Some(match (what, mtu) {
            (1, 0) => Trouble::TimeExceeded,
            (2, 0) => Trouble::NetUnreachable,
            (3, 0) => Trouble::HostUnreachable,
            (4, 0) => Trouble::ProtocolUnreachable,
            (5, 0) => Trouble::PortUnreachable,
            (6, 0) => Trouble::Prohibited,
            (7, mtu) => Trouble::TooBig(mtu),
            _ => return None,
        })
    }
}

fn put_list(out: &mut Vec<u8>, addresses: &[Ipv6Addr]) {
    let addresses = &addresses[..addresses.len().min(MAX_LIST)];
    out.push(u8::try_from(addresses.len()).expect("a list is short"));
    out.extend(addresses.iter().flat_map(|address| address.octets()));
}

fn bounded(count: u8) -> Option<u8> {
    (usize::from(count) <= MAX_LIST).then_some(count)
}

/// What is left to be read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn whole<const N: usize>(&self) -> Option<[u8; N]> {
        self.0.try_into().ok()
    }

    fn list(&mut self) -> Option<Vec<Ipv6Addr>> {
        let [count] = self.take()?;
        (0..bounded(count)?).map(|_| self.take::<16>().map(Ipv6Addr::from)).collect()
    }
}
