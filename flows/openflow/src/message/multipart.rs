//! Multipart messages: long questions and answers in several parts (OpenFlow 1.5 section 7.3.5).
//!
//! A [`super::Message`] holds the part as it travels; [`Request`] and [`Reply`] are what it says. A long flow
//! dump is best read with [`MultipartReply::flows`], which builds nothing it is not asked for.

mod describe;
mod experimenter;
mod flow;
mod group;
mod meter;
mod monitor;
mod port;
mod queue;
mod reassemble;
mod reply;
mod request;
mod table;

pub use describe::SwitchDesc;
pub use experimenter::ExperimenterPart;
pub use flow::{FlowDesc, FlowEntries, FlowEntry, FlowFilter};
pub use group::{Counted, GroupDesc, GroupFeatures, GroupStats};
pub use meter::{MeterConfig, MeterFeatures, MeterStats};
pub use monitor::{FlowUpdate, MonitorCommand, MonitorFlags, MonitorRequest, UpdateEvent, UpdatedFlow};
pub use port::{EthernetErrors, PortStats, PortStatsProperty};
pub use queue::{QueueDesc, QueueFilter, QueueProperty, QueueStats};
pub use reassemble::{Reassembler, ReassemblyError};
pub use reply::Reply;
pub use request::Request;
pub use table::{TableFeatures, TableStats};

use super::codec::{Part, open_enum, open_flags, share_rest};
use crate::error::DecodeError;
use crate::wire::{Reader, Writer};
use bytes::Bytes;

open_enum! {
    /// What is asked for (`ofp_multipart_type`).
    pub enum MultipartKind: u16 {
        /// Who made the switch.
        Desc = 0,
        /// The flows.
        FlowDesc = 1,
        /// The sum of flows' counters.
        Aggregate = 2,
        /// Tables' counters.
        TableStats = 3,
        /// Ports' counters.
        PortStats = 4,
        /// Queues' counters.
        QueueStats = 5,
        /// Groups' counters.
        GroupStats = 6,
        /// The groups.
        GroupDesc = 7,
        /// What groups can do.
        GroupFeatures = 8,
        /// Meters' counters.
        MeterStats = 9,
        /// The meters.
        MeterConfig = 10,
        /// What meters can do.
        MeterFeatures = 11,
        /// What tables can do.
        TableFeatures = 12,
        /// The ports.
        PortDesc = 13,
        /// The tables.
        TableDesc = 14,
        /// The queues.
        QueueDesc = 15,
        /// Changes of flows, as they happen.
        FlowMonitor = 16,
        /// Flows' counters without their instructions (Open vSwitch does not know it).
        FlowStats = 17,
        /// What somebody other than the ONF defined.
        Experimenter = 0xffff,
    }
}

open_flags! {
    /// Whether this is all (`ofp_multipart_request_flags`, `ofp_multipart_reply_flags`).
    pub struct MultipartFlags: u16 {
        /// More parts follow under the same transaction id.
        MORE = 1 << 0;
    }
}

macro_rules! multipart_envelope {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// What it is about.
            pub kind: MultipartKind,
            /// Whether this is all.
            pub flags: MultipartFlags,
            /// What it says, as it travels.
            pub body: Bytes,
        }

        impl $name {
            /// True when more parts follow under the same transaction id.
            pub fn has_more(&self) -> bool {
                self.flags.contains(MultipartFlags::MORE)
            }
        }

        impl Part for $name {
            fn decode(r: &mut Reader<'_>, src: &Bytes) -> Result<Self, DecodeError> {
                let kind = MultipartKind::from_wire(r.u16()?);
                let flags = MultipartFlags::from_bits_retain(r.u16()?);
                r.skip(4)?;
                Ok($name { kind, flags, body: share_rest(r, src) })
            }

            fn encode(&self, w: &mut Writer) {
                w.u16(self.kind.to_wire());
                w.u16(self.flags.bits());
                w.zeros(4);
                w.bytes(&self.body);
            }
        }
    };
}

multipart_envelope! {
    /// A question, or a part of one (`ofp_multipart_request`).
    MultipartRequest
}
multipart_envelope! {
    /// An answer, or a part of one (`ofp_multipart_reply`). No entry is ever cut in two by the end of a part.
    MultipartReply
}

impl MultipartRequest {
    /// Reads what is asked.
    ///
    /// # Errors
    /// What is wrong with the body; offsets count from its start.
    pub fn decode(&self) -> Result<Request, DecodeError> {
        Request::decode(self.kind, &self.body)
    }
}

impl MultipartReply {
    /// Reads the answer.
    ///
    /// # Errors
    /// What is wrong with the body; offsets count from its start.
    pub fn decode(&self) -> Result<Reply, DecodeError> {
        Reply::decode(self.kind, &self.body)
    }

    /// Walks the flows of a [`MultipartKind::FlowDesc`] answer one by one, without building anything.
    /// An answer of another kind has none.
    pub fn flows(&self) -> FlowEntries<'_> {
        match self.kind {
            MultipartKind::FlowDesc => FlowEntries::over(&self.body),
            _ => FlowEntries::over(&[]),
        }
    }
}

impl From<&Request> for MultipartRequest {
    fn from(request: &Request) -> Self {
        let mut w = Writer::new();
        request.encode(&mut w);
        MultipartRequest { kind: request.kind(), flags: MultipartFlags::empty(), body: w.into_bytes() }
    }
}

impl From<Request> for super::Message {
    fn from(request: Request) -> Self {
        super::Message::MultipartRequest(MultipartRequest::from(&request))
    }
}

impl From<&Reply> for MultipartReply {
    fn from(reply: &Reply) -> Self {
        let mut w = Writer::new();
        reply.encode(&mut w);
        MultipartReply { kind: reply.kind(), flags: MultipartFlags::empty(), body: w.into_bytes() }
    }
}

impl From<Reply> for super::Message {
    fn from(reply: Reply) -> Self {
        super::Message::MultipartReply(MultipartReply::from(&reply))
    }
}
