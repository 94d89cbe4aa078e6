//! Bindings: this port is on this host, behind this interface.

use crate::ids::{HostId, OfPort, PortId, Revision, VlanId};

/// A host's claim to a port, seen as an interface whose `external_ids:iface-id` names the port.
///
/// A port may be claimed by two hosts while its workload moves; the newest claim is the one in force
/// (see [`crate::Snapshot::bound_host`]), and when it goes away the other one counts again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Which port.
    pub port: PortId,
    /// On which host.
    pub host: HostId,
    /// The interface's name on that host.
    pub interface: String,
    /// The number under which packets of the interface enter and leave that host's integration bridge.
    pub ofport: OfPort,
    /// The revision at which the claim was first seen; the largest one wins.
    pub since: Revision,
    /// For a subport of a trunk, where it is behind the interface, which is its parent's.
    pub behind: Option<Behind>,
}

/// Where a subport of a trunk is behind its parent's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Behind {
    /// The tag of its frames there.
    pub vlan: VlanId,
    /// Its zone of the connection tracker on that host; other ports' zones are the numbers of their interfaces.
    pub zone: u16,
}

impl Behind {
    /// The largest zone of a subport: zones above are those of floating IPs and gateways.
    pub const LAST_ZONE: u16 = 32_767;
    /// The smallest. Open vSwitch gives interfaces such numbers only when it has given all below.
    pub const FIRST_ZONE: u16 = 16_384;
}

impl Binding {
    /// The port's zone of the connection tracker on that host, which no other port has there.
    pub fn zone(&self) -> u16 {
        self.behind.map_or(self.ofport.get(), |behind| behind.zone)
    }
}
