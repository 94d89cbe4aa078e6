//! What a multipart request asks.

use super::MultipartKind;
use super::experimenter::ExperimenterPart;
use super::flow::FlowFilter;
use super::monitor::MonitorRequest;
use super::queue::QueueFilter;
use super::table::TableFeatures;
use crate::error::DecodeError;
use crate::ids::{GroupId, MeterId, PortNo};
use crate::message::codec::{Part, decode_all, encode_all, share_rest};
use crate::wire::{Reader, Writer};
use bytes::Bytes;

/// A question to a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Who made the switch?
    Desc,
    /// Which flows are there?
    FlowDesc(FlowFilter),
    /// What is the sum of these flows' counters?
    Aggregate(FlowFilter),
    /// Tables' counters.
    TableStats,
    /// The counters of a port, or of all with [`PortNo::ANY`].
    PortStats(PortNo),
    /// Queues' counters.
    QueueStats(QueueFilter),
    /// The counters of a group, or of all with [`GroupId::ALL`].
    GroupStats(GroupId),
    /// What is this group, or with [`GroupId::ALL`]: which groups are there?
    GroupDesc(GroupId),
    /// What can groups do?
    GroupFeatures,
    /// The counters of a meter, or of all with [`MeterId::ALL`].
    MeterStats(MeterId),
    /// What is this meter, or with [`MeterId::ALL`]: which meters are there?
    MeterConfig(MeterId),
    /// What can meters do?
    MeterFeatures,
    /// What can tables do? With descriptions: change them.
    TableFeatures(Vec<TableFeatures>),
    /// What is this port, or with [`PortNo::ANY`]: which ports are there?
    PortDesc(PortNo),
    /// How are the tables configured?
    TableDesc,
    /// Which queues are there?
    QueueDesc(QueueFilter),
    /// Tell about changes of flows from now on.
    FlowMonitor(Vec<MonitorRequest>),
    /// What somebody other than the ONF defined.
    Experimenter(ExperimenterPart),
    /// A question that this crate does not know.
    Raw(MultipartKind, Bytes),
}

impl Request {
    /// What is asked for.
    pub fn kind(&self) -> MultipartKind {
        match self {
            Request::Desc => MultipartKind::Desc,
            Request::FlowDesc(_) => MultipartKind::FlowDesc,
            Request::Aggregate(_) => MultipartKind::Aggregate,
            Request::TableStats => MultipartKind::TableStats,
            Request::PortStats(_) => MultipartKind::PortStats,
            Request::QueueStats(_) => MultipartKind::QueueStats,
            Request::GroupStats(_) => MultipartKind::GroupStats,
            Request::GroupDesc(_) => MultipartKind::GroupDesc,
            Request::GroupFeatures => MultipartKind::GroupFeatures,
            Request::MeterStats(_) => MultipartKind::MeterStats,
            Request::MeterConfig(_) => MultipartKind::MeterConfig,
            Request::MeterFeatures => MultipartKind::MeterFeatures,
            Request::TableFeatures(_) => MultipartKind::TableFeatures,
            Request::PortDesc(_) => MultipartKind::PortDesc,
            Request::TableDesc => MultipartKind::TableDesc,
            Request::QueueDesc(_) => MultipartKind::QueueDesc,
            Request::FlowMonitor(_) => MultipartKind::FlowMonitor,
            Request::Experimenter(_) => MultipartKind::Experimenter,
            Request::Raw(kind, _) => *kind,
        }
    }

    pub(super) fn decode(kind: MultipartKind, src: &Bytes) -> Result<Request, DecodeError> {
        let r = &mut Reader::new(src);
        let request = match kind {
            MultipartKind::Desc => Request::Desc,
            MultipartKind::FlowDesc => Request::FlowDesc(Part::decode(r, src)?),
            MultipartKind::Aggregate => Request::Aggregate(Part::decode(r, src)?),
            MultipartKind::TableStats => Request::TableStats,
            MultipartKind::PortStats => Request::PortStats(PortNo(padded_number(r)?)),
            MultipartKind::QueueStats => Request::QueueStats(Part::decode(r, src)?),
            MultipartKind::GroupStats => Request::GroupStats(GroupId(padded_number(r)?)),
            MultipartKind::GroupDesc => Request::GroupDesc(GroupId(padded_number(r)?)),
            MultipartKind::GroupFeatures => Request::GroupFeatures,
            MultipartKind::MeterStats => Request::MeterStats(MeterId(padded_number(r)?)),
            MultipartKind::MeterConfig => Request::MeterConfig(MeterId(padded_number(r)?)),
            MultipartKind::MeterFeatures => Request::MeterFeatures,
            MultipartKind::TableFeatures => Request::TableFeatures(decode_all(r, src)?),
            MultipartKind::PortDesc => Request::PortDesc(PortNo(padded_number(r)?)),
            MultipartKind::TableDesc => Request::TableDesc,
            MultipartKind::QueueDesc => Request::QueueDesc(Part::decode(r, src)?),
            MultipartKind::FlowMonitor => Request::FlowMonitor(decode_all(r, src)?),
            MultipartKind::Experimenter => Request::Experimenter(Part::decode(r, src)?),
            MultipartKind::FlowStats | MultipartKind::Unknown(_) => Request::Raw(kind, share_rest(r, src)),
        };
        r.finish()?;
        Ok(request)
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        match self {
            Request::FlowDesc(filter) | Request::Aggregate(filter) => filter.encode(w),
            Request::PortStats(port) | Request::PortDesc(port) => put_padded_number(w, port.0),
            Request::QueueStats(filter) | Request::QueueDesc(filter) => filter.encode(w),
            Request::GroupStats(group) | Request::GroupDesc(group) => put_padded_number(w, group.0),
            Request::MeterStats(meter) | Request::MeterConfig(meter) => put_padded_number(w, meter.0),
            Request::TableFeatures(tables) => encode_all(tables, w),
            Request::FlowMonitor(monitors) => encode_all(monitors, w),
            Request::Experimenter(part) => part.encode(w),
            Request::Raw(_, body) => w.bytes(body),
            Request::Desc
            | Request::TableStats
            | Request::GroupFeatures
            | Request::MeterFeatures
            | Request::TableDesc => {}
        }
    }
}

fn padded_number(r: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let number = r.u32()?;
    r.skip(4)?;
    Ok(number)
}

fn put_padded_number(w: &mut Writer, number: u32) {
    w.u32(number);
    w.zeros(4);
}
