//! What a fleet is made of: how many hosts, where they dial, how they are named.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::ovsdb::{HostIdentity, Template};

/// The most hosts of one fleet: as many as Weft numbers, and few enough for one source address each.
pub const HOSTS_MAX: u32 = 100_000;

/// A fleet to start.
#[derive(Debug, Clone)]
pub struct FleetSpec {
    /// How many hosts.
    pub hosts: u32,
    /// How many threads serve them. One leaves the other core to the controller.
    pub threads: usize,
    /// Where the hosts' databases dial: the controller's manager port. Without it there is no database at all.
    pub ovsdb: Option<SocketAddr>,
    /// Where the OpenFlow side gets its controller from.
    pub openflow: OpenFlowSource,
    /// What `system-id`s start with; the host's number follows in five digits.
    pub name: String,
    /// What the databases of all hosts have in common.
    pub template: Template,
    /// How long a host waits before it dials again.
    pub reconnect: Reconnect,
    /// How many hosts dial per second at the start; all at once without it.
    pub dials_per_second: Option<u32>,
}

impl Default for FleetSpec {
    fn default() -> FleetSpec {
        FleetSpec {
            hosts: 1,
            threads: 1,
            ovsdb: None,
            openflow: OpenFlowSource::Database,
            name: "fleet-".into(),
            template: Template::default(),
            reconnect: Reconnect::BackOff,
            dials_per_second: None,
        }
    }
}

/// Where the OpenFlow side gets its controller from.
#[derive(Debug, Clone, Copy)]
pub enum OpenFlowSource {
    /// From the database, as in real life: there is no connection before a bridge has a controller.
    Database,
    /// From the start, for tests of the OpenFlow side alone.
    Static {
        /// Where the bridge dials.
        controller: SocketAddr,
        /// The datapath id of each host's bridge.
        datapath_id: fn(u32) -> u64,
    },
}

/// How long a host waits before it dials again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// As Open vSwitch: one second, then twice as long each time up to the Controller row's `max_backoff`.
    BackOff,
    /// A moment only, for tests that wait for it.
    AtOnce,
}

/// The first back-off of Open vSwitch.
pub const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest back-off unless the database says something else.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

impl FleetSpec {
    /// The `system-id` of a host.
    pub fn system_id(&self, host: u32) -> String {
        format!("{}{host:05}", self.name)
    }

    /// What the operator of a host has written into its database.
    pub fn identity(&self, host: u32) -> HostIdentity {
        let name = self.system_id(host);
        // Tunnel ends in 172.16.0.0/12, none of them a network's own address.
        let encap = Ipv4Addr::from(0xac10_0000 + host + 1);
        HostIdentity { number: host, hostname: name.clone(), system_id: name, encap_ip: IpAddr::V4(encap) }
    }
}

/// The address that a host dials from: one each, so that ports never run out.
pub fn source_address(host: u32) -> Ipv4Addr {
    let [_, high, middle, low] = host.to_be_bytes();
    Ipv4Addr::new(127, 1 + high, middle, low)
}
