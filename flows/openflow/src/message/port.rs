//! Ports: what they are, that they changed, and how to change them (OpenFlow 1.5 sections 7.2.1, 7.3.4.4, 7.4.3).

use super::codec::{
    PaddedText, Part, Property, decode_all, encode_all, next_property, open_enum, open_flags, put_property,
    rest_of, share_rest,
};
use crate::error::DecodeError;
use crate::ids::PortNo;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_flags! {
    /// How a port is configured (`ofp_port_config`).
    pub struct PortConfig: u32 {
        /// It is administratively down.
        PORT_DOWN = 1 << 0;
        /// What it receives is dropped.
        NO_RECV = 1 << 2;
        /// What is sent to it is dropped.
        NO_FWD = 1 << 5;
        /// What it receives is never sent up.
        NO_PACKET_IN = 1 << 6;
    }
}

open_flags! {
    /// How a port is (`ofp_port_state`).
    pub struct PortState: u32 {
        /// It has no carrier.
        LINK_DOWN = 1 << 0;
        /// It is blocked, by spanning tree for instance.
        BLOCKED = 1 << 1;
        /// It is alive for fast-failover groups.
        LIVE = 1 << 2;
    }
}

/// What a port is (`ofp_port`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortDesc {
    /// Its number.
    pub port: PortNo,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// Its name, as `ovs-vsctl` shows it (cut to 15 bytes).
    pub name: PaddedText<16>,
    /// How it is configured.
    pub config: PortConfig,
    /// How it is.
    pub state: PortState,
    /// Its medium.
    pub properties: Vec<PortProperty>,
}

impl Part for PortDesc {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let (port, length) = (PortNo(r.u32()?), r.u16()?);
        let mut body = rest_of(r, &start, length)?;
        body.skip(2)?;
        let mac = body.array()?;
        body.skip(2)?;
        let name = PaddedText::from(body.array()?);
        let config = PortConfig::from_bits_retain(body.u32()?);
        let state = PortState::from_bits_retain(body.u32()?);
        Ok(PortDesc { port, mac, name, config, state, properties: decode_all(&mut body, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u32(self.port.0);
        w.u32(0);
        w.bytes(&self.mac);
        w.zeros(2);
        w.bytes(self.name.as_bytes());
        w.u32(self.config.bits());
        w.u32(self.state.bits());
        encode_all(&self.properties, w);
        w.patch_len(mark + 4, mark);
    }
}

/// More about a port (`ofp_port_desc_prop_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortProperty {
    /// An Ethernet port's features.
    Ethernet(EthernetFeatures),
    /// A property of another type.
    Raw(Property),
}

/// An Ethernet port's features, as bitmaps of `ofp_port_features`, and its speeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EthernetFeatures {
    /// In use now.
    pub current: u32,
    /// Advertised to the other end.
    pub advertised: u32,
    /// Possible.
    pub supported: u32,
    /// Advertised by the other end.
    pub peer: u32,
    /// Speed now, in kbit/s.
    pub current_speed: u32,
    /// Highest speed, in kbit/s.
    pub max_speed: u32,
}

const ETHERNET: u16 = 0;

impl Part for PortProperty {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        if (kind, body.remaining()) != (ETHERNET, 28) {
            return Ok(PortProperty::Raw(Property { kind, data: share_rest(&mut body, src) }));
        }
        body.skip(4)?;
        Ok(PortProperty::Ethernet(EthernetFeatures {
            current: body.u32()?,
            advertised: body.u32()?,
            supported: body.u32()?,
            peer: body.u32()?,
            current_speed: body.u32()?,
            max_speed: body.u32()?,
        }))
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            PortProperty::Ethernet(e) => put_property(w, ETHERNET, |w| {
                w.zeros(4);
                for value in [e.current, e.advertised, e.supported, e.peer, e.current_speed, e.max_speed] {
                    w.u32(value);
                }
            }),
            PortProperty::Raw(raw) => raw.encode(w),
        }
    }
}

open_enum! {
    /// What happened to a port (`ofp_port_reason`).
    pub enum PortReason: u8 {
        /// It came.
        Add = 0,
        /// It went.
        Delete = 1,
        /// It changed.
        Modify = 2,
    }
}

/// A port came, went or changed (`ofp_port_status`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStatus {
    /// What happened.
    pub reason: PortReason,
    /// The port as it is now (or was).
    pub port: PortDesc,
}

impl Part for PortStatus {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let reason = PortReason::from_wire(r.u8()?);
        r.skip(7)?;
        Ok(PortStatus { reason, port: PortDesc::decode(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.reason.to_wire());
        w.zeros(7);
        self.port.encode(w);
    }
}

/// Configure a port (`ofp_port_mod`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMod {
    /// Which port.
    pub port: PortNo,
    /// Its MAC address, as a check that the right port is meant.
    pub mac: [u8; 6],
    /// The bits to set.
    pub config: PortConfig,
    /// Which bits are meant.
    pub mask: PortConfig,
    /// More to change.
    pub properties: Vec<PortModProperty>,
}

/// More to change on a port (`ofp_port_mod_prop_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortModProperty {
    /// Advertise these features (a bitmap of `ofp_port_features`).
    Advertise(u32),
    /// A property of another type.
    Raw(Property),
}

impl Part for PortMod {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let port = PortNo(r.u32()?);
        r.skip(4)?;
        let mac = r.array()?;
        r.skip(2)?;
        let config = PortConfig::from_bits_retain(r.u32()?);
        let mask = PortConfig::from_bits_retain(r.u32()?);
        Ok(PortMod { port, mac, config, mask, properties: decode_all(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.port.0);
        w.zeros(4);
        w.bytes(&self.mac);
        w.zeros(2);
        w.u32(self.config.bits());
        w.u32(self.mask.bits());
        encode_all(&self.properties, w);
    }
}

impl Part for PortModProperty {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        Ok(match (kind, body.remaining()) {
            (ETHERNET, 4) => PortModProperty::Advertise(body.u32()?),
            _ => PortModProperty::Raw(Property { kind, data: share_rest(&mut body, src) }),
        })
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            PortModProperty::Advertise(features) => put_property(w, ETHERNET, |w| w.u32(*features)),
            PortModProperty::Raw(raw) => raw.encode(w),
        }
    }
}
