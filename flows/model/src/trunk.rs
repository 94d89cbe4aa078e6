//! Trunks: several ports behind one interface, told apart by VLAN tags.

use std::collections::BTreeMap;

use crate::ids::{PortId, TenantId, TrunkId, VlanId};
use crate::stamp::Stamp;

/// A parent port whose interface also carries the frames of its subports, each under a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its id.
    pub id: TrunkId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Name, description, times.
    pub stamp: Stamp,
    /// The parent, whose frames have no tag; never changes.
    pub port: PortId,
    /// When false, nothing about the trunk can be changed.
    pub admin_up: bool,
    /// The subports by tag; each port stands behind one tag of one trunk.
    pub subports: BTreeMap<VlanId, PortId>,
}

impl Trunk {
    /// The tag of a subport.
    pub fn tag_of(&self, port: PortId) -> Option<VlanId> {
        self.subports.iter().find(|(_, subport)| **subport == port).map(|(vlan, _)| *vlan)
    }
}
