//! Answers to packets that switches send up: DHCP, DHCPv6, router advertisements, ICMP errors.
//!
//! A flow's `controller(userdata=...)` carries what the answer is made of ([`Service`]), so whoever gets the packet can
//! answer it ([`answer`]) without a model, a lease or any other state: the same question has the same answer, today and
//! after a restart.

mod advertisement;
mod announcement;
mod dhcp4;
mod dhcp6;
mod frame;
#[doc(hidden)]
pub mod fuzz;
mod icmp_error;
pub mod options;
pub mod userdata;

pub use announcement::Announcement;
pub use frame::Mac;
pub use options::{DomainName, Options4, Options6};
pub use userdata::{Advertisement, Dhcp4, Dhcp6, IcmpError, Managed, Prefix, Service, Trouble};

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

/// The frame to send back to where the packet came from.
///
/// # Errors
/// [`Silence`] when nothing is to be sent.
pub fn answer(userdata: &[u8], packet: &[u8]) -> Result<Vec<u8>, Silence> {
    match Service::decode(userdata).ok_or(Silence::Userdata)? {
        Service::Dhcp4(service) => dhcp4::answer(&service, packet),
        Service::Dhcp6(service) => dhcp6::answer(&service, packet),
        Service::Advertisement(service) => advertisement::answer(&service, packet),
        Service::IcmpError(service) => icmp_error::answer(&service, packet),
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
