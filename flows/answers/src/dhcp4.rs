//! DHCP (RFC 2131): a server that knows one address for the one client it hears, and keeps no leases.

use std::net::Ipv4Addr;

use crate::Silence;
use crate::frame::{Datagram, End, Mac, udp4, udp4_frame};
use crate::options::{code4, list4};
use crate::userdata::Dhcp4;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Fixed fields, up to the magic cookie (RFC 2131 section 2).
const FIXED: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Old clients take nothing shorter (RFC 951 asks for 64 bytes of vendor area).
const SHORTEST: usize = 300;
const BOOT_REQUEST: u8 = 1;
const BOOT_REPLY: u8 = 2;
/// Ethernet and the length of its addresses.
const HARDWARE: [u8; 2] = [1, 6];
const BROADCAST_FLAG: u8 = 0x80;

const PAD: u8 = 0;
const REQUESTED_ADDRESS: u8 = 50;
const MESSAGE_TYPE: u8 = 53;
const SERVER: u8 = 54;
const CLIENT: u8 = 61;
const END: u8 = 255;

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;
const INFORM: u8 = 8;

/// The answer to a client's message, if it deserves one.
pub(crate) fn answer(service: &Dhcp4, packet: &[u8]) -> Result<Vec<u8>, Silence> {
    let datagram = udp4(packet, SERVER_PORT)?;
    let question = Question::read(&datagram)?;
    let kind = question.verdict(service).ok_or(Silence::NotAsked)?;
    let message = question.reply(service, kind);
    let (mac, ip) = question.destination(service, kind);
    let from = End { mac: service.server_mac, ip: service.server, port: SERVER_PORT };
    Ok(udp4_frame(from, End { mac, ip, port: CLIENT_PORT }, &message))
}

/// What a client wants.
struct Question<'a> {
    kind: u8,
    transaction: [u8; 4],
    flags: [u8; 2],
    /// The address that it has and uses (`ciaddr`).
    current: Ipv4Addr,
    mac: Mac,
    /// The address that it would like to have.
    requested: Option<Ipv4Addr>,
    /// The server that it has chosen.
    server: Option<Ipv4Addr>,
    /// Its name for itself, to be given back (RFC 6842).
    client: Option<&'a [u8]>,
}

impl<'a> Question<'a> {
    fn read(datagram: &Datagram<'a, Ipv4Addr>) -> Result<Question<'a>, Silence> {
        let (fixed, rest) = datagram.payload.split_at_checked(FIXED).ok_or(Silence::Packet)?;
        let options = rest.strip_prefix(&COOKIE).ok_or(Silence::Packet)?;
        if fixed[0] != BOOT_REQUEST || fixed[1..3] != HARDWARE {
            return Err(Silence::Packet);
        }
        let relayed = fixed[24..28] != [0; 4];
        let part = |at: usize| [fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]];
        let mac = Mac([fixed[28], fixed[29], fixed[30], fixed[31], fixed[32], fixed[33]]);
        // The flow knows the sender by its Ethernet address; the message must not ask for somebody else.
        if relayed || mac != datagram.from_mac {
            return Err(Silence::NotAsked);
        }
        let (transaction, current) = (part(4), Ipv4Addr::from(part(12)));
        let mut question = Question {
            kind: 0,
            transaction,
            flags: [fixed[10], fixed[11]],
            current,
            mac,
            requested: None,
            server: None,
            client: None,
        };
        question.read_options(options)?;
        Ok(question)
    }

    fn read_options(&mut self, options: &'a [u8]) -> Result<(), Silence> {
        let address = |value: &[u8]| Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?));
        for option in unpadded(options) {
            let (code, value) = option.map_err(|()| Silence::Packet)?;
            match code {
                MESSAGE_TYPE => self.kind = *value.first().ok_or(Silence::Packet)?,
                REQUESTED_ADDRESS => self.requested = address(value),
                SERVER => self.server = address(value),
                CLIENT => self.client = Some(value),
                _ => {}
            }
        }
        Ok(())
    }

    /// Which kind of message answers it, if any (RFC 2131 section 4.3).
    fn verdict(&self, service: &Dhcp4) -> Option<u8> {
        let is_for_us = self.server.is_none_or(|server| server == service.server);
        match self.kind {
            DISCOVER => Some(OFFER),
            REQUEST if is_for_us => {
                // Selecting and rebooting name the address as a wish, renewing and rebinding as the one they have.
                let wanted = self.requested.unwrap_or(self.current);
                Some(if wanted == service.address { ACK } else { NAK })
            }
            INFORM if self.current == service.address => Some(ACK),
            // Somebody else was chosen, or the client declines or releases what it will be given again.
            _ => None,
        }
    }

    fn reply(&self, service: &Dhcp4, kind: u8) -> Vec<u8> {
        let mut out = vec![0; FIXED];
        out[0] = BOOT_REPLY;
        out[1..3].copy_from_slice(&HARDWARE);
        out[4..8].copy_from_slice(&self.transaction);
        out[10..12].copy_from_slice(&self.flags);
        if kind != NAK {
            out[12..16].copy_from_slice(&if kind == OFFER { [0; 4] } else { self.current.octets() });
        }
        // Who only informs itself is given no address (RFC 2131 section 4.3.5).
        if kind == OFFER || (kind == ACK && self.kind == REQUEST) {
            out[16..20].copy_from_slice(&service.address.octets());
        }
        out[28..34].copy_from_slice(&self.mac.0);
        out.extend(COOKIE);
        put(&mut out, MESSAGE_TYPE, &[kind]);
        put(&mut out, SERVER, &service.server.octets());
        if kind != NAK {
            let is_informed = self.kind == INFORM;
            for (code, value) in service.options.each() {
                if !(is_informed && code == code4::LEASE) {
                    put(&mut out, code, value);
                }
            }
        }
        if let Some(client) = self.client {
            put(&mut out, CLIENT, client);
        }
        out.push(END);
        out.resize(out.len().max(SHORTEST), PAD);
        out
    }

    /// Where the answer goes (RFC 2131 section 4.1): a client that has an address gets it there, one that has none gets
    /// it at the new one if it can.
    fn destination(&self, service: &Dhcp4, kind: u8) -> (Mac, Ipv4Addr) {
        let wants_broadcast = self.flags[0] & BROADCAST_FLAG != 0;
        if kind == NAK || (self.current.is_unspecified() && wants_broadcast) {
            (Mac::BROADCAST, Ipv4Addr::BROADCAST)
        } else if self.current.is_unspecified() {
            (self.mac, service.address)
        } else {
            (self.mac, self.current)
        }
    }
}

/// The options up to the end, without padding.
fn unpadded(options: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8]), ()>> {
    let mut rest = options;
    std::iter::from_fn(move || {
        while let [PAD, more @ ..] = rest {
            rest = more;
        }
        if rest.first() == Some(&END) {
            return None;
        }
        let option = list4(rest).next()?;
        rest = option.map_or(&[][..], |(_, value)| rest.get(2 + value.len()..).unwrap_or_default());
        Some(option)
    })
}

fn put(out: &mut Vec<u8>, code: u8, value: &[u8]) {
    out.push(code);
    out.push(u8::try_from(value.len()).expect("options were read with one byte of length"));
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests;
