//! Table dns, and what every host has of the network's own addresses: the resolver, and the place of a metadata service.
//!
//! They are the same in every network, and nowhere on a wire: ARP and neighbour discovery are answered in flows, questions
//! by the controller, and everything else with an ICMP error, so that who tries does not wait. Whoever sends to them by way
//! of a router that it knows gets the same answers, before any router or policy sees the packet.

use std::net::IpAddr;

use weft_answers::{IcmpError, Service, Trouble};
use weft_model::MacAddr;
use weft_model::names::{METADATA_V4, METADATA_V6, RESOLVER_V4, RESOLVER_V6};
use weft_openflow::oxm;

use crate::fields::Fields;
use crate::meters;
use crate::pipeline::{DNS, DROP, SERVICES};
use crate::reasons::Reason;
use crate::registers::{REASON, SOURCE};
use crate::sheet::{Sheet, Then};
use crate::tables::{Local, PROTO_TCP, PROTO_UDP, arp_nd, ipv4, ipv6, services};

/// Before the answers for ports, of which none can have these addresses.
const OWN: u16 = 110;
const RESOLVE: u16 = 90;
const NOTHING_ELSE: u16 = 80;

/// The port of resolvers (RFC 1035 section 4.2).
const PORT: u16 = weft_answers::dns::PORT;
/// Of the network itself, wherever it is: no network has the VNI 0, from which networks have theirs.
const MAC: MacAddr = MacAddr([0x02, 0x57, 0x44, 0, 0, 0]);

const RESOLVERS: [IpAddr; 2] = [IpAddr::V4(RESOLVER_V4), IpAddr::V6(RESOLVER_V6)];
const ALL: [IpAddr; 4] = [RESOLVERS[0], RESOLVERS[1], IpAddr::V4(METADATA_V4), IpAddr::V6(METADATA_V6)];

/// What holds for every port of the host.
pub(crate) fn host(sheet: &mut Sheet) {
    for address in RESOLVERS {
        for protocol in [PROTO_UDP, PROTO_TCP] {
            let asked = to(address).with(oxm::ip_proto(protocol));
            let port = if protocol == PROTO_UDP { oxm::udp_dst(PORT) } else { oxm::tcp_dst(PORT) };
            sheet.flow(&SERVICES, RESOLVE, asked.with(port), Then::new().goto(&DNS));
        }
    }
    for address in ALL {
        match address {
            IpAddr::V4(v4) => arp_nd::own_v4(sheet, OWN, MAC, v4),
            IpAddr::V6(v6) => arp_nd::own_v6(sheet, OWN, MAC, v6),
        }
        let error = IcmpError { router: address, trouble: Trouble::PortUnreachable };
        let up = services::to_controller(meters::OF_HOST, &Service::IcmpError(error));
        let then = up.set(REASON.is(Reason::NoService.number())).goto(&DROP);
        sheet.flow(&SERVICES, NOTHING_ELSE, to(address), then);
    }
}

/// Its questions, which carry who asks.
pub(crate) fn local_port(sheet: &mut Sheet, local: &Local<'_>) {
    let key = local.port.key.get();
    let service = Service::Dns { port: key };
    let asked = Fields::new().with(SOURCE.is(key));
    sheet.flow(&DNS, 100, asked, services::to_controller(meters::of_dns(local.number), &service));
}

fn to(address: IpAddr) -> Fields {
    match address {
        IpAddr::V4(v4) => ipv4().with(oxm::ipv4_dst(v4)),
        IpAddr::V6(v6) => ipv6().with(oxm::ipv6_dst(v6)),
    }
}
