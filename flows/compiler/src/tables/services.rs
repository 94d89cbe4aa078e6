//! Table services: what a port asks of the network itself goes up, with all that the answer is made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use weft_answers::options::{code4, code6};
use weft_answers::{
    Advertisement, Dhcp4, Dhcp6, DomainName, Mac, Managed, Options4, Options6, Prefix, Service,
};
use weft_model::names::{self, RESOLVER_V4, RESOLVER_V6};
use weft_model::{DhcpFamily, DhcpOption, HostIndex, Ipv6Mode, Network, Port, PortKey, Snapshot, Subnet};
use weft_openflow::action::Controller2;
use weft_openflow::{Action, MeterId, oxm};

use crate::fields::Fields;
use crate::meters;
use crate::pipeline::SERVICES;
use crate::registers::SOURCE;
use crate::sheet::{Sheet, Then};
use crate::tables::{Local, PROTO_UDP, icmpv6, ipv4, ipv6};

const ASK: u16 = 100;
/// ICMPv6 type of a router solicitation (RFC 4861 section 4.1).
const ROUTER_SOLICITATION: u8 = 133;
/// For how many seconds a DHCP client may use its address before it asks again. Nothing changes when it does, but what
/// it is told may have.
const LEASE: u32 = 86_400;
/// For how many seconds a router is a default router: the longest there is (RFC 8319), as it goes with the model only.
const ROUTER_LIFETIME: u16 = u16::MAX;
/// The name of DHCP servers where no gateway lends its address: a link-local one that nobody else has.
const NAMELESS_SERVER: Ipv4Addr = Ipv4Addr::new(169, 254, 67, 68);
/// The next hop of what is on the link (RFC 3442).
const ON_LINK: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
/// Most addresses and resolvers that one answer has room for.
const MOST: usize = 8;

/// What a port on this host may ask.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>, snapshot: &Snapshot) {
    let served = Served::of(local, snapshot);
    let asker = |matching: Fields| {
        let source = SOURCE.is(local.port.key.get());
        // Whatever is bridged behind the port is no client of ours.
        matching.with(source).with(oxm::eth_src(local.port.mac.0))
    };
    let udp = |matching: Fields, client, server| {
        matching.with(oxm::ip_proto(PROTO_UDP)).with(oxm::udp_src(client)).with(oxm::udp_dst(server))
    };
    if let Some(service) = served.dhcp4(local) {
        let asked = asker(udp(ipv4(), 68, 67));
        sheet.flow(&SERVICES, ASK, asked, up(local, &Service::Dhcp4(service)));
    }
    if let Some(service) = served.dhcp6(local) {
        let asked = asker(udp(ipv6(), 546, 547));
        sheet.flow(&SERVICES, ASK, asked, up(local, &Service::Dhcp6(service)));
    }
    if let Some(service) = served.advertisement(local, snapshot) {
        let asked = asker(icmpv6(ROUTER_SOLICITATION));
        sheet.flow(&SERVICES, ASK, asked, up(local, &Service::Advertisement(service)));
    }
}

/// What the ports of a host are told of routers when they ask, as userdata: what they can be told unasked as well. Only
/// what the host has is looked at.
pub fn advertisements(host: HostIndex, snapshot: &Snapshot) -> impl Iterator<Item = (PortKey, Vec<u8>)> {
    let local = move |network, port: &'_ Arc<Port>| {
        let bound = snapshot.bound_host(port.id).filter(|bound| bound.index == host)?;
        let local = Local::of(network, port, snapshot.claim(port.id, &bound.id)?, snapshot);
        let service =
            Served::of(&local, snapshot).advertisement(&local, snapshot).filter(|_| local.is_up())?;
        Some((port.key, Service::Advertisement(service).encode()))
    };
    let ports = move |network: &'_ Network| snapshot.local_ports_at(network.id, host);
    let networks = snapshot.networks_at(host).map(AsRef::as_ref);
    networks.flat_map(move |network| ports(network).filter_map(move |port| local(network, port)))
}

/// Up to the controller, as often as the port's meter allows.
fn up(local: &Local<'_>, service: &Service) -> Then {
    to_controller(meters::of(local.number), service)
}

/// Up to the controller, which answers to where the packet came from, as often as a meter allows.
pub(crate) fn to_controller(meter: MeterId, service: &Service) -> Then {
    Then::new().act(question(meter, service))
}

/// The action that sends a packet up.
pub(crate) fn question(meter: MeterId, service: &Service) -> Action {
    let send =
        Controller2 { userdata: service.encode().into(), meter: Some(meter), ..Controller2::default() };
    Action::Controller2(Box::new(send))
}

/// The port's addresses on subnets that are served, with their subnets.
struct Served<'a> {
    v4: Option<(Ipv4Addr, &'a Subnet)>,
    v6: Vec<(Ipv6Addr, &'a Subnet)>,
}

impl<'a> Served<'a> {
    fn of(local: &Local<'_>, snapshot: &'a Snapshot) -> Served<'a> {
        let mut served = Served { v4: None, v6: Vec::new() };
        for ip in &local.port.fixed_ips {
            let Some(subnet) = snapshot.subnet(&ip.subnet).filter(|subnet| subnet.dhcp) else { continue };
            match ip.address {
                // One interface has one lease.
                IpAddr::V4(address) => served.v4 = served.v4.or(Some((address, subnet))),
                IpAddr::V6(address) => served.v6.push((address, subnet)),
            }
        }
        served.v6.truncate(MOST);
        served
    }

    fn dhcp4(&self, local: &Local<'_>) -> Option<Dhcp4> {
        let (address, subnet) = self.v4?;
        let IpAddr::V4(mask) = subnet.cidr.netmask() else { return None };
        let gateway = v4_of(subnet.gateway);
        let mut options = Options4::new();
        options.put(code4::MASK, &mask.octets());
        options.put_addresses(code4::ROUTER, gateway);
        let servers = resolvers(RESOLVER_V4.into(), [subnet].into_iter());
        options.put_addresses(code4::DNS, servers.into_iter().filter_map(|ip| v4_of(Some(ip))));
        put_text(&mut options, code4::HOST_NAME, &local.port.dns_name);
        put_text(&mut options, code4::DOMAIN, local.network.domain());
        if let Some(domain) = DomainName::parse(local.network.domain()) {
            options.put(code4::SEARCH, domain.as_bytes());
        }
        options.put(code4::MTU, &local.network.mtu.0.to_be_bytes());
        options.put(code4::LEASE, &LEASE.to_be_bytes());
        put_routes(&mut options, subnet, gateway);
        for (code, value) in chosen(local, DhcpFamily::V4) {
            if let Ok(code) = u8::try_from(code) {
                options.replace(code, &value);
            }
        }
        let server = gateway.unwrap_or(NAMELESS_SERVER);
        Some(Dhcp4 { server_mac: server_mac(local.network), server, address, options })
    }

    /// Served where addresses are to be had from DHCPv6, or at least the rest.
    fn dhcp6(&self, local: &Local<'_>) -> Option<Dhcp6> {
        let by =
            |mode: Ipv6Mode| self.v6.iter().filter(move |(_, subnet)| subnet.address_mode() == Some(mode));
        let mut subnets = by(Ipv6Mode::Stateful).chain(by(Ipv6Mode::Stateless)).peekable();
        subnets.peek()?;
        let addresses = by(Ipv6Mode::Stateful).map(|(address, _)| *address).collect();
        let mut options = Options6::new();
        options.put_addresses(code6::DNS, resolvers_v6(subnets.map(|(_, subnet)| *subnet)));
        if let Some(domain) = DomainName::parse(local.network.domain()) {
            options.put(code6::DOMAINS, domain.as_bytes());
        }
        for (code, value) in chosen(local, DhcpFamily::V6) {
            options.replace(code, &value);
        }
        Some(Dhcp6 { server_mac: server_mac(local.network), addresses, options })
    }

    /// Announced where the subnet says how. The announcer is whoever has the gateway's address; while nobody has it,
    /// hosts learn what is on their link, and of no default router.
    fn advertisement(&self, local: &Local<'_>, snapshot: &Snapshot) -> Option<Advertisement> {
        let announced = || self.v6.iter().filter_map(|(_, subnet)| Some((*subnet, subnet.ra_mode()?)));
        let managed = announced().map(|(_, mode)| managed(mode)).max()?;
        let router = announced().find_map(|(subnet, _)| snapshot.port_by_address(subnet.id, subnet.gateway?));
        let mut prefixes: Vec<Prefix> = Vec::new();
        for (subnet, mode) in announced() {
            let IpAddr::V6(address) = subnet.cidr.network() else { continue };
            let autonomous = mode != Ipv6Mode::Stateful;
            let prefix = Prefix { address, length: subnet.cidr.prefix_len(), autonomous };
            if !prefixes.contains(&prefix) {
                prefixes.push(prefix);
            }
        }
        Some(Advertisement {
            router_mac: router.map_or_else(|| server_mac(local.network), |port| Mac(port.mac.0)),
            managed,
            lifetime: if router.is_some() { ROUTER_LIFETIME } else { 0 },
            mtu: local.network.mtu.0,
            prefixes,
            dns: resolvers_v6(announced().map(|(subnet, _)| subnet)),
            domain: DomainName::parse(local.network.domain()),
        })
    }
}

/// The options that the port's user chose.
fn chosen(local: &Local<'_>, family: DhcpFamily) -> impl Iterator<Item = (u16, Vec<u8>)> {
    local
        .port
        .dhcp_options
        .iter()
        .filter(move |option| option.family() == family)
        .filter_map(DhcpOption::encoded)
}

fn managed(mode: Ipv6Mode) -> Managed {
    match mode {
        Ipv6Mode::Slaac => Managed::Nothing,
        Ipv6Mode::Stateless => Managed::Other,
        Ipv6Mode::Stateful => Managed::Addresses,
    }
}

/// The network's own Ethernet address, which no port is ever given by itself.
fn server_mac(network: &Network) -> Mac {
    let [_, a, b, c] = network.vni.get().to_be_bytes();
    Mac([0x02, 0x57, 0x44, a, b, c])
}

fn v4_of(address: Option<IpAddr>) -> Option<Ipv4Addr> {
    if let Some(IpAddr::V4(address)) = address { Some(address) } else { None }
}

fn put_text(options: &mut Options4, code: u8, text: &str) {
    if !text.is_empty() {
        options.put(code, text.as_bytes());
    }
}

/// Who reads classless routes ignores the default router, so it must be among them. The network's own addresses are on
/// the link, whether there is a router or not.
fn put_routes(options: &mut Options4, subnet: &Subnet, gateway: Option<Ipv4Addr>) {
    let own = names::reserved_v4();
    let routes = subnet.host_routes.iter().filter_map(|route| {
        let (IpAddr::V4(prefix), IpAddr::V4(hop)) = (route.destination.network(), route.nexthop) else {
            return None;
        };
        Some((prefix, route.destination.prefix_len(), hop))
    });
    let default = gateway.map(|gateway| (Ipv4Addr::UNSPECIFIED, 0, gateway));
    let own = (own.network(), own.prefix_len(), ON_LINK);
    options.put_routes([own].into_iter().chain(routes).chain(default));
}

/// Whom the ports of some subnets may ask for names, each once: the network's resolver, which knows their own names and
/// hands on what it may, and then the subnets' own servers, for what it refuses and for when it is away. A subnet whose
/// servers are the unspecified address has none told, as in OpenStack.
fn resolvers<'a>(own: IpAddr, subnets: impl Iterator<Item = &'a Subnet>) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for subnet in subnets {
        let servers = || subnet.dns_servers.iter().copied().filter(|ip| ip.is_ipv4() == own.is_ipv4());
        if servers().any(|ip| ip.is_unspecified()) {
            continue;
        }
        for server in [own].into_iter().chain(servers()) {
            if !found.contains(&server) {
                found.push(server);
            }
        }
    }
    found.truncate(MOST);
    found
}

fn resolvers_v6<'a>(subnets: impl Iterator<Item = &'a Subnet>) -> Vec<Ipv6Addr> {
    let found = resolvers(RESOLVER_V6.into(), subnets);
    found.into_iter().filter_map(|ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None }).collect()
}
