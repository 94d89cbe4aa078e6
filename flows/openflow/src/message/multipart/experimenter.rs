//! Questions and answers that somebody other than the ONF defined.

use crate::error::DecodeError;
use crate::message::codec::{Part, share_rest};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// A body that is kept as it came (`ofp_experimenter_multipart_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExperimenterPart {
    /// Who defined it.
    pub experimenter: u32,
    /// Which of theirs it is.
    pub subtype: u32,
    /// What follows.
    pub data: Bytes,
}

impl Part for ExperimenterPart {
    fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
        Ok(ExperimenterPart { experimenter: r.u32()?, subtype: r.u32()?, data: share_rest(r, src) })
    }

    fn encode(&self, w: &mut Writer) {
        w.u32(self.experimenter);
        w.u32(self.subtype);
        w.bytes(&self.data);
    }
}
