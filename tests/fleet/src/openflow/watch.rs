//! What somebody waits for while messages are taken: flows that come or go, bundles that are committed.

use super::flow_mod::FlowMod;

/// A condition on a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A flow whose cookie has these bits under this mask has been put in force.
    Cookie {
        /// The bits.
        value: u64,
        /// Which bits count.
        mask: u64,
    },
    /// A flow that names this MAC address in its match has been put in force.
    Mac([u8; 6]),
    /// A flow whose cookie has these bits under this mask has gone.
    Gone {
        /// The bits.
        value: u64,
        /// Which bits count.
        mask: u64,
    },
    /// A bundle has been committed.
    Committed,
}

/// Which expectation a condition belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchId(pub u32);

/// The conditions that are watched for now, and those that were met by the switch that is being served.
#[derive(Debug, Default)]
pub struct Watches {
    armed: Vec<(WatchId, Sign)>,
    met: Vec<WatchId>,
}

impl Watches {
    /// Watches for a condition from now on.
    pub fn arm(&mut self, id: WatchId, sign: Sign) {
        self.armed.push((id, sign));
    }

    /// Watches for it no longer.
    pub fn disarm(&mut self, id: WatchId) {
        self.armed.retain(|(other, _)| *other != id);
    }

    /// True when nothing is watched for: the usual case, which must cost nothing.
    pub fn is_idle(&self) -> bool {
        self.armed.is_empty()
    }

    /// Takes what was met since the last time.
    pub fn take_met(&mut self) -> Vec<WatchId> {
        std::mem::take(&mut self.met)
    }

    /// What flows did was undone.
    pub fn forget_flows(&mut self) {
        self.met.clear();
    }

    /// A bundle was committed.
    pub fn committed(&mut self) {
        self.note(|sign| matches!(sign, Sign::Committed));
    }

    /// A flow was put in force.
    pub fn came(&mut self, flow: FlowMod<'_>) {
        let cookie = flow.cookie();
        self.note(|sign| match sign {
            Sign::Cookie { value, mask } => cookie & mask == value & mask,
            Sign::Mac(mac) => flow.parts().is_ok_and(|(fields, _)| fields.windows(6).any(|part| part == mac)),
            Sign::Gone { .. } | Sign::Committed => false,
        });
    }

    /// A flow has gone.
    pub fn went(&mut self, flow: FlowMod<'_>) {
        let cookie = flow.cookie();
        self.note(|sign| matches!(sign, Sign::Gone { value, mask } if cookie & mask == value & mask));
    }

    fn note(&mut self, holds: impl Fn(Sign) -> bool) {
        for (id, sign) in &self.armed {
            if holds(*sign) && !self.met.contains(id) {
                self.met.push(*id);
            }
        }
    }
}
