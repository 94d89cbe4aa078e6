//! All switches by the number of their host: numbers are small and dense, so finding one is an index into a table.

use weft_model::HostIndex;

use crate::switch::{Limits, Switch};

/// The switches of all hosts that are known or connected.
#[derive(Debug)]
pub struct Roster {
    limits: Limits,
    switches: Vec<Option<Box<Switch>>>,
}

impl Roster {
    /// No switches yet; each will have these limits.
    pub fn new(limits: Limits) -> Roster {
        Roster { limits, switches: Vec::new() }
    }

    /// The switch of a host.
    pub fn get(&self, host: HostIndex) -> Option<&Switch> {
        self.switches.get(usize::from(host.get()))?.as_deref()
    }

    /// The switch of a host.
    pub fn get_mut(&mut self, host: HostIndex) -> Option<&mut Switch> {
        self.switches.get_mut(usize::from(host.get()))?.as_deref_mut()
    }

    /// The switch of a host, made known if it is not.
    pub fn enter(&mut self, host: HostIndex) -> &mut Switch {
        let at = usize::from(host.get());
        if at >= self.switches.len() {
            self.switches.resize_with(at + 1, || None);
        }
        self.switches[at].get_or_insert_with(|| Box::new(Switch::unseen(host, self.limits)))
    }

    /// Forgets a host's switch.
    pub fn remove(&mut self, host: HostIndex) -> Option<Box<Switch>> {
        self.switches.get_mut(usize::from(host.get()))?.take()
    }
}
