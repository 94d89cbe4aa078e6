//! Which Geneve options stand in which `tun_metadata` field (`NXT_TLV_TABLE_*`).

use crate::error::DecodeError;
use crate::message::codec::{Part, decode_all, encode_all, open_enum};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// How the table is changed (`nx_tlv_table_mod_command`).
    pub enum TlvCommand: u16 {
        /// Add mappings; fails when an option is mapped already.
        Add = 0,
        /// Remove mappings, found by their field.
        Delete = 1,
        /// Remove all mappings.
        Clear = 2,
    }
}

/// One mapping (`nx_tlv_map`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlvMap {
    /// The option's class.
    pub class: u16,
    /// The option's type within the class.
    pub kind: u8,
    /// The option's length in bytes, a multiple of 4.
    pub length: u8,
    /// The `tun_metadata` field, 0 to 63.
    pub index: u16,
}

impl Part for TlvMap {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        let map = TlvMap { class: r.u16()?, kind: r.u8()?, length: r.u8()?, index: r.u16()? };
        r.skip(2)?;
        Ok(map)
    }

    fn encode(&self, w: &mut Writer) {
        w.u16(self.class);
        w.u8(self.kind);
        w.u8(self.length);
        w.u16(self.index);
        w.zeros(2);
    }
}

/// Change the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlvTableMod {
    /// How.
    pub command: TlvCommand,
    /// The mappings that are meant.
    pub maps: Vec<TlvMap>,
}

impl Part for TlvTableMod {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let command = TlvCommand::from_wire(r.u16()?);
        r.skip(6)?;
        Ok(TlvTableMod { command, maps: decode_all(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u16(self.command.to_wire());
        w.zeros(6);
        encode_all(&self.maps, w);
    }
}

/// The table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlvTableReply {
    /// How many bytes of options the switch can hold.
    pub max_option_space: u32,
    /// How many fields it has.
    pub max_fields: u16,
    /// The mappings in force.
    pub maps: Vec<TlvMap>,
}

impl Part for TlvTableReply {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (max_option_space, max_fields) = (r.u32()?, r.u16()?);
        r.skip(10)?;
        Ok(TlvTableReply { max_option_space, max_fields, maps: decode_all(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.max_option_space);
        w.u16(self.max_fields);
        w.zeros(10);
        encode_all(&self.maps, w);
    }
}
