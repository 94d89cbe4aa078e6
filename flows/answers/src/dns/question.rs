//! A DNS question as it came: who is asked for, and how the answer may look.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::{Header, Message, MessageBuilder, Name, ToName};

use super::MOST_DATAGRAM;

/// The shortest datagram that every asker takes (RFC 1035 section 4.2.1).
const SMALLEST_ROOM: u16 = 512;

/// A question that can be answered or handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub(super) id: u16,
    pub(super) is_recursive: bool,
    pub(super) flags: Checking,
    pub(super) name: Name<Vec<u8>>,
    pub(super) rtype: Rtype,
    pub(super) edns: Option<Edns>,
}

/// What an asker thinks of DNSSEC, in the header (RFC 4035 section 3.2, RFC 6840 section 5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checking {
    pub disabled: bool,
    pub authentic: bool,
}

/// What an asker says beyond the header (RFC 6891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edns {
    pub size: u16,
    pub dnssec: bool,
}

/// Which records a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Addresses of IPv4.
    A,
    /// Addresses of IPv6.
    Aaaa,
    /// The name of an address.
    Ptr,
    /// Whatever there is.
    Any,
    /// Anything else.
    Other,
}

/// What a message turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A question.
    Question(Question),
    /// Something that is refused with this message.
    Refused(Vec<u8>),
    /// Nothing that is to be answered.
    Nothing,
}

impl Question {
    /// Reads a message.
    pub fn read(message: &[u8]) -> Reading {
        let Ok(message) = Message::from_slice(message) else { return Reading::Nothing };
        let header = message.header();
        if header.qr() {
            return Reading::Nothing;
        }
        if header.opcode() != Opcode::QUERY {
            return Reading::Refused(bare(header, Rcode::NOTIMP));
        }
        let malformed = || Reading::Refused(bare(header, Rcode::FORMERR));
        let Ok(asked) = message.sole_question() else { return malformed() };
        if message.additional().is_err() {
            return malformed();
        }
        let Some(name) = plain(asked.qname()) else { return malformed() };
        let opt = message.opt();
        let edns = opt.as_ref().map(|opt| Edns { size: opt.udp_payload_size(), dnssec: opt.dnssec_ok() });
        let question = Question {
            id: header.id(),
            is_recursive: header.rd(),
            flags: Checking { disabled: header.cd(), authentic: header.ad() },
            name,
            rtype: asked.qtype(),
            edns,
        };
        if opt.is_some_and(|opt| opt.version() != 0) {
            return Reading::Refused(question.bad_version());
        }
        // Transfers of zones are for servers (RFC 5936); other classes than the Internet's have nothing here.
        if asked.qclass() != Class::IN || question.rtype == Rtype::AXFR || question.rtype == Rtype::IXFR {
            return Reading::Refused(question.refused(super::Rcode::Refused));
        }
        Reading::Question(question)
    }

    /// The name that is asked for, without a dot at the end; the root is empty.
    pub fn name(&self) -> String {
        self.name.to_string()
    }

    /// The type that is asked for, by its number (RFC 1035 section 3.2.2).
    pub fn number(&self) -> u16 {
        self.rtype.to_int()
    }

    /// Which records it is about.
    pub fn kind(&self) -> Kind {
        match self.rtype {
            Rtype::A => Kind::A,
            Rtype::AAAA => Kind::Aaaa,
            Rtype::PTR => Kind::Ptr,
            Rtype::ANY => Kind::Any,
            _ => Kind::Other,
        }
    }

    /// The address whose name stands under the name that is asked for (RFC 1035 section 3.5, RFC 3596 section 2.5).
    pub fn address(&self) -> Option<IpAddr> {
        let name = self.name().to_ascii_lowercase();
        if let Some(v4) = name.strip_suffix(".in-addr.arpa") {
            let parts: Vec<u8> = v4.split('.').map(decimal).collect::<Option<_>>()?;
            let [d, c, b, a] = parts.try_into().ok()?;
            return Some(Ipv4Addr::new(a, b, c, d).into());
        }
        let nibbles = name.strip_suffix(".ip6.arpa")?.split('.').rev();
        let (mut value, mut count) = (0_u128, 0);
        for nibble in nibbles {
            let digit = u8::from_str_radix(nibble, 16).ok().filter(|_| nibble.len() == 1)?;
            (value, count) = (value << 4 | u128::from(digit), count + 1);
            if count > 32 {
                return None;
            }
        }
        (count == 32).then(|| Ipv6Addr::from(value).into())
    }

    /// How long a datagram with the answer may be, in bytes.
    pub fn room(&self) -> usize {
        let size = self.edns.map_or(SMALLEST_ROOM, |edns| edns.size.max(SMALLEST_ROOM));
        usize::from(size).min(MOST_DATAGRAM)
    }

    /// The same question to another server, under a number of its own.
    pub fn onward(&self, id: u16) -> Vec<u8> {
        let mut builder = MessageBuilder::new_vec();
        let header = builder.header_mut();
        header.set_id(id);
        header.set_rd(true);
        header.set_cd(self.flags.disabled);
        header.set_ad(self.flags.authentic);
        let mut builder = builder.question();
        builder.push((&self.name, self.rtype)).expect("one name has room");
        let mut builder = builder.additional();
        if let Some(edns) = self.edns {
            let size = u16::try_from(self.room()).expect("a datagram is shorter");
            let opt = builder.opt(|opt| {
                opt.set_udp_payload_size(size);
                opt.set_dnssec_ok(edns.dnssec);
                Ok(())
            });
            opt.expect("an option has room");
        }
        builder.finish()
    }
}

/// One part of an address, without a sign or a leading nought.
fn decimal(part: &str) -> Option<u8> {
    let is_plain = part.len() == 1 || !part.starts_with('0');
    part.parse().ok().filter(|_| is_plain && part.bytes().all(|b| b.is_ascii_digit()))
}

/// The name in one piece, wherever its parts stood in the message.
fn plain(name: &impl ToName) -> Option<Name<Vec<u8>>> {
    name.try_to_name::<Vec<u8>>().ok()
}

/// A refusal of something whose question is not understood.
fn bare(header: Header, rcode: Rcode) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    let own = builder.header_mut();
    own.set_id(header.id());
    own.set_qr(true);
    own.set_opcode(header.opcode());
    own.set_rd(header.rd());
    own.set_rcode(rcode);
    builder.finish()
}
