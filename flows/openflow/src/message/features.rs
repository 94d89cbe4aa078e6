//! What a switch is and how it is configured (OpenFlow 1.5 sections 7.3.1 and 7.3.2).

use super::codec::{Part, open_flags};
use crate::error::DecodeError;
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use std::fmt;

/// The 64-bit id of a datapath: for Open vSwitch `other-config:datapath-id`, or made from a MAC address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatapathId(pub u64);

impl fmt::Display for DatapathId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What a switch is (`ofp_switch_features`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Which switch this is.
    pub datapath_id: DatapathId,
    /// How many packets the switch can hold back at once; Open vSwitch says 0.
    pub buffers: u32,
    /// How many tables it has; Open vSwitch says 254.
    pub tables: u8,
    /// 0 on the main connection, another number on auxiliary ones.
    pub auxiliary: u8,
    /// What it can do.
    pub capabilities: Capabilities,
    /// A field without meaning since OpenFlow 1.1.
    pub reserved: u32,
}

open_flags! {
    /// What a switch can do (`ofp_capabilities`).
    pub struct Capabilities: u32 {
        /// It counts per flow.
        FLOW_STATS = 1 << 0;
        /// It counts per table.
        TABLE_STATS = 1 << 1;
        /// It counts per port.
        PORT_STATS = 1 << 2;
        /// It counts per group.
        GROUP_STATS = 1 << 3;
        /// It can reassemble IP fragments.
        IP_REASM = 1 << 5;
        /// It counts per queue.
        QUEUE_STATS = 1 << 6;
        /// It blocks looping ports by itself.
        PORT_BLOCKED = 1 << 8;
        /// It knows bundles.
        BUNDLES = 1 << 9;
        /// It knows flow monitors.
        FLOW_MONITORING = 1 << 10;
    }
}

impl Part for Features {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        let (datapath_id, buffers, tables, auxiliary) = (DatapathId(r.u64()?), r.u32()?, r.u8()?, r.u8()?);
        r.skip(2)?;
        let capabilities = Capabilities::from_bits_retain(r.u32()?);
        Ok(Features { datapath_id, buffers, tables, auxiliary, capabilities, reserved: r.u32()? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u64(self.datapath_id.0);
        w.u32(self.buffers);
        w.u8(self.tables);
        w.u8(self.auxiliary);
        w.zeros(2);
        w.u32(self.capabilities.bits());
        w.u32(self.reserved);
    }
}

/// How a switch treats fragments and how much of a packet it sends up (`ofp_switch_config`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchConfig {
    /// Fragment handling: 0 normal, 1 drop, 2 reassemble, 3 let the first fragment match (Nicira).
    pub flags: u16,
    /// How many bytes of a packet that misses are sent to the controller; 0xffff is all of it.
    pub miss_send_len: u16,
}

impl Part for SwitchConfig {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        Ok(SwitchConfig { flags: r.u16()?, miss_send_len: r.u16()? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u16(self.flags);
        w.u16(self.miss_send_len);
    }
}
