//! A reading of a switch's tables: parts of two multipart answers become one list of flows and one of groups.

use std::time::{Duration, Instant};

use thiserror::Error;
use weft_compiler::{SeenFlow, SeenGroup, Tallies};
use weft_distributor::{Depth, Installed, ReadId};
use weft_openflow::message::multipart::{MultipartReply, Reply};
use weft_openflow::{DecodeError, Xid};

/// How many flows a switch may show before the reading is given up: more than Open vSwitch can hold of ours.
const FLOWS_MAX: usize = 4_000_000;

/// Why tables cannot be used.
#[derive(Debug, Error)]
pub enum ReadingError {
    /// An entry is malformed.
    #[error("an entry is malformed")]
    Entry(#[from] DecodeError),
    /// There is more than any of our switches may hold.
    #[error("more than {FLOWS_MAX} flows")]
    TooMany,
}

/// One reading under way.
#[derive(Debug)]
pub struct Reading {
    id: ReadId,
    flows: Xid,
    groups: Xid,
    installed: Installed,
    count: usize,
    cost: Duration,
    flows_done: bool,
    groups_done: bool,
}

impl Reading {
    /// A reading whose two requests have these xids.
    pub fn new((id, depth): (ReadId, Depth), flows: Xid, groups: Xid) -> Reading {
        let installed = match depth {
            Depth::Tallies => Installed::Tallies(Tallies::default()),
            Depth::Tables => Installed::Tables { flows: Vec::new(), groups: Vec::new() },
        };
        Reading {
            id,
            flows,
            groups,
            installed,
            count: 0,
            cost: Duration::ZERO,
            flows_done: false,
            groups_done: false,
        }
    }

    /// Which reading it is.
    pub fn id(&self) -> ReadId {
        self.id
    }

    /// How long taking the parts has taken so far.
    pub fn cost(&self) -> Duration {
        self.cost
    }

    /// True if the xid is one of its requests'.
    pub fn is_about(&self, xid: Xid) -> bool {
        xid == self.flows || xid == self.groups
    }

    /// Takes one part; gives everything when it was the last of both answers.
    ///
    /// # Errors
    /// When a part is malformed: then nothing can be concluded from the reading.
    pub fn take(&mut self, xid: Xid, part: &MultipartReply) -> Result<Option<Installed>, ReadingError> {
        let begun = Instant::now();
        if xid == self.flows {
            for entry in part.flows() {
                self.count += 1;
                match &mut self.installed {
                    Installed::Tallies(tallies) => tallies.take(&entry?)?,
                    Installed::Tables { flows, .. } => flows.push(SeenFlow::from_entry(&entry?)?),
                }
            }
            if self.count > FLOWS_MAX {
                return Err(ReadingError::TooMany);
            }
            self.flows_done = !part.has_more();
        } else if let Reply::GroupDesc(descriptions) = part.decode()? {
            match &mut self.installed {
                Installed::Tallies(tallies) => descriptions.iter().for_each(|desc| tallies.take_desc(desc)),
                Installed::Tables { groups, .. } => {
                    groups.extend(descriptions.iter().map(SeenGroup::from_desc))
                }
            }
            self.groups_done = !part.has_more();
        }
        self.cost += begun.elapsed();
        let complete = self.flows_done && self.groups_done;
        let empty = Installed::Tallies(Tallies::default());
        Ok(complete.then(|| std::mem::replace(&mut self.installed, empty)))
    }
}
