//! Cookies: whose flow this is, and a hash of what it says.
//!
//! Bits 63..60 are the kind of owner, 59..32 its number, 31..0 a hash of the flow's table, priority, match and
//! instructions. A cookie is the same after every restart, so a switch is compared with what is wanted by place and
//! cookie alone, and a flow seen on any switch leads back to the object that it exists for.

use std::fmt;

use weft_model::{HostIndex, PolicyKey, PortKey, RouterKey, Vni};
use weft_openflow::TableId;

use crate::group_id::GroupUse;
use crate::owner::Owner;
use crate::pipeline::LEARNED;

const KIND_NETWORK: u64 = 1;
const KIND_PORT: u64 = 2;
const KIND_HOST_BASE: u64 = 3;
const KIND_LOCAL_FLOOD: u64 = 4;
const KIND_LOCAL_PORT: u64 = 5;
const KIND_ROUTER: u64 = 7;
const KIND_POLICY: u64 = 6;
const KIND_GATEWAY: u64 = 8;
const KIND_FLOATING: u64 = 9;
const KIND_INTERFACE: u64 = 11;
/// Not of an owner: what Open vSwitch has learned by itself.
const KIND_LEARNED: u64 = 15;

/// For how many seconds a neighbour is remembered that is not heard of.
pub(crate) const REMEMBERED: u16 = 1200;

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
    /// A router, see [`Owner::Router`].
    Router(RouterKey),
    /// A policy, see [`Owner::Policy`].
    Policy(PolicyKey),
    /// A router's gateway on the switch itself, see [`Owner::Gateway`].
    Gateway(RouterKey),
    /// A floating IP on the switch itself, see [`Owner::Floating`].
    Floating(PortKey),
    /// A router's interface on a physical network, on the switch itself, see [`Owner::Interface`].
    Interface(PortKey),
    /// A network's flooding to the member hosts of one shard. It has no flows, so no cookie: its group's number names it.
    Flood(Vni, u8),
    /// How senders find the gateway of the router that has this transit network: a group as well.
    Outward(Vni),
    /// How one of its hosts knows whether it is the gateway: groups as well.
    Standing(Vni),
}

impl Cookie {
    /// The cookie of a flow: its owner, and what it is made of ([`crate::digest::FlowContent::hash`]).
    pub fn of(owner: Owner, content: u128) -> Cookie {
        let (kind, id) = match owner {
            // Flooding to a shard has no flow of its own.
            Owner::Network(vni) | Owner::Flood(vni, _) => (KIND_NETWORK, vni.get()),
            Owner::Port(_, key) => (KIND_PORT, key.get()),
            Owner::HostBase(host) => (KIND_HOST_BASE, u32::from(host.get())),
            Owner::LocalFlood(_, vni) => (KIND_LOCAL_FLOOD, vni.get()),
            Owner::LocalPort(_, key) => (KIND_LOCAL_PORT, key.get()),
            Owner::Router(key) => (KIND_ROUTER, key.get()),
            Owner::Policy(key) => (KIND_POLICY, key.get()),
            Owner::Gateway(_, key) => (KIND_GATEWAY, key.get()),
            Owner::Floating(_, key) => (KIND_FLOATING, key.get()),
            Owner::Interface(_, key) => (KIND_INTERFACE, key.get()),
        };
        let folded = content >> 96 ^ content >> 64 ^ content >> 32 ^ content;
        let low = u32::try_from(folded & 0xffff_ffff).expect("32 bits");
        Cookie(kind << 60 | u64::from(id) << 32 | u64::from(low))
    }

    /// The cookie of what is learned of neighbours in a network: one for every kind of entry, so that each has its own
    /// bound and none crowds out another.
    pub(crate) fn of_learned(network: Vni, kind: u8) -> Cookie {
        Cookie(KIND_LEARNED << 60 | u64::from(network.get()) << 32 | u64::from(kind))
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
            KIND_ROUTER => RouterKey::new(id).map(Subject::Router),
            KIND_POLICY => PolicyKey::new(id).map(Subject::Policy),
            KIND_GATEWAY => RouterKey::new(id).map(Subject::Gateway),
            KIND_FLOATING => PortKey::new(id).map(Subject::Floating),
            KIND_INTERFACE => PortKey::new(id).map(Subject::Interface),
            _ => None,
        }
    }
}

/// True for a flow that Open vSwitch has learned by itself, as flows in table learned tell it to: it is nobody's, goes with
/// time or with the flow that it was learned by, and is neither compared nor removed.
pub fn is_learned(table: TableId, cookie: weft_openflow::Cookie, hard_timeout: u16) -> bool {
    let passes = (1..=REMEMBERED).contains(&hard_timeout);
    table.0 == LEARNED.number && cookie.0 >> 60 == KIND_LEARNED && passes
}

impl Subject {
    /// The cookie and the mask under which a switch lists exactly the subject's flows; `None` for one without flows.
    pub fn cookies(self) -> Option<(Cookie, u64)> {
        let (kind, id) = match self {
            Subject::Network(vni) => (KIND_NETWORK, vni.get()),
            Subject::Port(key) => (KIND_PORT, key.get()),
            Subject::HostBase(host) => (KIND_HOST_BASE, u32::from(host.get())),
            Subject::LocalFlood(vni) => (KIND_LOCAL_FLOOD, vni.get()),
            Subject::LocalPort(key) => (KIND_LOCAL_PORT, key.get()),
            Subject::Router(key) => (KIND_ROUTER, key.get()),
            Subject::Policy(key) => (KIND_POLICY, key.get()),
            Subject::Flood(..) | Subject::Outward(_) | Subject::Standing(_) => return None,
            Subject::Gateway(key) => (KIND_GATEWAY, key.get()),
            Subject::Floating(key) => (KIND_FLOATING, key.get()),
            Subject::Interface(key) => (KIND_INTERFACE, key.get()),
        };
        Some((Cookie(kind << 60 | u64::from(id) << 32), 0xffff_ffff << 32))
    }
}

impl From<GroupUse> for Subject {
    fn from(group: GroupUse) -> Subject {
        match group {
            GroupUse::Flood { vni, shard } => Subject::Flood(vni, shard),
            GroupUse::LocalFlood { vni, .. } => Subject::LocalFlood(vni),
            GroupUse::Outward { transit } => Subject::Outward(transit),
            GroupUse::Handover { transit } | GroupUse::Active { transit } => Subject::Standing(transit),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Network(vni) => write!(f, "network {vni}"),
            Subject::Port(key) => write!(f, "port {key}"),
            Subject::HostBase(host) => write!(f, "host {host}"),
            Subject::LocalFlood(vni) => write!(f, "flooding of network {vni} on this host"),
            Subject::Policy(key) => write!(f, "policy {key}"),
            Subject::LocalPort(key) => write!(f, "port {key} on this host"),
            Subject::Router(key) => write!(f, "router {key}"),
            Subject::Outward(vni) => write!(f, "the way to the gateway by network {vni}"),
            Subject::Standing(vni) => write!(f, "the gateway by network {vni} on this host"),
            Subject::Gateway(key) => write!(f, "gateway of router {key} on this host"),
            Subject::Floating(key) => write!(f, "floating IP of port {key} on this host"),
            Subject::Interface(key) => write!(f, "router interface {key} on this host"),
            Subject::Flood(vni, shard) => write!(f, "flooding of network {vni} to hosts of shard {shard}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_names_its_owner_and_depends_on_the_content() {
        let (vni, key) = (Vni::MAX, PortKey::MAX);
        let host = HostIndex::MAX;
        let policy = PolicyKey::new(PolicyKey::MAX).expect("in range");
        for (owner, subject) in [
            (Owner::Network(vni), Subject::Network(vni)),
            (Owner::Port(vni, key), Subject::Port(key)),
            (Owner::HostBase(host), Subject::HostBase(host)),
            (Owner::LocalFlood(host, vni), Subject::LocalFlood(vni)),
            (Owner::LocalPort(host, key), Subject::LocalPort(key)),
            (Owner::Router(RouterKey::MAX), Subject::Router(RouterKey::MAX)),
            (Owner::Policy(policy), Subject::Policy(policy)),
            (Owner::Gateway(host, RouterKey::MAX), Subject::Gateway(RouterKey::MAX)),
            (Owner::Floating(host, key), Subject::Floating(key)),
            (Owner::Interface(host, key), Subject::Interface(key)),
        ] {
            let cookie = Cookie::of(owner, 1);
            assert_eq!(cookie.describe(), Some(subject));
            let (value, mask) = subject.cookies().expect("it has flows");
            assert_eq!(cookie.0 & mask, value.0);
            assert_ne!(cookie, Cookie::of(owner, 2));
            assert_ne!(cookie, Cookie::of(owner, 1 << 127));
        }
    }

    #[test]
    fn foreign_cookies_describe_nothing() {
        for cookie in [0, 1, 0xf << 60, KIND_NETWORK << 60, KIND_HOST_BASE << 60 | 15_000 << 32, u64::MAX] {
            assert_eq!(Cookie(cookie).describe(), None, "{cookie:#x}");
        }
    }
}
