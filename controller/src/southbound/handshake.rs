//! The beginning of a switch's connection: the version is agreed on, the switch says whose it is, and is asked to tell of
//! what others change.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tracing::{debug, info};
use weft_model::HostIndex;
use weft_openflow::message::multipart::{MonitorFlags, MonitorRequest, Request};
use weft_openflow::message::{
    AsyncConfig, AsyncEvent, AsyncRole, ErrorCode, ErrorMessage, Hello, Message, VERSION,
};
use weft_openflow::{Writer, Xid};

use super::datapath::{HostTag, owner_of};
use super::frames::Frames;
use super::line::Line;
use super::meters::{Inspection, METERS};
use super::questions::{self, PACKETS};
use super::switch::SessionError;

/// How long a switch may take for each step of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Xids of our own requests: below those of read-backs and parcels.
const HELLO: Xid = Xid(1);
const FEATURES: Xid = Xid(2);
/// The request to tell of group and meter changes.
pub const LISTEN: Xid = Xid(4);
/// The request to tell of flow changes.
pub const MONITOR: Xid = Xid(5);
/// Both kinds of requests that a switch forwards: group and meter changes (`OFPRFR_GROUP_MOD`, `OFPRFR_METER_MOD`).
const GROUPS_AND_METERS: u32 = 0b11;

/// Agrees on the version and learns whose switch it is.
///
/// # Errors
/// When the switch is silent, strange or not ours.
pub async fn shake(frames: &mut Frames, line: &Line) -> Result<(HostIndex, HostTag), SessionError> {
    line.say(Message::Hello(Hello::ours()).encode(HELLO))?;
    loop {
        match next(frames, line).await? {
            (_, Message::Hello(hello)) if hello.speaks(VERSION) => break,
            (xid, Message::Hello(_)) => {
                let code = ErrorCode::HELLO_INCOMPATIBLE;
                let data = Bytes::from_static(b"Weft speaks OpenFlow 1.5");
                line.say(Message::Error(ErrorMessage { code, data }).encode(xid))?;
                return Err(SessionError::Version);
            }
            (_, other) => debug!(kind = ?other.kind(), "message before hello"),
        }
    }
    line.say(Message::FeaturesRequest.encode(FEATURES))?;
    loop {
        match next(frames, line).await? {
            (_, Message::FeaturesReply(features)) => {
                let id = features.datapath_id;
                return owner_of(id.0).ok_or_else(|| SessionError::Stranger(id.to_string()));
            }
            (_, other) => debug!(kind = ?other.kind(), "message before the features"),
        }
    }
}

/// Gives the switch its meters, before any flow that names one.
///
/// # Errors
/// When the switch is silent or strange. One without meters is served all the same: what it cannot take it refuses.
pub async fn provide_meters(frames: &mut Frames, line: &Line) -> Result<(), SessionError> {
    let mut inspection = Inspection::default();
    line.say(Inspection::ask())?;
    loop {
        match next(frames, line).await? {
            (METERS, Message::MultipartReply(part)) => {
                if let Some(changes) = inspection.take(part) {
                    return Ok(line.say(changes)?);
                }
            }
            (METERS, Message::Error(error)) => {
                info!(code = %error.code, "the switch has no meters");
                return Ok(());
            }
            (_, other) => debug!(kind = ?other.kind(), "message before the meters"),
        }
    }
}

/// The next message that is no probe: those are answered.
async fn next(frames: &mut Frames, line: &Line) -> Result<(Xid, Message), SessionError> {
    loop {
        let frame = timeout(HANDSHAKE, frames.next()).await.map_err(|_| SessionError::Silent)??;
        let frame = frame.ok_or(SessionError::Closed)?;
        match Message::decode(&frame).map_err(SessionError::Handshake)? {
            (header, Message::EchoRequest(data)) => line.say(Message::EchoReply(data).encode(header.xid))?,
            (header, message) => return Ok((header.xid, message)),
        }
    }
}

/// Asks for packets in the form that carries userdata, and to be told of what others change: flows by a flow monitor (own changes are told as a bare xid), groups and
/// meters by forwarded requests. Sent before the first read-back, so that nothing falls between the two. A switch that
/// knows neither answers with errors, and is watched by audits alone.
pub fn watch() -> Bytes {
    let forwarded =
        AsyncConfig::default().with(AsyncEvent::RequestForward, AsyncRole::PrimaryOrEqual, GROUPS_AND_METERS);
    let changes = MonitorFlags::ADD | MonitorFlags::REMOVED | MonitorFlags::MODIFY;
    let monitor = Request::FlowMonitor(vec![MonitorRequest::all(1, changes)]);
    let mut writer = Writer::new();
    questions::request().encode_into(PACKETS, &mut writer);
    Message::SetAsync(forwarded).encode_into(LISTEN, &mut writer);
    Message::MultipartRequest((&monitor).into()).encode_into(MONITOR, &mut writer);
    writer.into_bytes()
}
