//! Tables: how they treat being full, and that they are (OpenFlow 1.5 sections 7.3.4.1, 7.3.5.18, 7.4.5).

use super::codec::{
    Part, Property, decode_all, encode_all, next_property, open_enum, open_flags, put_property, rest_of,
    share_rest,
};
use crate::error::DecodeError;
use crate::ids::TableId;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_flags! {
    /// How a table is configured (`ofp_table_config`).
    pub struct TableConfig: u32 {
        /// A full table makes room by itself.
        EVICTION = 1 << 2;
        /// It tells when it passes a fill threshold.
        VACANCY_EVENTS = 1 << 3;
    }
}

/// Configure a table (`ofp_table_mod`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMod {
    /// Which table, or [`TableId::ALL`].
    pub table: TableId,
    /// How.
    pub config: TableConfig,
    /// More to change.
    pub properties: Vec<TableProperty>,
}

impl Part for TableMod {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let table = TableId(r.u8()?);
        r.skip(3)?;
        let config = TableConfig::from_bits_retain(r.u32()?);
        Ok(TableMod { table, config, properties: decode_all(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.table.0);
        w.zeros(3);
        w.u32(self.config.bits());
        encode_all(&self.properties, w);
    }
}

/// How a table is configured (`ofp_table_desc`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDesc {
    /// Which table.
    pub table: TableId,
    /// How.
    pub config: TableConfig,
    /// More of it.
    pub properties: Vec<TableProperty>,
}

impl Part for TableDesc {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let length = r.u16()?;
        let mut body = rest_of(r, &start, length)?;
        let table = TableId(body.u8()?);
        body.skip(1)?;
        let config = TableConfig::from_bits_retain(body.u32()?);
        Ok(TableDesc { table, config, properties: decode_all(&mut body, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u16(0);
        w.u8(self.table.0);
        w.zeros(1);
        w.u32(self.config.bits());
        encode_all(&self.properties, w);
        w.patch_len(mark, mark);
    }
}

/// How a table treats being full (`ofp_table_mod_prop_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableProperty {
    /// By what a flow to evict is chosen: 1 other, 2 importance, 4 lifetime.
    ///
    /// Leave it out of a [`TableMod`] to Open vSwitch: 3.1 takes these flags for the on/off state itself, so
    /// 2 switches eviction off whatever [`TableConfig::EVICTION`] says.
    Eviction(u32),
    /// When the table tells that it fills or empties.
    Vacancy(Vacancy),
    /// A property of another type.
    Raw(Property),
}

/// Thresholds in percent of free space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacancy {
    /// Tell when free space falls below this.
    pub down: u8,
    /// Tell when free space rises above this.
    pub up: u8,
    /// Free space now; only in descriptions.
    pub now: u8,
}

const EVICTION: u16 = 2;
const VACANCY: u16 = 3;

impl Part for TableProperty {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let (kind, mut body) = next_property(r)?;
        Ok(match (kind, body.remaining()) {
            (EVICTION, 4) => TableProperty::Eviction(body.u32()?),
            (VACANCY, 4) => {
                TableProperty::Vacancy(Vacancy { down: body.u8()?, up: body.u8()?, now: body.u8()? })
            }
            _ => TableProperty::Raw(Property { kind, data: share_rest(&mut body, src) }),
        })
    }

    fn encode(&self, w: &mut Writer) {
        match self {
            TableProperty::Eviction(flags) => put_property(w, EVICTION, |w| w.u32(*flags)),
            TableProperty::Vacancy(vacancy) => {
                put_property(w, VACANCY, |w| w.bytes(&[vacancy.down, vacancy.up, vacancy.now, 0]));
            }
            TableProperty::Raw(raw) => raw.encode(w),
        }
    }
}

open_enum! {
    /// What happened to a table (`ofp_table_reason`).
    pub enum TableReason: u8 {
        /// Free space fell below the lower threshold.
        VacancyDown = 3,
        /// Free space rose above the upper threshold.
        VacancyUp = 4,
    }
}

/// A table passed a threshold (`ofp_table_status`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStatus {
    /// Which one.
    pub reason: TableReason,
    /// The table as it is now.
    pub table: TableDesc,
}

impl Part for TableStatus {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let reason = TableReason::from_wire(r.u8()?);
        r.skip(7)?;
        Ok(TableStatus { reason, table: TableDesc::decode(r, src)? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.reason.to_wire());
        w.zeros(7);
        self.table.encode(w);
    }
}
