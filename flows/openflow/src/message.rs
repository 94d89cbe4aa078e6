//! Whole OpenFlow messages: bytes to [`Message`] and back.

mod async_config;
mod bucket;
mod bundle;
mod codec;
mod encoded;
mod error;
mod error_names;
mod features;
mod flow_mod;
mod flow_removed;
mod group;
mod header;
mod hello;
mod meter;
pub mod multipart;
pub mod nicira;
mod packet_in;
mod packet_out;
mod port;
mod role;
pub mod stable;
mod stats;
mod table;

pub use async_config::{AsyncConfig, AsyncEvent, AsyncProperty, AsyncRole};
pub use bucket::{Bucket, BucketProperty};
pub use bundle::{BundleAdd, BundleCommand, BundleControl, BundleFlags, BundleWriter};
pub use codec::{PaddedText, Property};
pub use encoded::{BucketParts, FlowParts, GroupParts};
pub use error::{ErrorCode, ErrorMessage};
pub use features::{Capabilities, DatapathId, Features, SwitchConfig};
pub use flow_mod::{FlowCommand, FlowMod};
pub use flow_removed::{FlowRemoved, FlowRemovedReason};
pub use group::{GroupCommand, GroupMod, GroupProperty, GroupType, Selection};
pub use header::{HEADER_LEN, Header, MAX_LEN, MessageKind, VERSION, frame_length};
pub use hello::{Hello, HelloElement};
pub use meter::{BandKind, MeterBand, MeterCommand, MeterFlags, MeterMod};
pub use multipart::{MultipartReply, MultipartRequest};
pub use nicira::{Experimenter, PacketInFormat};
pub use packet_in::{NO_BUFFER, PacketIn, PacketIn2, PacketInReason};
pub use packet_out::PacketOut;
pub use port::{
    EthernetFeatures, PortConfig, PortDesc, PortMod, PortModProperty, PortProperty, PortReason, PortState,
    PortStatus,
};
pub use role::{Role, RoleReason, RoleRequest, RoleStatus};
pub use stats::{FlowStats, RawStat};
pub use table::{TableConfig, TableDesc, TableMod, TableProperty, TableReason, TableStatus, Vacancy};

use crate::error::{DecodeError, DecodeErrorKind};
use crate::ids::Xid;
use crate::wire::{Reader, Writer};
use bytes::Bytes;
use codec::{Part, share_rest};
use header::Start;

/// Everything that travels on an OpenFlow 1.5 connection, without its transaction id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The versions that the sender speaks; understood in every version.
    Hello(Hello),
    /// A request could not be carried out.
    Error(ErrorMessage),
    /// Are you there? The answer carries the same data.
    EchoRequest(Bytes),
    /// I am here.
    EchoReply(Bytes),
    /// An extension's message, Nicira's among them.
    Experimenter(Experimenter),
    /// What are you?
    FeaturesRequest,
    /// What the switch is.
    FeaturesReply(Features),
    /// How are you configured?
    GetConfigRequest,
    /// How the switch is configured.
    GetConfigReply(SwitchConfig),
    /// Configure yourself so.
    SetConfig(SwitchConfig),
    /// A packet for the controller.
    PacketIn(PacketIn),
    /// A flow is gone.
    FlowRemoved(FlowRemoved),
    /// A port came, went or changed.
    PortStatus(PortStatus),
    /// A packet from the controller.
    PacketOut(PacketOut),
    /// Change flows.
    FlowMod(FlowMod),
    /// Change groups.
    GroupMod(GroupMod),
    /// Configure a port.
    PortMod(PortMod),
    /// Configure a table.
    TableMod(TableMod),
    /// Ask for descriptions or counters.
    MultipartRequest(MultipartRequest),
    /// Descriptions or counters, or a part of them.
    MultipartReply(MultipartReply),
    /// Finish everything that came before.
    BarrierRequest,
    /// Everything that came before is finished.
    BarrierReply,
    /// Which role does this connection have, or shall it have?
    RoleRequest(RoleRequest),
    /// The role this connection has.
    RoleReply(RoleRequest),
    /// Which events do you send me?
    GetAsyncRequest,
    /// The events the switch sends on this connection.
    GetAsyncReply(AsyncConfig),
    /// Send me these events.
    SetAsync(AsyncConfig),
    /// Change a meter.
    MeterMod(MeterMod),
    /// The role of this connection was changed.
    RoleStatus(RoleStatus),
    /// A table passed a threshold.
    TableStatus(TableStatus),
    /// Another controller changed a group or meter.
    RequestForward(RequestForward),
    /// Open, close, commit or discard a bundle.
    BundleControl(BundleControl),
    /// Put a message into a bundle.
    BundleAdd(BundleAdd),
    /// A message of another version or of a type that this crate does not know.
    Raw(RawMessage),
}

/// Another controller's request, as the switch forwards it (`ofp_requestforward_header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestForward {
    /// The transaction id that the request had.
    pub xid: Xid,
    /// The request.
    pub request: Box<Message>,
}

/// A message that is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMessage {
    /// The version in its header.
    pub version: u8,
    /// The type in its header, which means something only within the version.
    pub kind: MessageKind,
    /// What follows the header.
    pub body: Bytes,
}

impl Message {
    /// Reads one whole message; `buf` holds exactly that (see [`frame_length`]).
    ///
    /// Packets, echo data and multipart bodies share `buf` instead of being copied. A message of another
    /// version than 1.5 comes back as [`Message::Raw`], except a hello.
    ///
    /// # Errors
    /// What is wrong with the message and where; the stream itself stays in step, so the connection can go on.
    pub fn decode(buf: &Bytes) -> Result<(Header, Message), DecodeError> {
        let mut r = Reader::new(buf);
        let decoded = decode_nested(&mut r, buf)?;
        r.finish()?;
        Ok(decoded)
    }

    /// The message as bytes. They are empty when it is longer than 65,535 bytes, which OpenFlow cannot carry:
    /// use [`Message::try_encode`] where that can happen.
    pub fn encode(&self, xid: Xid) -> Bytes {
        self.try_encode(xid).unwrap_or_default()
    }

    /// The message as bytes.
    ///
    /// # Errors
    /// [`TooLong`] when the message, or a part of it, is longer than 65,535 bytes.
    pub fn try_encode(&self, xid: Xid) -> Result<Bytes, TooLong> {
        let mut w = Writer::with_capacity(64);
        self.encode_into(xid, &mut w);
        if w.is_oversize() { Err(TooLong { length: w.len() }) } else { Ok(w.into_bytes()) }
    }

    /// Appends the message to what was written before. When it is too long for OpenFlow,
    /// [`Writer::is_oversize`] tells so afterwards and the bytes must not be sent.
    pub fn encode_into(&self, xid: Xid, w: &mut Writer) {
        let version = match self {
            Message::Hello(hello) => hello.version,
            Message::Raw(raw) => raw.version,
            _ => VERSION,
        };
        Start { version, kind: self.kind(), xid }.framed(w, |w| self.encode_body(xid, w));
    }

    /// What kind of message this is.
    pub fn kind(&self) -> MessageKind {
        match self {
            Message::Hello(_) => MessageKind::Hello,
            Message::Error(_) => MessageKind::Error,
            Message::EchoRequest(_) => MessageKind::EchoRequest,
            Message::EchoReply(_) => MessageKind::EchoReply,
            Message::Experimenter(_) => MessageKind::Experimenter,
            Message::FeaturesRequest => MessageKind::FeaturesRequest,
            Message::FeaturesReply(_) => MessageKind::FeaturesReply,
            Message::GetConfigRequest => MessageKind::GetConfigRequest,
            Message::GetConfigReply(_) => MessageKind::GetConfigReply,
            Message::SetConfig(_) => MessageKind::SetConfig,
            Message::PacketIn(_) => MessageKind::PacketIn,
            Message::FlowRemoved(_) => MessageKind::FlowRemoved,
            Message::PortStatus(_) => MessageKind::PortStatus,
            Message::PacketOut(_) => MessageKind::PacketOut,
            Message::FlowMod(_) => MessageKind::FlowMod,
            Message::GroupMod(_) => MessageKind::GroupMod,
            Message::PortMod(_) => MessageKind::PortMod,
            Message::TableMod(_) => MessageKind::TableMod,
            Message::MultipartRequest(_) => MessageKind::MultipartRequest,
            Message::MultipartReply(_) => MessageKind::MultipartReply,
            Message::BarrierRequest => MessageKind::BarrierRequest,
            Message::BarrierReply => MessageKind::BarrierReply,
            Message::RoleRequest(_) => MessageKind::RoleRequest,
            Message::RoleReply(_) => MessageKind::RoleReply,
            Message::GetAsyncRequest => MessageKind::GetAsyncRequest,
            Message::GetAsyncReply(_) => MessageKind::GetAsyncReply,
            Message::SetAsync(_) => MessageKind::SetAsync,
            Message::MeterMod(_) => MessageKind::MeterMod,
            Message::RoleStatus(_) => MessageKind::RoleStatus,
            Message::TableStatus(_) => MessageKind::TableStatus,
            Message::RequestForward(_) => MessageKind::RequestForward,
            Message::BundleControl(_) => MessageKind::BundleControl,
            Message::BundleAdd(_) => MessageKind::BundleAdd,
            Message::Raw(raw) => raw.kind,
        }
    }

    fn encode_body(&self, xid: Xid, w: &mut Writer) {
        match self {
            Message::Hello(hello) => codec::encode_all(&hello.elements, w),
            Message::Error(error) => error.encode(w),
            Message::EchoRequest(data) | Message::EchoReply(data) => w.bytes(data),
            Message::Experimenter(message) => message.encode(w),
            Message::FeaturesReply(features) => features.encode(w),
            Message::GetConfigReply(config) | Message::SetConfig(config) => config.encode(w),
            Message::PacketIn(packet) => packet.encode(w),
            Message::FlowRemoved(flow) => flow.encode(w),
            Message::PortStatus(status) => status.encode(w),
            Message::PacketOut(packet) => packet.encode(w),
            Message::FlowMod(flow) => flow.encode(w),
            Message::GroupMod(group) => group.encode(w),
            Message::PortMod(port) => port.encode(w),
            Message::TableMod(table) => table.encode(w),
            Message::MultipartRequest(request) => request.encode(w),
            Message::MultipartReply(reply) => reply.encode(w),
            Message::RoleRequest(role) | Message::RoleReply(role) => role.encode(w),
            Message::GetAsyncReply(config) | Message::SetAsync(config) => config.encode(w),
            Message::MeterMod(meter) => meter.encode(w),
            Message::RoleStatus(status) => status.encode(w),
            Message::TableStatus(status) => status.encode(w),
            Message::RequestForward(forward) => forward.request.encode_into(forward.xid, w),
            Message::BundleControl(control) => control.encode(w),
            Message::BundleAdd(add) => add.encode(xid, w),
            Message::Raw(raw) => w.bytes(&raw.body),
            Message::FeaturesRequest
            | Message::GetConfigRequest
            | Message::BarrierRequest
            | Message::BarrierReply
            | Message::GetAsyncRequest => {}
        }
    }

    fn decode_body(header: &Header, r: &mut Reader<'_>, src: &Bytes) -> Result<Message, DecodeError> {
        if header.kind == MessageKind::Hello {
            return Hello::decode(header.version, r, src).map(Message::Hello);
        }
        if header.version != VERSION {
            return Ok(Message::raw(header, r, src));
        }
        Ok(match header.kind {
            MessageKind::Error => Message::Error(Part::decode(r, src)?),
            MessageKind::EchoRequest => Message::EchoRequest(share_rest(r, src)),
            MessageKind::EchoReply => Message::EchoReply(share_rest(r, src)),
            MessageKind::Experimenter => Message::Experimenter(Part::decode(r, src)?),
            MessageKind::FeaturesRequest => Message::FeaturesRequest,
            MessageKind::FeaturesReply => Message::FeaturesReply(Part::decode(r, src)?),
            MessageKind::GetConfigRequest => Message::GetConfigRequest,
            MessageKind::GetConfigReply => Message::GetConfigReply(Part::decode(r, src)?),
            MessageKind::SetConfig => Message::SetConfig(Part::decode(r, src)?),
            MessageKind::PacketIn => Message::PacketIn(Part::decode(r, src)?),
            MessageKind::FlowRemoved => Message::FlowRemoved(Part::decode(r, src)?),
            MessageKind::PortStatus => Message::PortStatus(Part::decode(r, src)?),
            MessageKind::PacketOut => Message::PacketOut(Part::decode(r, src)?),
            MessageKind::FlowMod => Message::FlowMod(Part::decode(r, src)?),
            MessageKind::GroupMod => Message::GroupMod(Part::decode(r, src)?),
            MessageKind::PortMod => Message::PortMod(Part::decode(r, src)?),
            MessageKind::TableMod => Message::TableMod(Part::decode(r, src)?),
            MessageKind::MultipartRequest => Message::MultipartRequest(Part::decode(r, src)?),
            MessageKind::MultipartReply => Message::MultipartReply(Part::decode(r, src)?),
            MessageKind::BarrierRequest => Message::BarrierRequest,
            MessageKind::BarrierReply => Message::BarrierReply,
            MessageKind::RoleRequest => Message::RoleRequest(Part::decode(r, src)?),
            MessageKind::RoleReply => Message::RoleReply(Part::decode(r, src)?),
            MessageKind::GetAsyncRequest => Message::GetAsyncRequest,
            MessageKind::GetAsyncReply => Message::GetAsyncReply(Part::decode(r, src)?),
            MessageKind::SetAsync => Message::SetAsync(Part::decode(r, src)?),
            MessageKind::MeterMod => Message::MeterMod(Part::decode(r, src)?),
            MessageKind::RoleStatus => Message::RoleStatus(Part::decode(r, src)?),
            MessageKind::TableStatus => Message::TableStatus(Part::decode(r, src)?),
            MessageKind::RequestForward => {
                let (inner, request) = decode_nested(r, src)?;
                Message::RequestForward(RequestForward { xid: inner.xid, request: Box::new(request) })
            }
            MessageKind::BundleControl => Message::BundleControl(Part::decode(r, src)?),
            MessageKind::BundleAdd => Message::BundleAdd(BundleAdd::decode(header, r, src)?),
            MessageKind::Hello | MessageKind::ControllerStatus | MessageKind::Unknown(_) => {
                Message::raw(header, r, src)
            }
        })
    }

    fn raw(header: &Header, r: &mut Reader<'_>, src: &Bytes) -> Message {
        Message::Raw(RawMessage { version: header.version, kind: header.kind, body: share_rest(r, src) })
    }
}

/// A message is longer than OpenFlow can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {length} bytes does not fit OpenFlow's 65535, or a part of it does not fit its place")]
pub struct TooLong {
    /// How many bytes it would have.
    pub length: usize,
}

/// Reads a message that something may follow, and that may itself stand in a message.
fn decode_nested(r: &mut Reader<'_>, src: &Bytes) -> Result<(Header, Message), DecodeError> {
    let start = r.clone();
    // The depth is bounded here because a bundle may hold a message that holds a message, and so on.
    let header = Header::decode(r)?;
    let length = usize::from(header.length) - HEADER_LEN;
    let mut body = r.nested(length).map_err(|error| match error.kind {
        DecodeErrorKind::BadLength => start.error(DecodeErrorKind::BadLength),
        _ => error,
    })?;
    let message = Message::decode_body(&header, &mut body, src)?;
    // Old hellos may end in anything.
    if header.kind != MessageKind::Hello {
        body.finish()?;
    }
    Ok((header, message))
}
