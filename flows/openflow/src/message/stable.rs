//! The promise that fuzzing tests: whatever bytes come, reading them never panics, and what could be read is
//! written so that it reads the same again.

use super::{Message, MultipartReply, MultipartRequest, frame_length};
use crate::error::DecodeError;
use crate::ids::Xid;
use bytes::Bytes;

/// How a message broke the promise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstable {
    /// What was written cannot be read.
    #[error("what was written cannot be read: {0}")]
    Unreadable(#[source] DecodeError),
    /// What was written reads differently.
    #[error("what was written reads differently")]
    Different,
    /// The entries of an answer read differently one by one.
    #[error("flows read one by one are not the flows of the answer")]
    Entries,
}

/// Reads `data` as one message and holds the promise against it. Bytes that are no message keep it.
///
/// # Errors
/// How the promise was broken.
pub fn check_message(data: &[u8]) -> Result<(), Unstable> {
    // Cutting a stream must survive anything, too.
    let _ = frame_length(data);
    let src = Bytes::copy_from_slice(data);
    let Ok((header, message)) = Message::decode(&src) else { return Ok(()) };
    check_round(header.xid, &message)?;
    match &message {
        Message::MultipartRequest(request) => check_request(request),
        Message::MultipartReply(reply) => check_reply(reply),
        _ => Ok(()),
    }
}

fn check_round(xid: Xid, message: &Message) -> Result<(), Unstable> {
    // Reading can make a message longer (padding that was missing is made anew) and so too long.
    let Ok(written) = message.try_encode(xid) else { return Ok(()) };
    let (header, again) = Message::decode(&written).map_err(Unstable::Unreadable)?;
    if header.xid == xid && again == *message { Ok(()) } else { Err(Unstable::Different) }
}

fn check_request(request: &MultipartRequest) -> Result<(), Unstable> {
    let Ok(read) = request.decode() else { return Ok(()) };
    let written = MultipartRequest::from(&read);
    let again = written.decode().map_err(Unstable::Unreadable)?;
    if again == read { Ok(()) } else { Err(Unstable::Different) }
}

fn check_reply(reply: &MultipartReply) -> Result<(), Unstable> {
    let entries: Vec<_> = reply.flows().collect();
    let Ok(read) = reply.decode() else { return Ok(()) };
    let written = MultipartReply::from(&read);
    let again = written.decode().map_err(Unstable::Unreadable)?;
    if again != read {
        return Err(Unstable::Different);
    }
    let super::multipart::Reply::FlowDesc(flows) = &read else { return Ok(()) };
    let same = entries.len() == flows.len()
        && entries.iter().zip(flows).all(|(entry, flow)| match entry {
            Ok(entry) => {
                entry.matching().as_ref() == Ok(&flow.matching)
                    && entry.instructions().as_ref() == Ok(&flow.instructions)
                    && entry.stats().as_ref() == Ok(&flow.stats)
                    && (entry.table, entry.priority, entry.cookie) == (flow.table, flow.priority, flow.cookie)
            }
            // Padding that is cut off is tolerated by the one and not by the other.
            Err(_) => true,
        });
    if same { Ok(()) } else { Err(Unstable::Entries) }
}
