//! A switch's meters, which stand in no bundle: read when a session begins and when somebody else has changed them, and
//! put right at once.

use bytes::Bytes;
use weft_compiler::meters;
use weft_openflow::message::Message;
use weft_openflow::message::multipart::{MultipartReply, Reassembler, Reply, Request};
use weft_openflow::{MeterId, Writer, Xid};

/// The xid of the question, and of all that follows from its answer.
pub const METERS: Xid = meters::XID;
/// How long an answer may be: some thousand meters.
const LONGEST: usize = 1 << 20;

/// What meters a switch has, while it tells.
#[derive(Debug)]
pub struct Inspection(Reassembler);

/// Nothing told yet.
impl Default for Inspection {
    fn default() -> Inspection {
        Inspection(Reassembler::new(LONGEST, 1))
    }
}

impl Inspection {
    /// The question.
    pub fn ask() -> Bytes {
        Message::MultipartRequest((&Request::MeterConfig(MeterId::ALL)).into()).encode(METERS)
    }

    /// Takes a part of the answer. With the last one come the messages that put everything right, which may be none; an
    /// answer that cannot be used counts as that of a switch without meters.
    pub fn take(&mut self, part: MultipartReply) -> Option<Bytes> {
        let seen = match self.0.push(METERS, part) {
            Ok(None) => return None,
            Ok(Some(whole)) => match whole.decode() {
                Ok(Reply::MeterConfig(seen)) => seen,
                _ => Vec::new(),
            },
            Err(_) => Vec::new(),
        };
        let mut writer = Writer::new();
        for change in meters::mend(&seen) {
            Message::MeterMod(change).encode_into(METERS, &mut writer);
        }
        Some(writer.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(seen: Vec<weft_openflow::message::multipart::MeterConfig>) -> MultipartReply {
        MultipartReply::from(&Reply::MeterConfig(seen))
    }

    #[test]
    fn a_switch_that_has_them_gets_nothing_and_one_without_gets_all() {
        let right: Vec<_> = meters::wanted().collect();
        assert_eq!(Inspection::default().take(told(right)), Some(Bytes::new()));
        let all = Inspection::default().take(told(Vec::new())).expect("the only part");
        assert_eq!(all.len(), meters::wanted().count() * (16 + 16));
    }
}
