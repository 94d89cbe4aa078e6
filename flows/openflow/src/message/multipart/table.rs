//! Tables' counters and what tables can do (OpenFlow 1.5 sections 7.3.5.5 and 7.3.5.15).

use crate::error::DecodeError;
use crate::ids::TableId;
use crate::message::codec::{PaddedText, Part, Property, decode_all, encode_all, rest_of};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// A table's counters (`ofp_table_stats`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableStats {
    /// Which table.
    pub table: TableId,
    /// How many flows it holds.
    pub active: u32,
    /// How many packets were looked up in it.
    pub lookups: u64,
    /// How many of them hit a flow.
    pub matches: u64,
}

impl Part for TableStats {
    fn decode(r: &mut Reader<'_>, _src: &Bytes) -> Result<Self, DecodeError> {
        let table = TableId(r.u8()?);
        r.skip(3)?;
        Ok(TableStats { table, active: r.u32()?, lookups: r.u64()?, matches: r.u64()? })
    }

    fn encode(&self, w: &mut Writer) {
        w.u8(self.table.0);
        w.zeros(3);
        w.u32(self.active);
        w.u64(self.lookups);
        w.u64(self.matches);
    }
}

/// What a table can do (`ofp_table_features`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFeatures {
    /// Which table.
    pub table: TableId,
    /// What a request does with it: 0 replace the pipeline, 1 modify, 2 enable, 3 disable.
    pub command: u8,
    /// What it is good for (`ofp_table_feature_flag`).
    pub features: u32,
    /// Its name.
    pub name: PaddedText<32>,
    /// Which bits of the metadata it can match.
    pub metadata_match: u64,
    /// Which bits of the metadata it can write.
    pub metadata_write: u64,
    /// How it can be configured, as [`crate::message::TableConfig`] bits.
    pub capabilities: u32,
    /// How many flows it can hold.
    pub max_entries: u32,
    /// What it can match and do, kept as it came.
    pub properties: Vec<Property>,
}

impl Part for TableFeatures {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        let start = r.clone();
        let length = r.u16()?;
        let mut body = rest_of(r, &start, length)?;
        Ok(TableFeatures {
            table: TableId(body.u8()?),
            command: body.u8()?,
            features: body.u32()?,
            name: Part::decode(&mut body, src)?,
            metadata_match: body.u64()?,
            metadata_write: body.u64()?,
            capabilities: body.u32()?,
            max_entries: body.u32()?,
            properties: decode_all(&mut body, src)?,
        })
    }

    fn encode(&self, w: &mut Writer) {
        let mark = w.len();
        w.u16(0);
        w.u8(self.table.0);
        w.u8(self.command);
        w.u32(self.features);
        self.name.encode(w);
        w.u64(self.metadata_match);
        w.u64(self.metadata_write);
        w.u32(self.capabilities);
        w.u32(self.max_entries);
        encode_all(&self.properties, w);
        w.patch_len(mark, mark);
    }
}
