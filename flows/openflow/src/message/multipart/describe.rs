//! Who made the switch (OpenFlow 1.5 section 7.3.5.1).

use crate::error::DecodeError;
use crate::message::codec::{PaddedText, Part};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// Who made the switch (`ofp_desc`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SwitchDesc {
    /// The manufacturer.
    pub manufacturer: PaddedText<256>,
    /// The hardware.
    pub hardware: PaddedText<256>,
    /// The software; Open vSwitch tells its version.
    pub software: PaddedText<256>,
    /// The serial number.
    pub serial: PaddedText<32>,
    /// The datapath; Open vSwitch tells what `other-config:dp-desc` says.
    pub datapath: PaddedText<256>,
}

impl Part for SwitchDesc {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        Ok(SwitchDesc {
            manufacturer: Part::decode(r, src)?,
            hardware: Part::decode(r, src)?,
            software: Part::decode(r, src)?,
            serial: Part::decode(r, src)?,
            datapath: Part::decode(r, src)?,
        })
    }

    fn encode(&self, w: &mut Writer) {
        self.manufacturer.encode(w);
        self.hardware.encode(w);
        self.software.encode(w);
        self.serial.encode(w);
        self.datapath.encode(w);
    }
}
