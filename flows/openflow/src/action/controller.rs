//! Sending packets to a controller (`nx_action_controller`, `NXAST_CONTROLLER2` and its properties).

use super::WHOLE_PACKET;
use super::nicira::zeros;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::MeterId;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// The reason "an action said so" (`OFPR_APPLY_ACTION`), which is what these actions give unless told.
pub const REASON_ACTION: u8 = 1;

/// Sends the packet to a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Controller {
    /// Bytes of the packet to send.
    pub max_len: u16,
    /// Which controller connection, see Nicira's set-controller-id message.
    pub controller_id: u16,
    /// The reason to give (`ofp_packet_in_reason`).
    pub reason: u8,
}

impl Default for Controller {
    fn default() -> Self {
        Controller { max_len: WHOLE_PACKET, controller_id: 0, reason: REASON_ACTION }
    }
}

impl Controller {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Controller, DecodeError> {
        let out = Controller { max_len: r.u16()?, controller_id: r.u16()?, reason: r.u8()? };
        zeros(r, 1)?;
        Ok(out)
    }

    pub(super) fn encode(&self, w: &mut Writer) -> u16 {
        w.u16(self.max_len);
        w.u16(self.controller_id);
        w.u8(self.reason);
        w.u8(0);
        20
    }
}

/// Sends the packet to a controller, with bytes of the flow's own and perhaps to be resumed later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Controller2 {
    /// Bytes of the packet to send.
    pub max_len: u16,
    /// Which controller connection, see Nicira's set-controller-id message.
    pub controller_id: u16,
    /// The reason to give (`ofp_packet_in_reason`).
    pub reason: u8,
    /// Bytes to send along, such as what the answer is made of.
    pub userdata: Bytes,
    /// Whether the packet's way is to be resumed where it stopped.
    pub pause: bool,
    /// The meter that limits these packets.
    pub meter: Option<MeterId>,
}

impl Default for Controller2 {
    fn default() -> Self {
        Controller2 {
            max_len: WHOLE_PACKET,
            controller_id: 0,
            reason: REASON_ACTION,
            userdata: Bytes::new(),
            pause: false,
            meter: None,
        }
    }
}

const MAX_LEN: u16 = 0;
const CONTROLLER_ID: u16 = 1;
const REASON: u16 = 2;
const USERDATA: u16 = 3;
const PAUSE: u16 = 4;
const METER_ID: u16 = 5;

impl Controller2 {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Controller2, DecodeError> {
        zeros(r, 6)?;
        let mut out = Controller2::default();
        while !r.is_empty() {
            let kind = r.u16()?;
            let length = usize::from(r.u16()?);
            let bad = r.error(DecodeErrorKind::BadLength);
            let mut body = r.sub(length.checked_sub(4).ok_or(bad)?)?;
            match kind {
                MAX_LEN => out.max_len = body.u16()?,
                CONTROLLER_ID => out.controller_id = body.u16()?,
                REASON => out.reason = body.u8()?,
                USERDATA => out.userdata = Bytes::copy_from_slice(body.rest()),
                PAUSE => out.pause = true,
                METER_ID => out.meter = Some(MeterId(body.u32()?)).filter(|&meter| meter != MeterId::ALL),
                _ => return Err(bad),
            }
            body.finish_zeros()?;
            zeros(r, length.next_multiple_of(8) - length)?;
        }
        Ok(out)
    }

    pub(super) fn encode(&self, w: &mut Writer) -> u16 {
        w.zeros(6);
        if self.max_len != WHOLE_PACKET {
            property(w, MAX_LEN, &padded_u16(self.max_len));
        }
        if self.controller_id != 0 {
            property(w, CONTROLLER_ID, &padded_u16(self.controller_id));
        }
        if self.reason != REASON_ACTION {
            property(w, REASON, &[self.reason]);
        }
        if !self.userdata.is_empty() {
            property(w, USERDATA, &self.userdata);
        }
        if self.pause {
            property(w, PAUSE, &[]);
        }
        if let Some(meter) = self.meter {
            property(w, METER_ID, &meter.0.to_be_bytes());
        }
        37
    }
}

/// A 16-bit property counts its padding as part of itself, unlike all others.
fn padded_u16(value: u16) -> [u8; 4] {
    let [high, low] = value.to_be_bytes();
    [high, low, 0, 0]
}

fn property(w: &mut Writer, kind: u16, body: &[u8]) {
    let mark = w.len();
    w.u16(kind);
    w.u16(0);
    w.bytes(body);
    w.patch_len(mark + 2, mark);
    w.pad8(mark);
}
