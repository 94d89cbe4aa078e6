//! Bindings: this port is on this host, behind this interface.

use crate::ids::{HostId, OfPort, PortId, Revision};

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
}
