//! DHCPv6 (RFC 8415): a server that knows the addresses of the one client it hears, and keeps no leases.

use std::net::Ipv6Addr;

use crate::Silence;
use crate::frame::{End, Mac, udp6, udp6_frame};
use crate::options::{list6, put6};
use crate::userdata::Dhcp6;

const SERVER_PORT: u16 = 547;
const CLIENT_PORT: u16 = 546;
/// For how many seconds an address may be used, and from when on a client asks again; nothing changes when it does, but
/// what it is told may have.
const LIFETIME: u32 = 86_400;
const RENEW: u32 = LIFETIME / 2;
const REBIND: u32 = LIFETIME / 5 * 4;
/// Most identity associations of one message that are looked at.
const ASSOCIATIONS: usize = 8;

// Messages (RFC 8415 section 7.3).
const SOLICIT: u8 = 1;
const ADVERTISE: u8 = 2;
const REQUEST: u8 = 3;
const CONFIRM: u8 = 4;
const RENEWAL: u8 = 5;
const REBINDING: u8 = 6;
const REPLY: u8 = 7;
const RELEASE: u8 = 8;
const DECLINE: u8 = 9;
const INFORMATION_REQUEST: u8 = 11;

// Options (RFC 8415 section 21).
const CLIENT_ID: u16 = 1;
const SERVER_ID: u16 = 2;
const IA_NA: u16 = 3;
const IA_TA: u16 = 4;
const IA_ADDRESS: u16 = 5;
const STATUS: u16 = 13;
const RAPID_COMMIT: u16 = 14;
const IA_PD: u16 = 25;
const REFRESH_TIME: u16 = 32;

// Status codes (RFC 8415 section 21.13).
const SUCCESS: u16 = 0;
const NO_ADDRESSES: u16 = 2;
const NOT_ON_LINK: u16 = 4;
const NO_PREFIXES: u16 = 6;

/// A DUID is at most 128 bytes and its type (RFC 8415 section 11.1).
const DUID: usize = 130;

/// The answer to a client's message, if it deserves one.
pub(crate) fn answer(service: &Dhcp6, packet: &[u8]) -> Result<Vec<u8>, Silence> {
    let datagram = udp6(packet, SERVER_PORT)?;
    if datagram.from.is_unspecified() || datagram.from.is_multicast() {
        return Err(Silence::Packet);
    }
    let question = Question::read(datagram.payload)?;
    let message = question.reply(service).ok_or(Silence::NotAsked)?;
    let from = End { mac: service.server_mac, ip: service.server_mac.link_local(), port: SERVER_PORT };
    let to = End { mac: datagram.from_mac, ip: datagram.from, port: CLIENT_PORT };
    Ok(udp6_frame(from, to, &message))
}

/// What a client wants.
struct Question<'a> {
    kind: u8,
    transaction: [u8; 3],
    client: Option<&'a [u8]>,
    server: Option<&'a [u8]>,
    is_rapid: bool,
    associations: Vec<Association>,
}

/// Addresses or prefixes that a client names together.
struct Association {
    kind: u16,
    id: [u8; 4],
    addresses: Vec<Ipv6Addr>,
}

impl<'a> Question<'a> {
    fn read(message: &'a [u8]) -> Result<Question<'a>, Silence> {
        let ([kind, transaction @ ..], options) = message.split_first_chunk::<4>().ok_or(Silence::Packet)?;
        let mut question = Question {
            kind: *kind,
            transaction: *transaction,
            client: None,
            server: None,
            is_rapid: false,
            associations: Vec::new(),
        };
        // Relays have another header; we are asked by clients only.
        if *kind > INFORMATION_REQUEST {
            return Err(Silence::NotAsked);
        }
        for option in list6(options) {
            let (code, value) = option.map_err(|()| Silence::Packet)?;
            match code {
                CLIENT_ID | SERVER_ID if !(3..=DUID).contains(&value.len()) => return Err(Silence::Packet),
                CLIENT_ID => question.client = Some(value),
                SERVER_ID => question.server = Some(value),
                RAPID_COMMIT => question.is_rapid = true,
                IA_NA | IA_TA | IA_PD if question.associations.len() < ASSOCIATIONS => {
                    question.associations.push(Association::read(code, value)?);
                }
                _ => {}
            }
        }
        Ok(question)
    }

    /// The whole answer (RFC 8415 section 18.3), unless the message is for another server or not for servers.
    fn reply(&self, service: &Dhcp6) -> Option<Vec<u8>> {
        let duid = duid(service.server_mac);
        let names_us = self.server == Some(&duid[..]);
        // Section 16: who must name a server must name us, who must not must not.
        let is_for_us = match self.kind {
            SOLICIT | CONFIRM | REBINDING => self.server.is_none(),
            REQUEST | RENEWAL | RELEASE | DECLINE => names_us,
            INFORMATION_REQUEST => self.server.is_none() || names_us,
            _ => false,
        };
        if !is_for_us || (self.client.is_none() && self.kind != INFORMATION_REQUEST) {
            return None;
        }
        let is_committed = self.kind == SOLICIT && self.is_rapid && !service.addresses.is_empty();
        let kind = if self.kind == SOLICIT && !is_committed { ADVERTISE } else { REPLY };
        let [a, b, c] = self.transaction;
        let mut out = vec![kind, a, b, c];
        put6(&mut out, SERVER_ID, &duid);
        if let Some(client) = self.client {
            put6(&mut out, CLIENT_ID, client);
        }
        if is_committed {
            put6(&mut out, RAPID_COMMIT, &[]);
        }
        self.give(service, &mut out)?;
        Some(out)
    }

    /// What the message is about.
    fn give(&self, service: &Dhcp6, out: &mut Vec<u8>) -> Option<()> {
        match self.kind {
            CONFIRM => {
                let mut named = self.associations.iter().flat_map(|ia| &ia.addresses).peekable();
                // Nothing to be said about nothing (section 18.3.3).
                named.peek()?;
                let is_right = named.all(|address| service.addresses.contains(address));
                put_status(out, if is_right { SUCCESS } else { NOT_ON_LINK });
                return Some(());
            }
            RELEASE | DECLINE => {
                put_status(out, SUCCESS);
                return Some(());
            }
            INFORMATION_REQUEST => put6(out, REFRESH_TIME, &LIFETIME.to_be_bytes()),
            _ => {
                let mut addresses = Some(&service.addresses[..]).filter(|addresses| !addresses.is_empty());
                for association in &self.associations {
                    // The first one gets all there is.
                    let given = if association.kind == IA_NA { addresses.take() } else { None };
                    association.answer(given.unwrap_or_default(), out);
                }
            }
        }
        out.extend_from_slice(service.options.as_bytes());
        Some(())
    }
}

impl Association {
    fn read(kind: u16, value: &[u8]) -> Result<Association, Silence> {
        let (id, rest) = value.split_first_chunk::<4>().ok_or(Silence::Packet)?;
        // Temporary addresses have no times (section 21.5).
        let times = if kind == IA_TA { 0 } else { 8 };
        let options = rest.get(times..).ok_or(Silence::Packet)?;
        let mut addresses = Vec::new();
        for option in list6(options).take(crate::userdata::MAX_LIST) {
            let (code, value) = option.map_err(|()| Silence::Packet)?;
            if code == IA_ADDRESS {
                let (address, _) = value.split_first_chunk::<16>().ok_or(Silence::Packet)?;
                addresses.push(Ipv6Addr::from(*address));
            }
        }
        Ok(Association { kind, id: *id, addresses })
    }

    /// Gives these addresses; those that the client names besides, it shall no longer use (section 18.3.4).
    fn answer(&self, given: &[Ipv6Addr], out: &mut Vec<u8>) {
        let mut body = self.id.to_vec();
        if self.kind != IA_TA {
            let [renew, rebind] = if given.is_empty() { [0; 2] } else { [RENEW, REBIND] };
            body.extend(renew.to_be_bytes());
            body.extend(rebind.to_be_bytes());
        }
        for address in given {
            put_address(&mut body, *address, LIFETIME);
        }
        for address in self.addresses.iter().filter(|address| !given.contains(address)) {
            put_address(&mut body, *address, 0);
        }
        if given.is_empty() {
            put_status(&mut body, if self.kind == IA_PD { NO_PREFIXES } else { NO_ADDRESSES });
        }
        put6(out, self.kind, &body);
    }
}

/// An address with its preferred and valid lifetime (section 21.6).
fn put_address(out: &mut Vec<u8>, address: Ipv6Addr, lifetime: u32) {
    let mut body = address.octets().to_vec();
    body.extend(lifetime.to_be_bytes());
    body.extend(lifetime.to_be_bytes());
    put6(out, IA_ADDRESS, &body);
}

fn put_status(out: &mut Vec<u8>, status: u16) {
    put6(out, STATUS, &status.to_be_bytes());
}

/// The server's DUID: its link-layer address, with type and hardware (section 11.4).
fn duid(mac: Mac) -> [u8; 10] {
    let [a, b, c, d, e, f] = mac.0;
    [0, 3, 0, 1, a, b, c, d, e, f]
}

#[cfg(test)]
mod tests;
