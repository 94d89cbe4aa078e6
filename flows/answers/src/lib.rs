//! Answers to packets that switches send up: DHCP, DHCPv6, router advertisements, DNS, ICMP errors,
//! questions for neighbours.
//!
//! A flow's `controller(userdata=...)` carries what the answer is made of ([`Service`]), so whoever gets the packet can
//! answer it ([`answer`]) without a model, a lease or any other state: the same question has the same answer, today and
//! after a restart. Only what DNS asks for has to be looked up first ([`dns`]).

mod advertisement;
mod announcement;
mod dhcp4;
mod dhcp6;
pub mod dns;
mod frame;
#[doc(hidden)]
pub mod fuzz;
mod icmp_error;
mod neighbour;
pub mod options;
pub mod userdata;

pub use announcement::Announcement;
pub use frame::Mac;
pub use options::{DomainName, Options4, Options6};
pub use userdata::{Advertisement, Dhcp4, Dhcp6, IcmpError, Managed, Neighbour, Prefix, Service, Trouble};

/// Why a packet gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// The userdata is none of ours, or of another version.
    #[error("the flow's userdata cannot be read")]
    Userdata,
    /// The packet is not what the flow should have sent up, or is malformed.
    #[error("the packet cannot be read")]
    Packet,
    /// It is well formed, and the protocol says to keep quiet.
    #[error("the packet asks for no answer")]
    NotAsked,
}

/// A packet that a switch sent up, with what the switch knows of it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The packet, without a tag.
    pub packet: &'a [u8],
    /// The registers 8 to 11, in which a router puts the next hop's address: IPv4 in the first, IPv6 in all.
    pub next_hop: [u32; 4],
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The frame.
    pub frame: Vec<u8>,
    /// Where.
    pub way: Way,
}

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To where the packet came from.
    Back,
    /// Out of the OpenFlow port of this number.
    Out(u16),
}

/// What to send for a packet that came with the userdata of this service.
///
/// # Errors
/// [`Silence`] when nothing is to be sent.
pub fn reply(service: &Service, question: &Question<'_>) -> Result<Reply, Silence> {
    if let Service::Neighbour(asked) = service {
        let frame = neighbour::question(asked, question.next_hop)?;
        return Ok(Reply { frame: frame::under_tag(frame, asked.vlan), way: Way::Out(asked.uplink) });
    }
    Ok(Reply { frame: back(service, question.packet)?, way: Way::Back })
}

/// The frame to send back to where the packet came from, if all that is needed for it is the packet.
///
/// # Errors
/// [`Silence`] when nothing is to be sent.
pub fn answer(userdata: &[u8], packet: &[u8]) -> Result<Vec<u8>, Silence> {
    back(&Service::decode(userdata).ok_or(Silence::Userdata)?, packet)
}

fn back(service: &Service, packet: &[u8]) -> Result<Vec<u8>, Silence> {
    match service {
        // The packet does not say who is asked for.
        Service::Neighbour(_) => Err(Silence::NotAsked),
        Service::Dhcp4(service) => dhcp4::answer(service, packet),
        Service::Dhcp6(service) => dhcp6::answer(service, packet),
        Service::Advertisement(service) => advertisement::answer(service, packet),
        // Who answers it needs names.
        Service::Dns { .. } => Err(Silence::Userdata),
        Service::IcmpError(service) => icmp_error::answer(service, packet),
    }
}

/// A router advertisement to everybody on the link that nobody asked for (RFC 4861 section 6.2.4), from the userdata
/// with which it would be answered; `None` when that is about something else.
pub fn unsolicited(userdata: &[u8]) -> Option<Vec<u8>> {
    match Service::decode(userdata)? {
        Service::Advertisement(service) => Some(advertisement::to_everybody(&service)),
        _ => None,
    }
}
