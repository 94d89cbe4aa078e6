//! Sampling packets for IPFIX (`nx_action_sample` and its three successors).

use super::Subfield;
use super::nicira::{short_port, zeros};
use crate::error::DecodeError;
use crate::ids::PortNo;
use crate::oxm::FieldHeader;
use crate::wire::{Reader, Writer};

/// Samples packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sample {
    /// Which of the four forms it is written in.
    pub form: SampleForm,
    /// How many of 65,535 packets to sample.
    pub probability: u16,
    /// The set of collectors, by its id in the switch's database.
    pub collector_set: u32,
    /// The observation domain.
    pub domain: SampleId,
    /// The observation point.
    pub point: SampleId,
    /// The port at which packets are sampled, from [`SampleForm::Port`] on; else `ANY`.
    pub port: PortNo,
    /// 0 default, 1 ingress, 2 egress; from [`SampleForm::Direction`] on.
    pub direction: u8,
}

/// The forms of a sample action, each of which says more than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SampleForm {
    /// No port (subtype 29).
    Plain,
    /// With a port (subtype 38).
    Port,
    /// With a direction as well (subtype 41).
    Direction,
    /// Ids may come from fields (subtype 51).
    Fields,
}

/// An observation domain or point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SampleId {
    /// This one.
    Value(u32),
    /// The one that a field holds; only in [`SampleForm::Fields`].
    Field(Subfield),
}

impl SampleId {
    fn decode(r: &mut Reader<'_>) -> Result<SampleId, DecodeError> {
        if r.peek_rest().starts_with(&[0; 4]) {
            zeros(r, 4)?;
            return Ok(SampleId::Value(r.u32()?));
        }
        let field = FieldHeader::decode_short(r)?;
        let (offset, n_bits) = Subfield::unpack(r.u16()?);
        zeros(r, 2)?;
        Ok(SampleId::Field(Subfield { field, offset, n_bits }))
    }

    fn encode(self, w: &mut Writer) {
        match self {
            SampleId::Value(value) => {
                w.u32(0);
                w.u32(value);
            }
            SampleId::Field(subfield) => {
                subfield.field.encode_short(w);
                w.u16(subfield.packed());
                w.u16(0);
            }
        }
    }

    /// The value; a field, which the older forms cannot say, counts as 0.
    fn value(self) -> u32 {
        match self {
            SampleId::Value(value) => value,
            SampleId::Field(_) => 0,
        }
    }
}

impl Sample {
    pub(super) fn decode(subtype: u16, r: &mut Reader<'_>) -> Result<Sample, DecodeError> {
        let form = match subtype {
            29 => SampleForm::Plain,
            38 => SampleForm::Port,
            41 => SampleForm::Direction,
            _ => SampleForm::Fields,
        };
        let (probability, collector_set) = (r.u16()?, r.u32()?);
        let (domain, point) = match form {
            SampleForm::Fields => (SampleId::decode(r)?, SampleId::decode(r)?),
            _ => (SampleId::Value(r.u32()?), SampleId::Value(r.u32()?)),
        };
        let port = if form >= SampleForm::Port { PortNo::from_u16(r.u16()?) } else { PortNo::ANY };
        let direction = if form >= SampleForm::Direction { r.u8()? } else { 0 };
        Ok(Sample { form, probability, collector_set, domain, point, port, direction })
    }

    pub(super) fn encode(&self, w: &mut Writer) -> u16 {
        w.u16(self.probability);
        w.u32(self.collector_set);
        for id in [self.domain, self.point] {
            match self.form {
                SampleForm::Fields => id.encode(w),
                _ => w.u32(id.value()),
            }
        }
        if self.form >= SampleForm::Port {
            w.u16(short_port(self.port));
        }
        if self.form >= SampleForm::Direction {
            w.u8(self.direction);
        }
        match self.form {
            SampleForm::Plain => 29,
            SampleForm::Port => 38,
            SampleForm::Direction => 41,
            SampleForm::Fields => 51,
        }
    }
}
