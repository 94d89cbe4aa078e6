//! What a multipart reply says.

use super::MultipartKind;
use super::describe::SwitchDesc;
use super::experimenter::ExperimenterPart;
use super::flow::FlowDesc;
use super::group::{GroupDesc, GroupFeatures, GroupStats};
use super::meter::{MeterConfig, MeterFeatures, MeterStats};
use super::monitor::FlowUpdate;
use super::port::PortStats;
use super::queue::{QueueDesc, QueueStats};
use super::table::{TableFeatures, TableStats};
use crate::error::DecodeError;
use crate::message::codec::{Part, decode_all, encode_all, share_rest};
use crate::message::{FlowStats, PortDesc, TableDesc};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// An answer of a switch, or the part of it that one message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Who made the switch.
    Desc(Box<SwitchDesc>),
    /// The flows. [`super::MultipartReply::flows`] reads them without building them.
    FlowDesc(Vec<FlowDesc>),
    /// The sum of flows' counters.
    Aggregate(FlowStats),
    /// Tables' counters.
    TableStats(Vec<TableStats>),
    /// Ports' counters.
    PortStats(Vec<PortStats>),
    /// Queues' counters.
    QueueStats(Vec<QueueStats>),
    /// Groups' counters.
    GroupStats(Vec<GroupStats>),
    /// The groups, in no particular order.
    GroupDesc(Vec<GroupDesc>),
    /// What groups can do.
    GroupFeatures(GroupFeatures),
    /// Meters' counters.
    MeterStats(Vec<MeterStats>),
    /// The meters.
    MeterConfig(Vec<MeterConfig>),
    /// What meters can do.
    MeterFeatures(MeterFeatures),
    /// What tables can do.
    TableFeatures(Vec<TableFeatures>),
    /// The ports.
    PortDesc(Vec<PortDesc>),
    /// How tables are configured.
    TableDesc(Vec<TableDesc>),
    /// The queues.
    QueueDesc(Vec<QueueDesc>),
    /// Changes of flows.
    FlowMonitor(Vec<FlowUpdate>),
    /// What somebody other than the ONF defined.
    Experimenter(ExperimenterPart),
    /// An answer that this crate does not know.
    Raw(MultipartKind, Bytes),
}

impl Reply {
    /// What it is about.
    pub fn kind(&self) -> MultipartKind {
        match self {
            Reply::Desc(_) => MultipartKind::Desc,
            Reply::FlowDesc(_) => MultipartKind::FlowDesc,
            Reply::Aggregate(_) => MultipartKind::Aggregate,
            Reply::TableStats(_) => MultipartKind::TableStats,
            Reply::PortStats(_) => MultipartKind::PortStats,
            Reply::QueueStats(_) => MultipartKind::QueueStats,
            Reply::GroupStats(_) => MultipartKind::GroupStats,
            Reply::GroupDesc(_) => MultipartKind::GroupDesc,
            Reply::GroupFeatures(_) => MultipartKind::GroupFeatures,
            Reply::MeterStats(_) => MultipartKind::MeterStats,
            Reply::MeterConfig(_) => MultipartKind::MeterConfig,
            Reply::MeterFeatures(_) => MultipartKind::MeterFeatures,
            Reply::TableFeatures(_) => MultipartKind::TableFeatures,
            Reply::PortDesc(_) => MultipartKind::PortDesc,
            Reply::TableDesc(_) => MultipartKind::TableDesc,
            Reply::QueueDesc(_) => MultipartKind::QueueDesc,
            Reply::FlowMonitor(_) => MultipartKind::FlowMonitor,
            Reply::Experimenter(_) => MultipartKind::Experimenter,
            Reply::Raw(kind, _) => *kind,
        }
    }

    pub(super) fn decode(kind: MultipartKind, src: &Bytes) -> Result<Reply, DecodeError> {
        let r = &mut Reader::new(src);
        let reply = match kind {
            MultipartKind::Desc => Reply::Desc(Box::new(Part::decode(r, src)?)),
            MultipartKind::FlowDesc => Reply::FlowDesc(decode_all(r, src)?),
            MultipartKind::Aggregate => Reply::Aggregate(Part::decode(r, src)?),
            MultipartKind::TableStats => Reply::TableStats(decode_all(r, src)?),
            MultipartKind::PortStats => Reply::PortStats(decode_all(r, src)?),
            MultipartKind::QueueStats => Reply::QueueStats(decode_all(r, src)?),
            MultipartKind::GroupStats => Reply::GroupStats(decode_all(r, src)?),
            MultipartKind::GroupDesc => Reply::GroupDesc(decode_all(r, src)?),
            MultipartKind::GroupFeatures => Reply::GroupFeatures(Part::decode(r, src)?),
            MultipartKind::MeterStats => Reply::MeterStats(decode_all(r, src)?),
            MultipartKind::MeterConfig => Reply::MeterConfig(decode_all(r, src)?),
            MultipartKind::MeterFeatures => Reply::MeterFeatures(Part::decode(r, src)?),
            MultipartKind::TableFeatures => Reply::TableFeatures(decode_all(r, src)?),
            MultipartKind::PortDesc => Reply::PortDesc(decode_all(r, src)?),
            MultipartKind::TableDesc => Reply::TableDesc(decode_all(r, src)?),
            MultipartKind::QueueDesc => Reply::QueueDesc(decode_all(r, src)?),
            MultipartKind::FlowMonitor => Reply::FlowMonitor(decode_all(r, src)?),
            MultipartKind::Experimenter => Reply::Experimenter(Part::decode(r, src)?),
            MultipartKind::FlowStats | MultipartKind::Unknown(_) => Reply::Raw(kind, share_rest(r, src)),
        };
        r.finish()?;
        Ok(reply)
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        match self {
            Reply::Desc(desc) => desc.encode(w),
            Reply::FlowDesc(flows) => encode_all(flows, w),
            Reply::Aggregate(stats) => stats.encode(w),
            Reply::TableStats(tables) => encode_all(tables, w),
            Reply::PortStats(ports) => encode_all(ports, w),
            Reply::QueueStats(queues) => encode_all(queues, w),
            Reply::GroupStats(groups) => encode_all(groups, w),
            Reply::GroupDesc(groups) => encode_all(groups, w),
            Reply::GroupFeatures(features) => features.encode(w),
            Reply::MeterStats(meters) => encode_all(meters, w),
            Reply::MeterConfig(meters) => encode_all(meters, w),
            Reply::MeterFeatures(features) => features.encode(w),
            Reply::TableFeatures(tables) => encode_all(tables, w),
            Reply::PortDesc(ports) => encode_all(ports, w),
            Reply::TableDesc(tables) => encode_all(tables, w),
            Reply::QueueDesc(queues) => encode_all(queues, w),
            Reply::FlowMonitor(updates) => encode_all(updates, w),
            Reply::Experimenter(part) => part.encode(w),
            Reply::Raw(_, body) => w.bytes(body),
        }
    }
}
