//! One simulated host: its database, its bridge, and the connections of both.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::openflow::depot::Depot;
use crate::openflow::ports::PortEvent;
use crate::openflow::switch::Switch;
use crate::openflow::wire::first_length;
use crate::ovsdb::{Database, Effect};
use crate::spec::LONGEST_BACKOFF;

use super::link::Link;

/// Which of a host's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// `ovsdb-server`'s to the manager.
    Database,
    /// `ovs-vswitchd`'s to the controller.
    OpenFlow,
}

/// What the loop has to do because of what a host took in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Todo {
    /// The OpenFlow connection is to be closed.
    pub close_openflow: bool,
    /// The OpenFlow connection is to be dialled now.
    pub dial_openflow: bool,
    /// The stream cannot be read any further.
    pub broken: bool,
    /// What was answered goes out, then the connection is closed.
    pub hang_up: bool,
}

/// The host.
#[derive(Debug)]
pub struct Host {
    /// Its number in the fleet.
    pub number: u32,
    /// The address it dials from.
    pub source: Ipv4Addr,
    /// Its database, unless the fleet has none.
    pub database: Option<Database>,
    /// The bridge, once there is one.
    pub switch: Option<Switch>,
    bridge: String,
    /// The database's connection.
    pub manager: Link,
    /// The bridge's connection.
    pub controller: Link,
    /// What the switch says without being asked, until the loop has sent it.
    pub unasked: Vec<u8>,
    /// Whether the machine is switched off or cut off: it dials nobody.
    pub is_away: bool,
}

impl Host {
    /// A host that has said nothing to anybody.
    pub fn new(number: u32, source: Ipv4Addr, database: Option<Database>, now: Instant) -> Host {
        Host {
            number,
            source,
            database,
            switch: None,
            bridge: String::new(),
            manager: Link::new(now, LONGEST_BACKOFF),
            controller: Link::new(now, LONGEST_BACKOFF),
            unasked: Vec::new(),
            is_away: false,
        }
    }

    /// Gives it a bridge with a controller that no database knows of.
    pub fn set_static(&mut self, controller: SocketAddr, datapath_id: u64) {
        self.bridge = "br-int".into();
        self.switch = Some(Switch::new(&self.bridge, datapath_id));
        self.controller.target = Some(controller);
    }

    /// One of its connections.
    pub fn link(&mut self, side: Side) -> &mut Link {
        match side {
            Side::Database => &mut self.manager,
            Side::OpenFlow => &mut self.controller,
        }
    }

    /// Takes OpenFlow bytes; gives how many of them were whole messages.
    pub fn take_openflow(&mut self, depot: &mut Depot, bytes: &[u8], out: &mut Vec<u8>) -> (usize, Todo) {
        let mut at = 0;
        let Some(switch) = &mut self.switch else { return (bytes.len(), Todo::default()) };
        loop {
            match first_length(&bytes[at..]) {
                Ok(Some(length)) if bytes.len() - at >= length => {
                    switch.handle(depot, &bytes[at..at + length], out);
                    at += length;
                }
                Ok(_) => return (at, Todo::default()),
                Err(_) => return (at, Todo { broken: true, ..Todo::default() }),
            }
        }
    }

    /// Takes bytes of the database's connection.
    pub fn take_ovsdb(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Todo {
        let Some(database) = &mut self.database else { return Todo::default() };
        let effects = database.handle(bytes, out);
        let is_closed = database.is_closed();
        let todo = self.follow(effects);
        Todo { hang_up: is_closed, ..todo }
    }

    /// Does to the bridge what the database says.
    pub fn follow(&mut self, effects: Vec<Effect>) -> Todo {
        let mut todo = Todo::default();
        for effect in effects {
            match effect {
                Effect::BridgeController { bridge, target, datapath_id, max_backoff } => {
                    let wanted = target.as_deref().and_then(address);
                    self.controlled(bridge, wanted, datapath_id, &mut todo);
                    self.controller.longest_backoff = Duration::from_millis(max_backoff.into());
                }
                Effect::PortAdded { ofport, name, .. } => {
                    if let Some(switch) = &mut self.switch {
                        switch.port(PortEvent::Added, ofport, &name, &mut self.unasked);
                    }
                }
                Effect::PortRemoved { ofport, name, .. } => {
                    if let Some(switch) = &mut self.switch {
                        switch.port(PortEvent::Deleted, ofport, &name, &mut self.unasked);
                    }
                }
                Effect::BridgeRemoved { .. } => {
                    self.switch = None;
                    self.controller.target = None;
                    self.unasked.clear();
                    todo = Todo { close_openflow: true, ..Todo::default() };
                }
            }
        }
        todo
    }

    fn controlled(&mut self, bridge: String, wanted: Option<SocketAddr>, datapath_id: u64, todo: &mut Todo) {
        self.bridge = bridge;
        let switch = self.switch.get_or_insert_with(|| Switch::new(&self.bridge, datapath_id));
        let had = self.controller.target;
        if switch.datapath_id() != datapath_id {
            switch.set_datapath_id(datapath_id);
            *todo = Todo { close_openflow: true, dial_openflow: wanted.is_some(), ..Todo::default() };
        }
        if had == wanted {
            return;
        }
        // The first controller of a bridge, and the loss of the last, flush every flow, also with fail_mode=secure.
        if had.is_none() || wanted.is_none() {
            switch.flush();
        }
        self.controller.target = wanted;
        *todo = Todo { close_openflow: true, dial_openflow: wanted.is_some(), ..Todo::default() };
    }

    /// About how many bytes it takes by itself.
    pub fn resident_bytes(&self) -> usize {
        let parts = self.switch.as_ref().map_or(0, Switch::resident_bytes)
            + self.database.as_ref().map_or(0, Database::resident_bytes);
        size_of::<Host>() + parts + self.manager.resident_bytes() + self.controller.resident_bytes()
    }
}

/// `tcp:ADDRESS:PORT`, with the port that Open vSwitch takes when there is none.
fn address(target: &str) -> Option<SocketAddr> {
    let place = target.strip_prefix("tcp:")?;
    place.parse().ok().or_else(|| format!("{place}:6653").parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_open_vswitch_reads_them() {
        assert_eq!(address("tcp:127.0.0.1:6653"), Some(([127, 0, 0, 1], 6653).into()));
        assert_eq!(address("tcp:127.0.0.1"), Some(([127, 0, 0, 1], 6653).into()));
        assert_eq!(address("ssl:127.0.0.1:6653"), None);
        assert_eq!(address("punix:/run/x"), None);
    }
}
