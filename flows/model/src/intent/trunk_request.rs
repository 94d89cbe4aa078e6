//! The words of a request about trunks, and why one is refused.

use thiserror::Error;

use super::{Labels, LabelsPatch};
use crate::{Mtu, PortId, TenantId, TrunkId, VlanId};

/// A port to stand behind a tag of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subport {
    /// Which port.
    pub port: PortId,
    /// Behind which tag.
    pub vlan: VlanId,
}

/// A trunk to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTrunk {
    /// Its id.
    pub id: TrunkId,
    /// Whose it is to be: the parent's tenant when absent; only an admin may name another.
    pub tenant: Option<TenantId>,
    /// Name, description, tags.
    pub labels: Labels,
    /// The parent.
    pub port: PortId,
    /// See [`crate::Trunk::admin_up`].
    pub admin_up: bool,
    /// Its first subports.
    pub subports: Vec<Subport>,
}

/// Changes to a trunk; its subports change by intents of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrunkPatch {
    /// The number that the object must still have, if any.
    pub if_number: Option<u64>,
    /// Name, description, tags.
    pub labels: LabelsPatch,
    /// See [`crate::Trunk::admin_up`].
    pub admin_up: Option<bool>,
}

/// Why a request about a trunk is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrunkFault {
    /// No such trunk, or another tenant's.
    #[error("there is no trunk {0}")]
    NotFound(TrunkId),
    /// The port is a trunk's parent, so it stays and is nobody's subport.
    #[error("port {port} is currently a parent port for trunk {trunk}")]
    IsParent {
        /// Which port.
        port: PortId,
        /// Of which trunk.
        trunk: TrunkId,
    },
    /// The port is a subport, so it stays.
    #[error("port {port} is currently a subport for trunk {trunk}")]
    IsSubport {
        /// Which port.
        port: PortId,
        /// Of which trunk.
        trunk: TrunkId,
    },
    /// The port asked for is a subport of a trunk already.
    #[error("port {0} is in use by another trunk")]
    PortInUse(PortId),
    /// The port asked for is a parent already, or can be none.
    #[error("port {0} is currently in use and is not eligible for use as a parent port")]
    ParentInUse(PortId),
    /// The tag is in use.
    #[error("segmentation_type vlan and segmentation_id {vlan} already in use on trunk {trunk}")]
    TagInUse {
        /// The tag.
        vlan: VlanId,
        /// Of which trunk.
        trunk: TrunkId,
    },
    /// The subport's network takes larger packets than its parent's.
    #[error("MTU {} of subport {port} cannot be greater than MTU {} of trunk {trunk}", .mtu.0, .most.0)]
    Mtu {
        /// Which subport.
        port: PortId,
        /// What its network takes.
        mtu: Mtu,
        /// Which trunk.
        trunk: TrunkId,
        /// What the parent's network takes.
        most: Mtu,
    },
    /// The port is no subport of the trunk.
    #[error("subport on trunk {trunk} with parent port {port} could not be found")]
    NoSubport {
        /// Which trunk.
        trunk: TrunkId,
        /// Which port.
        port: PortId,
    },
    /// The trunk is administratively down.
    #[error("trunk {0} is currently disabled")]
    Disabled(TrunkId),
}
