//! DNS (RFC 1035) at the resolver address of a network: questions read, answers written, over UDP and TCP.
//!
//! What a name leads to is not here: whoever asks for an answer says it ([`Found`]), because no flow can carry all names of
//! a network. Everything else follows from the packet alone, TCP too ([`hear`]): its sequence numbers are made from the
//! addresses, so nothing is remembered between a handshake and its question.

mod carrier;
mod question;
mod reply;
#[cfg(test)]
mod tests;

pub use carrier::{Call, Heard, MOST_QUESTIONS, hear};
pub use question::{Kind, Question, Reading};
pub use reply::{Found, Rcode, relayed};

/// The port of resolvers (RFC 1035 section 4.2).
pub const PORT: u16 = 53;
/// The longest message that is sent in one datagram: one that no link takes apart (DNS flag day 2020).
pub const MOST_DATAGRAM: usize = 1232;
