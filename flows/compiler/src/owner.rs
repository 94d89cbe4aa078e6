//! What flows exist for (owners), and where they live together (scopes).

use std::fmt;

use weft_model::{HostIndex, PolicyKey, PortKey, RouterKey, Vni};

/// A set of owners whose flows live together on the switches that subscribe to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Network-wide: the same bytes on every host with a port of the network, or of one that routers join with it.
    Network(Vni),
    /// Network-wide as well: the same bytes on every host with a port of a network of the router's realm.
    Router(RouterKey),
    /// A policy: the same bytes on every host where a port wears it.
    Policy(PolicyKey),
    /// Host-local: what only this host has.
    Host(HostIndex),
}

/// The thing that flows exist for; the unit of recomputation.
///
/// An owner names its scope by itself, so that the flows of something that is gone can still be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A network's flooding to the member hosts of one shard ([`crate::group_id::shard`]): a group (network-wide).
    ///
    /// The network's own flow names the group, so where both change they belong into one message sequence (see
    /// [`crate::encode()`]); this one sorts first, so that a sequence that is cut has the group before the flow.
    Flood(Vni, u8),
    /// A network's classification of what comes out of a tunnel, and which shards its flooding goes to (network-wide).
    Network(Vni),
    /// What every host with the network knows about a port of it (network-wide): ARP and ND answers, the way to its host;
    /// of a router's interface, the way into the router.
    Port(Vni, PortKey),
    /// A router: where it sends packets (network-wide). Its interfaces are ports, which have their own part.
    Router(RouterKey),
    /// The rules of a policy, which is a set of security groups (the same wherever a port wears it).
    Policy(PolicyKey),
    /// What every host has, whatever is on it: the misses and the drops with their reasons (host-local).
    HostBase(HostIndex),
    /// A port on its own host: classification, port security, local delivery (host-local).
    LocalPort(HostIndex, PortKey),
    /// Flooding among a network's ports on one host (host-local).
    LocalFlood(HostIndex, Vni),
    /// A router's gateway on a host that serves it: translation, and its own addresses (host-local).
    Gateway(HostIndex, RouterKey),
    /// A floating IP on a host that serves it, by the port that holds its address; its port forwardings as well
    /// (host-local).
    Floating(HostIndex, PortKey),
    /// A router's interface in a network on a physical one, on a host with a way there (host-local): under which MAC its
    /// packets leave, how machines there are asked for, and, on one of the hosts, its answers to them.
    Interface(HostIndex, PortKey),
}

impl Owner {
    /// Where the owner's flows live.
    pub fn scope(self) -> Scope {
        match self {
            Owner::Network(vni) | Owner::Flood(vni, _) | Owner::Port(vni, _) => Scope::Network(vni),
            Owner::Router(key) => Scope::Router(key),
            Owner::Policy(key) => Scope::Policy(key),
            Owner::HostBase(host)
            | Owner::LocalPort(host, _)
            | Owner::LocalFlood(host, _)
            | Owner::Gateway(host, _)
            | Owner::Floating(host, _)
            | Owner::Interface(host, _) => Scope::Host(host),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Network(vni) => write!(f, "network {vni}"),
            Scope::Router(key) => write!(f, "router {key}"),
            Scope::Policy(key) => write!(f, "policy {key}"),
            Scope::Host(host) => write!(f, "host {host}"),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Flood(vni, shard) => write!(f, "flooding of network {vni} to hosts of shard {shard}"),
            Owner::Network(vni) => write!(f, "network {vni}"),
            Owner::Port(vni, key) => write!(f, "port {key} of network {vni}"),
            Owner::Router(key) => write!(f, "router {key}"),
            Owner::Policy(key) => write!(f, "policy {key}"),
            Owner::HostBase(host) => write!(f, "host {host}"),
            Owner::LocalPort(host, key) => write!(f, "port {key} on host {host}"),
            Owner::LocalFlood(host, vni) => write!(f, "flooding of network {vni} on host {host}"),
            Owner::Gateway(host, key) => write!(f, "gateway of router {key} on host {host}"),
            Owner::Floating(host, key) => write!(f, "floating IP of port {key} on host {host}"),
            Owner::Interface(host, key) => write!(f, "router interface {key} on host {host}"),
        }
    }
}
