//! Routers: what joins a tenant's networks, on every host at once.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::gateway::Gateway;
use crate::ids::{RouterId, RouterKey, TenantId};
use crate::stamp::Stamp;

/// The `device_owner` of ports that are routers' interfaces; their `device_id` is the router's id.
pub const ROUTER_INTERFACE: &str = "network:router_interface";

/// Where a static route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// To this address of a subnet that the router has an interface in.
    Via(IpAddr),
    /// Nowhere: what goes there is dropped on purpose.
    Blackhole,
}

/// A static route. Several with one destination share its traffic, connection by connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Where to, with no host bits set.
    pub destination: IpNet,
    /// Through what.
    pub next_hop: NextHop,
}

/// A tenant's router. Its interfaces are ports (see [`crate::Port::router`]); with them it has a route to every subnet
/// that they have an address of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    /// Its id.
    pub id: RouterId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its number in registers and cookies; never changes.
    pub key: RouterKey,
    /// Name, description, times.
    pub stamp: Stamp,
    /// When false, it forwards nothing.
    pub admin_up: bool,
    /// Static routes, sorted, each once.
    pub routes: Vec<Route>,
    /// Where it leads to the outside, if it does.
    pub gateway: Option<Gateway>,
}
