//! Cookies: whose flow this is, and a hash of what it says.
//!
//! Bits 63..60 are the kind of owner, 59..32 its number, 31..0 a hash of the flow's table, priority, match and
//! instructions. A cookie is the same after every restart, so a switch is compared with what is wanted by place and
//! cookie alone, and a flow seen on any switch leads back to the object that it exists for.

use std::fmt;

use weft_model::{HostIndex, PortKey, Vni};
use xxhash_rust::xxh3::Xxh3;

use crate::owner::Owner;

const KIND_NETWORK: u64 = 1;
const KIND_PORT: u64 = 2;
const KIND_HOST_BASE: u64 = 3;
const KIND_LOCAL_FLOOD: u64 = 4;
const KIND_LOCAL_PORT: u64 = 5;

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(pub u64);

/// What a cookie says about the flow that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A network, see [`Owner::Network`].
    Network(Vni),
    /// A port as all member hosts know it, see [`Owner::Port`].
    Port(PortKey),
    /// A host, see [`Owner::HostBase`].
    HostBase(HostIndex),
    /// A network's flooding on the switch itself, see [`Owner::LocalFlood`].
    LocalFlood(Vni),
    /// A port on the switch itself, see [`Owner::LocalPort`].
    LocalPort(PortKey),
}

impl Cookie {
    /// The cookie of a flow: its owner, and what it is made of.
    pub fn of(owner: Owner, table: u8, priority: u16, content: Content<'_>) -> Cookie {
        let (kind, id) = match owner {
            Owner::Network(vni) => (KIND_NETWORK, vni.get()),
            Owner::Port(_, key) => (KIND_PORT, key.get()),
            Owner::HostBase(host) => (KIND_HOST_BASE, u32::from(host.get())),
            Owner::LocalFlood(_, vni) => (KIND_LOCAL_FLOOD, vni.get()),
            Owner::LocalPort(_, key) => (KIND_LOCAL_PORT, key.get()),
        };
        let mut hash = Xxh3::new();
        hash.update(&[table]);
        hash.update(&priority.to_be_bytes());
        // The length keeps a match's last bytes from being taken for the first instruction's.
        hash.update(&(content.match_bytes.len() as u64).to_be_bytes());
        hash.update(content.match_bytes);
        hash.update(content.instructions);
        let digest = hash.digest();
        Cookie(kind << 60 | u64::from(id) << 32 | (digest >> 32 ^ digest) & 0xffff_ffff)
    }

    /// Whose flow this is; `None` for a cookie that is not ours.
    pub fn describe(self) -> Option<Subject> {
        let id = u32::try_from(self.0 >> 32 & 0x0fff_ffff).ok()?;
        match self.0 >> 60 {
            KIND_NETWORK => Vni::new(id).map(Subject::Network),
            KIND_PORT => PortKey::new(id).map(Subject::Port),
            KIND_HOST_BASE => HostIndex::new(id).map(Subject::HostBase),
            KIND_LOCAL_FLOOD => Vni::new(id).map(Subject::LocalFlood),
            KIND_LOCAL_PORT => PortKey::new(id).map(Subject::LocalPort),
            _ => None,
        }
    }
}

/// What a flow is made of, besides its place.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The canonical match.
    pub match_bytes: &'a [u8],
    /// The canonical instructions.
    pub instructions: &'a [u8],
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Network(vni) => write!(f, "network {vni}"),
            Subject::Port(key) => write!(f, "port {key}"),
            Subject::HostBase(host) => write!(f, "host {host}"),
            Subject::LocalFlood(vni) => write!(f, "flooding of network {vni} on this host"),
            Subject::LocalPort(key) => write!(f, "port {key} on this host"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_names_its_owner_and_depends_on_every_part() {
        let (vni, key) = (Vni::MAX, PortKey::MAX);
        let host = HostIndex::MAX;
        let base = Content { match_bytes: &[1, 2], instructions: &[3] };
        for (owner, subject) in [
            (Owner::Network(vni), Subject::Network(vni)),
            (Owner::Port(vni, key), Subject::Port(key)),
            (Owner::HostBase(host), Subject::HostBase(host)),
            (Owner::LocalFlood(host, vni), Subject::LocalFlood(vni)),
            (Owner::LocalPort(host, key), Subject::LocalPort(key)),
        ] {
            assert_eq!(Cookie::of(owner, 0, 1, base).describe(), Some(subject));
        }
        let owner = Owner::Network(vni);
        let shifted = Content { match_bytes: &[1], instructions: &[2, 3] };
        let mut all: Vec<u64> = [(0, 1, base), (1, 1, base), (0, 2, base), (0, 1, shifted)]
            .map(|(table, priority, content)| Cookie::of(owner, table, priority, content).0)
            .to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn foreign_cookies_describe_nothing() {
        for cookie in [0, 1, 0xf << 60, KIND_NETWORK << 60, KIND_HOST_BASE << 60 | 15_000 << 32, u64::MAX] {
            assert_eq!(Cookie(cookie).describe(), None, "{cookie:#x}");
        }
    }
}
