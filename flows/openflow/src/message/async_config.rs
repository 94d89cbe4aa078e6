//! Which events a connection receives (OpenFlow 1.5 section 7.3.10).

use super::codec::{
    Part, Property, decode_all, encode_all, next_property, open_enum, put_property, share_rest,
};
use crate::error::DecodeError;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// A family of events; its mask has one bit for each reason of that family.
    pub enum AsyncEvent: u16 {
        /// Packets sent up.
        PacketIn = 0,
        /// Ports that came, went or changed.
        PortStatus = 1,
        /// Flows that went.
        FlowRemoved = 2,
        /// Roles that changed.
        RoleStatus = 3,
        /// Tables that passed a threshold.
        TableStatus = 4,
        /// Other controllers' group and meter changes.
        RequestForward = 5,
        /// Flow counters that passed a threshold.
        FlowStats = 6,
        /// Controllers that came or went.
        ControllerStatus = 7,
    }
}

/// While the connection is in which role a mask applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AsyncRole {
    /// The read-only role.
    Secondary,
    /// The primary and the equal role.
    PrimaryOrEqual,
}

/// One line of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsyncProperty {
    /// Send the events of this family whose reason's bit is set.
    Mask {
        /// The family.
        event: AsyncEvent,
        /// The role in which it applies.
        role: AsyncRole,
        /// One bit for each reason.
        reasons: u32,
    },
    /// A property of another type.
    Raw(Property),
}

/// Which events are sent (`ofp_async_config`). A switch keeps what a configuration does not mention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsyncConfig {
    /// The masks, in order.
    pub properties: Vec<AsyncProperty>,
}

impl AsyncConfig {
    /// Adds the reasons for which events of one family are sent in one role.
    #[must_use]
    pub fn with(mut self, event: AsyncEvent, role: AsyncRole, reasons: u32) -> AsyncConfig {
        self.properties.push(AsyncProperty::Mask { event, role, reasons });
        self
    }

    /// The reasons for which events of one family are sent in one role, if told.
    pub fn reasons(&self, event: AsyncEvent, role: AsyncRole) -> Option<u32> {
        self.properties.iter().find_map(|property| match property {
            AsyncProperty::Mask { event: e, role: r, reasons } if *e == event && *r == role => Some(*reasons),
            _ => None,
        })
    }
}

impl Part for AsyncConfig {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        Ok(AsyncConfig { properties: decode_all(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        encode_all(&self.properties, w);
    }
}

/// The first property type that is an experimenter's and so no pair of masks.
const FIRST_EXPERIMENTER: u16 = 0xfffe;

impl Part for AsyncProperty {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        if kind >= FIRST_EXPERIMENTER || body.remaining() != 4 {
            return Ok(AsyncProperty::Raw(Property { kind, data: share_rest(&mut body, src) }));
        }
        // Types come in pairs: the even one is for the secondary role, the odd one for the others.
        let role = if kind % 2 == 0 { AsyncRole::Secondary } else { AsyncRole::PrimaryOrEqual };
        Ok(AsyncProperty::Mask { event: AsyncEvent::from_wire(kind / 2), role, reasons: body.u32()? })
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            AsyncProperty::Mask { event, role, reasons } => {
                let odd = u16::from(*role == AsyncRole::PrimaryOrEqual);
                let kind = event.to_wire().wrapping_mul(2) | odd;
                put_property(w, kind, |w| w.u32(*reasons));
            }
            AsyncProperty::Raw(raw) => raw.encode(w),
        }
    }
}
