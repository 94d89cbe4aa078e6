//! The claims to ports that the interfaces of one host make, and which of them count.
//!
//! Open vSwitch never gives two interfaces one number, but rows may show it for a moment while numbers move; and nothing
//! keeps a host's owner from giving two interfaces one `iface-id`. So: of all claims with one number, those to the smallest
//! port count; of the counting claims to one port, the one with the smallest number is in force.

use weft_model::{OfPort, PortId};

/// Every claim twice, in two orders: a few bytes each, where maps would take ten times as much on every host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    by_port: Vec<(PortId, OfPort)>,
    by_number: Vec<(OfPort, PortId)>,
}

impl Claims {
    /// Takes any number of claims in, faster than one by one.
    pub fn extend(&mut self, claims: impl IntoIterator<Item = (PortId, OfPort)>) {
        self.by_port.extend(claims);
        self.by_port.sort_unstable();
        self.by_port.shrink_to_fit();
        self.by_number = self.by_port.iter().map(|(port, number)| (*number, *port)).collect();
        self.by_number.sort_unstable();
    }

    /// Takes one claim in. The ports whose claim in force may be another one now.
    pub fn add(&mut self, port: PortId, number: OfPort) -> Vec<PortId> {
        let at = self.by_port.partition_point(|claim| *claim < (port, number));
        self.by_port.insert(at, (port, number));
        let at = self.by_number.partition_point(|claim| *claim < (number, port));
        self.by_number.insert(at, (number, port));
        self.with_number(number).collect()
    }

    /// Takes one claim away. The ports whose claim in force may be another one now.
    pub fn remove(&mut self, port: PortId, number: OfPort) -> Vec<PortId> {
        let concerned = self.with_number(number).collect();
        if let Ok(at) = self.by_port.binary_search(&(port, number)) {
            self.by_port.remove(at);
        }
        if let Ok(at) = self.by_number.binary_search(&(number, port)) {
            self.by_number.remove(at);
        }
        concerned
    }

    /// The number of the claim in force to a port, if there is one.
    pub fn in_force(&self, port: PortId) -> Option<OfPort> {
        let from = self.by_port.partition_point(|claim| claim.0 < port);
        let mine = self.by_port[from..].iter().take_while(|claim| claim.0 == port);
        mine.map(|(_, number)| *number).find(|number| self.with_number(*number).next() == Some(port))
    }

    /// Whether exactly one interface makes this claim.
    pub fn is_single(&self, port: PortId, number: OfPort) -> bool {
        let from = self.by_port.partition_point(|claim| *claim < (port, number));
        self.by_port[from..].iter().take_while(|claim| **claim == (port, number)).count() == 1
    }

    fn with_number(&self, number: OfPort) -> impl Iterator<Item = PortId> {
        let from = self.by_number.partition_point(|claim| claim.0 < number);
        self.by_number[from..].iter().take_while(move |claim| claim.0 == number).map(|(_, port)| *port)
    }
}
