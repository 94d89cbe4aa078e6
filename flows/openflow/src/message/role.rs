//! Which controller is in charge (OpenFlow 1.5 sections 7.3.8 and 7.4.4).

use super::codec::{Part, Property, decode_all, encode_all, open_enum};
use crate::error::DecodeError;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// What a connection may do (`ofp_controller_role`).
    pub enum Role: u32 {
        /// Ask only, change nothing.
        NoChange = 0,
        /// Read and write, like every other equal controller; the role of a new connection.
        Equal = 1,
        /// Read and write; at most one controller (OpenFlow 1.5 calls it master).
        Primary = 2,
        /// Read only, and few events (OpenFlow 1.5 calls it slave).
        Secondary = 3,
    }
}

/// A question for, or an answer about, a role (`ofp_role_request`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleRequest {
    /// The role asked for or held.
    pub role: Role,
    /// The short id of the controller (new in 1.5; Open vSwitch leaves it 0).
    pub short_id: u16,
    /// Counts elections: an older number than the switch has seen is refused as stale.
    pub generation: u64,
}

impl Part for RoleRequest {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        let (role, short_id) = (Role::from_wire(r.u32()?), r.u16()?);
        r.skip(2)?;
        Ok(RoleRequest { role, short_id, generation: r.u64()? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.role.to_wire());
        w.u16(self.short_id);
        w.zeros(2);
        w.u64(self.generation);
    }
}

open_enum! {
    /// Why a role changed (`ofp_controller_role_reason`).
    pub enum RoleReason: u8 {
        /// Another controller asked to be primary.
        PrimaryRequest = 0,
        /// The switch was configured so.
        Config = 1,
        /// An experimenter's reason.
        Experimenter = 2,
    }
}

/// The role of this connection was changed by somebody else (`ofp_role_status`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleStatus {
    /// The role the connection now has.
    pub role: Role,
    /// Why.
    pub reason: RoleReason,
    /// The election that decided it.
    pub generation: u64,
    /// Anything more.
    pub properties: Vec<Property>,
}

impl Part for RoleStatus {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (role, reason) = (Role::from_wire(r.u32()?), RoleReason::from_wire(r.u8()?));
        r.skip(3)?;
        Ok(RoleStatus { role, reason, generation: r.u64()?, properties: decode_all(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.role.to_wire());
        w.u8(self.reason.to_wire());
        w.zeros(3);
        w.u64(self.generation);
        encode_all(&self.properties, w);
    }
}
