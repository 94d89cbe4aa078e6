//! What a fleet is made of: how many hosts, where they dial, how they are named.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::ovsdb::{Database, HostIdentity, LocalChange, Template};

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
    /// The tunnel end of host 0; the others follow.
    pub first_encap_ip: Ipv4Addr,
    /// What was done to the databases before the hosts dial for the first time.
    pub past: Option<Past>,
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
            first_encap_ip: Ipv4Addr::new(172, 16, 0, 1),
            past: None,
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

/// When switches answer what they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Each as soon as its bytes are read. What is sent to the next one waits meanwhile, because one core works for all.
    AtOnce,
    /// When nothing is left to read on any connection: as it would be if each host had a processor of its own, the bytes
    /// of all of them are taken as fast as they come, and looked at afterwards.
    WhenAllIsRead,
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
        let encap = Ipv4Addr::from(u32::from(self.first_encap_ip) + host);
        HostIdentity { number: host, hostname: name.clone(), system_id: name, encap_ip: IpAddr::V4(encap) }
    }

    /// The database of a host as it is when the host dials for the first time, if the fleet has databases.
    pub fn database(&self, host: u32) -> Option<Database> {
        self.ovsdb?;
        let mut database = Database::new(&self.identity(host), &self.template);
        let past = self.past.iter().flat_map(|past| (past.0)(host));
        // Nobody listens yet; what the bridge has to know is told once more when it is asked for.
        past.for_each(|change| drop(database.local(change, &mut Vec::new())));
        Some(database)
    }
}

/// What each host's operator did before the host dials for the first time, by the host's number: a fleet that was there
/// before its controller.
#[derive(Clone)]
pub struct Past(Arc<dyn Fn(u32) -> Vec<LocalChange> + Send + Sync>);

impl Past {
    /// Changes that follow from the host's number.
    pub fn new(changes: impl Fn(u32) -> Vec<LocalChange> + Send + Sync + 'static) -> Past {
        Past(Arc::new(changes))
    }
}

impl fmt::Debug for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Past")
    }
}

/// The address that a host dials from: one each, so that ports never run out.
pub fn source_address(host: u32) -> Ipv4Addr {
    let [_, high, middle, low] = host.to_be_bytes();
    Ipv4Addr::new(127, 1 + high, middle, low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ovsdb::Effect;

    /// A fleet that was there before its controller has its workloads plugged, numbered in the order of plugging.
    #[test]
    fn a_host_with_a_past_has_its_ports_before_it_dials() {
        let past = Past::new(|host| {
            let plug = |n: u32| LocalChange::PlugInterface {
                name: format!("tap{n}"),
                iface_id: format!("{host}-{n}"),
            };
            let external_ids = vec![("weft-owner".to_owned(), "weft".to_owned())];
            let bridge = "br-int".to_owned();
            let add = LocalChange::AddBridge { bridge, datapath_type: "netdev".into(), external_ids };
            (1..=20).map(plug).chain([add]).collect()
        });
        let ovsdb = Some(SocketAddr::from(([127, 0, 0, 1], 1)));
        let spec = FleetSpec { ovsdb, past: Some(past), ..FleetSpec::default() };
        let effects = spec.database(3).unwrap().effects_of_restart();
        let mut ports = effects.iter().filter_map(|effect| match effect {
            Effect::PortAdded { ofport, name, .. } if name != "br-int" => Some((*ofport, name.clone())),
            _ => None,
        });
        assert!((1..=20).all(|n| ports.next() == Some((n, format!("tap{n}")))), "{effects:?}");
        assert_eq!(ports.next(), None);
        assert!(matches!(&effects[0], Effect::BridgeController { target: None, .. }), "{effects:?}");
    }
}
