//! Answers: from what is known, or from what another server said.

use std::net::IpAddr;

use domain::base::iana::{OptRcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, AnswerBuilder, PushError};
use domain::base::{Message, MessageBuilder, Name, Serial, StaticCompressor, Ttl};
use domain::rdata::{A, Aaaa, Ptr, Soa};

use super::question::{Kind, Question};
use super::{MOST_DATAGRAM, Reading};

/// For how many seconds an answer may be kept, also that there is nothing. Ports come and go.
const TTL: Ttl = Ttl::from_secs(10);
/// The longest message over TCP that is made here or handed on.
const MOST_STREAM: usize = 16 << 10;

/// What the asker may know of what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The name has these addresses, of both families; it may have none.
    Addresses {
        /// The domain that it is in.
        domain: String,
        /// All of them.
        addresses: Vec<IpAddr>,
    },
    /// The address has this name.
    Name(String),
    /// There is no such name.
    Nothing {
        /// The domain that would have it, if one speaks for it.
        domain: Option<String>,
    },
}

/// Why there is no answer (RFC 1035 section 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rcode {
    /// No server could be reached.
    ServFail,
    /// Nobody may be asked.
    Refused,
}

type Builder = StaticCompressor<Vec<u8>>;

impl Question {
    /// The answer from what is known, in at most so many bytes; one that has no room says so instead.
    pub fn answer(&self, found: &Found, room: usize) -> Vec<u8> {
        match self.write(found) {
            Ok(message) if message.len() <= room => message,
            _ => self.cut_short(),
        }
    }

    /// That there is none.
    pub fn refused(&self, rcode: Rcode) -> Vec<u8> {
        let rcode = match rcode {
            Rcode::ServFail => OptRcode::SERVFAIL,
            Rcode::Refused => OptRcode::REFUSED,
        };
        self.short(rcode)
    }

    /// An unknown version of EDNS (RFC 6891 section 6.1.3).
    pub(super) fn bad_version(&self) -> Vec<u8> {
        self.short(OptRcode::BADVERS)
    }

    /// The most that an answer may measure over TCP, in bytes.
    pub fn room_in_stream(&self) -> usize {
        MOST_STREAM
    }

    fn write(&self, found: &Found) -> Result<Vec<u8>, PushError> {
        let is_nothing = matches!(found, Found::Nothing { .. });
        let rcode = if is_nothing { OptRcode::NXDOMAIN } else { OptRcode::NOERROR };
        let mut answer = self.begin(rcode)?;
        answer.header_mut().set_aa(true);
        let mut wanted = 0;
        let domain = match found {
            Found::Addresses { domain, addresses } => {
                for address in addresses {
                    match (address, self.kind()) {
                        (IpAddr::V4(ip), Kind::A | Kind::Any) => {
                            answer.push((&self.name, TTL, A::new(*ip)))?;
                        }
                        (IpAddr::V6(ip), Kind::Aaaa | Kind::Any) => {
                            answer.push((&self.name, TTL, Aaaa::new(*ip)))?;
                        }
                        _ => continue,
                    }
                    wanted += 1;
                }
                Some(domain)
            }
            Found::Name(name) => {
                if let (Ok(name), Kind::Ptr | Kind::Any) = (Name::vec_from_str(name), self.kind()) {
                    answer.push((&self.name, TTL, Ptr::new(name)))?;
                    wanted += 1;
                }
                None
            }
            Found::Nothing { domain } => domain.as_ref(),
        };
        let domain = domain.filter(|_| wanted == 0).and_then(|domain| Name::vec_from_str(domain).ok());
        let mut additional = match domain {
            None => answer.additional(),
            Some(domain) if self.rtype == Rtype::SOA && self.name == domain => {
                let record = authority(&domain)?;
                answer.push((&domain, TTL, record))?;
                answer.additional()
            }
            Some(domain) => {
                let mut authorities = answer.authority();
                authorities.push((&domain, TTL, authority(&domain)?))?;
                authorities.additional()
            }
        };
        self.end(&mut additional, rcode)?;
        Ok(additional.finish().into_target())
    }

    /// A header, the question, and what EDNS asks for.
    fn short(&self, rcode: OptRcode) -> Vec<u8> {
        let written = self.begin(rcode).and_then(|answer| {
            let mut additional = answer.additional();
            self.end(&mut additional, rcode)?;
            Ok(additional.finish().into_target())
        });
        written.expect("a question has room")
    }

    /// That the answer is too long for a datagram (RFC 2181 section 9).
    pub(super) fn cut_short(&self) -> Vec<u8> {
        let mut message = self.short(OptRcode::NOERROR);
        domain::base::Header::for_message_slice_mut(&mut message).set_tc(true);
        message
    }

    fn begin(&self, rcode: OptRcode) -> Result<AnswerBuilder<Builder>, PushError> {
        let mut builder = MessageBuilder::from_target(StaticCompressor::new(Vec::with_capacity(512)))
            .map_err(|_| PushError::ShortBuf)?;
        let header = builder.header_mut();
        header.set_id(self.id);
        header.set_qr(true);
        header.set_rd(self.is_recursive);
        header.set_ra(true);
        header.set_cd(self.flags.disabled);
        header.set_rcode(rcode.rcode());
        let mut builder = builder.question();
        builder.push((&self.name, self.rtype))?;
        Ok(builder.answer())
    }

    fn end(&self, additional: &mut AdditionalBuilder<Builder>, rcode: OptRcode) -> Result<(), PushError> {
        let Some(edns) = self.edns else { return Ok(()) };
        additional.opt(|opt| {
            opt.set_udp_payload_size(u16::try_from(MOST_DATAGRAM).expect("below 64 KiB"));
            opt.set_dnssec_ok(edns.dnssec);
            opt.set_rcode(rcode);
            Ok(())
        })
    }
}

/// Who speaks for a domain: its number never changes, because nobody copies it (RFC 1035 section 3.3.13).
fn authority(domain: &Name<Vec<u8>>) -> Result<Soa<Name<Vec<u8>>>, PushError> {
    let under = |label: &str| {
        Name::vec_from_str(&format!("{label}.{domain}")).or_else(|_| Name::vec_from_str(&domain.to_string()))
    };
    let (Ok(server), Ok(person)) = (under("ns"), under("hostmaster")) else {
        return Err(PushError::ShortBuf);
    };
    let often = Ttl::from_secs(3600);
    Ok(Soa::new(server, person, Serial(1), often, often, Ttl::from_secs(86_400), TTL))
}

/// Another server's answer as ours, if it is one to what was asked under this number; in at most so many bytes.
pub fn relayed(question: &Question, asked_as: u16, answer: &[u8], room: usize) -> Option<Vec<u8>> {
    let message = Message::from_slice(answer).ok()?;
    let header = message.header();
    let asked = message.sole_question().ok()?;
    let is_ours = header.qr()
        && header.id() == asked_as
        && asked.qtype() == question.rtype
        && asked.qclass() == domain::base::iana::Class::IN
        && asked.qname() == &question.name;
    if !is_ours || message.additional().is_err() {
        return None;
    }
    if header.tc() || answer.len() > room {
        return Some(question.cut_short());
    }
    let mut answer = answer.to_vec();
    let header = domain::base::Header::for_message_slice_mut(&mut answer);
    header.set_id(question.id);
    header.set_rd(question.is_recursive);
    header.set_ra(true);
    Some(answer)
}

impl Reading {
    /// The question, if it is one.
    pub fn question(self) -> Option<Question> {
        if let Reading::Question(question) = self { Some(question) } else { None }
    }
}
