//! The ports of a switch, as port descriptions, statistics and status messages tell them (OpenFlow 1.5 section 7.2.1).

use std::collections::BTreeMap;

use super::PORT_STATUS;
use super::wire::{message, patch_length};

/// The switch's own port.
pub const LOCAL: u32 = 0xffff_fffe;
/// Every port, or any.
pub const ANY_PORT: u32 = 0xffff_ffff;

/// Why a port's status is told (`ofp_port_reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortEvent {
    /// It came.
    Added = 0,
    /// It went.
    Deleted = 1,
}

/// The ports by number, with the bridge's own.
#[derive(Debug, Default)]
pub struct Ports {
    names: BTreeMap<u32, Box<str>>,
    /// Low bits of the datapath id: they make the MAC addresses differ between switches.
    salt: u32,
}

impl Ports {
    /// A bridge with nothing but its own port.
    pub fn of_bridge(name: &str, datapath_id: u64) -> Ports {
        Ports { names: BTreeMap::from([(LOCAL, name.into())]), salt: datapath_id as u32 }
    }

    /// A port comes.
    pub fn add(&mut self, number: u32, name: &str) {
        self.names.insert(number, name.into());
    }

    /// A port goes; false when it was not there.
    pub fn remove(&mut self, number: u32) -> Option<Box<str>> {
        self.names.remove(&number)
    }

    /// The ports that a request is about.
    pub fn asked(&self, number: u32) -> Vec<u32> {
        let all = self.names.keys().copied();
        all.filter(|port| number == ANY_PORT || *port == number).collect()
    }

    /// Writes `ofp_port`.
    pub fn write_description(&self, number: u32, out: &mut Vec<u8>) {
        let mark = out.len();
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        let salt = self.salt.to_be_bytes();
        let [.., high, low] = number.to_be_bytes();
        out.extend_from_slice(&[0x02, salt[1], salt[2], salt[3], high, low, 0, 0]);
        let mut name = [0; 16];
        let text = self.names.get(&number).map_or(&b""[..], |name| name.as_bytes());
        let length = text.len().min(15);
        name[..length].copy_from_slice(&text[..length]);
        out.extend_from_slice(&name);
        // A bridge's own port is down until somebody sets it up; the others are up.
        let (config, state) = if number == LOCAL { (1u32, 1u32) } else { (0, 4) };
        out.extend_from_slice(&config.to_be_bytes());
        out.extend_from_slice(&state.to_be_bytes());
        // One property: Ethernet, with nothing known.
        out.extend_from_slice(&[0, 0, 0, 32]);
        out.extend_from_slice(&[0; 28]);
        patch_length(out, mark + 4, mark);
    }

    /// Writes `ofp_port_stats` without any traffic.
    pub fn write_statistics(&self, number: u32, out: &mut Vec<u8>) {
        let mark = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&[0; 72]);
        // One property: Ethernet.
        out.extend_from_slice(&[0, 0, 0, 40]);
        out.extend_from_slice(&[0; 36]);
        patch_length(out, mark, mark);
    }

    /// Writes the message that tells of a port.
    pub fn write_status(&self, event: PortEvent, number: u32, out: &mut Vec<u8>) {
        message(out, PORT_STATUS, 0, |out| {
            out.extend_from_slice(&[event as u8, 0, 0, 0, 0, 0, 0, 0]);
            self.write_description(number, out);
        });
    }

    /// About how many bytes they take on the heap.
    pub fn resident_bytes(&self) -> usize {
        self.names.values().map(|name| name.len() + 16 + 24).sum()
    }
}
