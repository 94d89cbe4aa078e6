//! Cuts a stream of bytes into JSON objects, looking at every byte once.
//!
//! OVSDB messages have no length in front and no separator between them (RFC 7047 section 4), so the end of one is
//! found by following brackets and strings. The place reached is kept between reads: a message of n bytes costs n
//! steps, however many reads it arrives in.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::Decoder;

/// The longest message taken unless the session says otherwise, in bytes.
pub const DEFAULT_MESSAGE_LIMIT: usize = 256 * 1024 * 1024;

/// Finds the ends of messages in a growing buffer.
#[derive(Debug)]
pub struct Framing {
    limit: usize,
    /// How much of the buffer has been looked at.
    scanned: usize,
    /// Bytes of the stream that lie before the buffer.
    consumed: u64,
    depth: usize,
    place: Place,
}

/// Why a stream of bytes is not a stream of messages. Offsets count from the start of the stream.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A message starts with something other than `{`.
    #[error("the message at byte {offset} starts with {byte:#04x}, not with an object")]
    NotAnObject {
        /// Where.
        offset: u64,
        /// What was found there.
        byte: u8,
    },
    /// A message is longer than the limit.
    #[error("the message that starts at byte {offset} is longer than {limit} bytes")]
    TooLong {
        /// Where it starts.
        offset: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// The stream ends in the middle of a message.
    #[error("the stream ends at byte {offset} in the middle of a message")]
    Truncated {
        /// Where it ends.
        offset: u64,
    },
    /// Reading failed.
    #[error("could not read")]
    Read(#[from] io::Error),
}

/// Where in the text the scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Between,
    Structure,
    Text,
    Escape,
}

impl Framing {
    /// The start of a stream whose messages may be `limit` bytes long.
    pub fn new(limit: usize) -> Self {
        Framing { limit, scanned: 0, consumed: 0, depth: 0, place: Place::Between }
    }

    /// How many bytes of the stream have been looked at: never more than have been received.
    pub fn scanned(&self) -> u64 {
        self.consumed + self.scanned as u64
    }

    /// Takes one byte in; true when it ends a message.
    fn step(&mut self, byte: u8) -> bool {
        match (self.place, byte) {
            (Place::Between, _) => {
                self.place = Place::Structure;
                self.depth = 1;
            }
            (Place::Structure, b'"') => self.place = Place::Text,
            (Place::Structure, b'{' | b'[') => self.depth += 1,
            (Place::Structure, b'}' | b']') => self.depth -= 1,
            (Place::Structure, _) => {}
            (Place::Text, b'"') => self.place = Place::Structure,
            (Place::Text, b'\\') => self.place = Place::Escape,
            (Place::Text, _) => {}
            (Place::Escape, _) => self.place = Place::Text,
        }
        self.depth == 0
    }

    /// Drops the blanks between messages and checks that the next message starts as one must.
    fn start_message(&mut self, buffer: &mut BytesMut) -> Result<(), FrameError> {
        let blanks = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        buffer.advance(blanks);
        self.consumed += blanks as u64;
        match buffer.first() {
            Some(&byte) if byte != b'{' => Err(FrameError::NotAnObject { offset: self.consumed, byte }),
            _ => Ok(()),
        }
    }
}

impl Decoder for Framing {
    type Item = Bytes;
    type Error = FrameError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        if self.place == Place::Between {
            self.start_message(buffer)?;
        }
        let reach = buffer.len().min(self.limit);
        while self.scanned < reach {
            let byte = buffer[self.scanned];
            self.scanned += 1;
            if self.step(byte) {
                let frame = buffer.split_to(self.scanned).freeze();
                self.consumed += frame.len() as u64;
                self.scanned = 0;
                self.place = Place::Between;
                return Ok(Some(frame));
            }
        }
        if self.scanned >= self.limit {
            return Err(FrameError::TooLong { offset: self.consumed, limit: self.limit });
        }
        Ok(None)
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        match self.decode(buffer)? {
            None if self.place != Place::Between => Err(FrameError::Truncated { offset: self.scanned() }),
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(chunks: &[&[u8]], limit: usize) -> Result<Vec<String>, FrameError> {
        let (mut framing, mut buffer, mut found) = (Framing::new(limit), BytesMut::new(), Vec::new());
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            while let Some(frame) = framing.decode(&mut buffer)? {
                found.push(String::from_utf8_lossy(&frame).into_owned());
            }
        }
        while let Some(frame) = framing.decode_eof(&mut buffer)? {
            found.push(String::from_utf8_lossy(&frame).into_owned());
        }
        Ok(found)
    }

    #[test]
    fn messages_end_where_their_brackets_close() {
        let both = cut(&[br#" {"a":"}\"]{","b":[{}]}{"c":"\\"} "#], 100).expect("two messages");
        assert_eq!(both, [r#"{"a":"}\"]{","b":[{}]}"#, r#"{"c":"\\"}"#]);
    }

    #[test]
    fn strangers_and_giants_are_refused_with_their_place() {
        assert!(matches!(
            cut(&[b"{} \nGET / HTTP/1.1"], 100),
            Err(FrameError::NotAnObject { offset: 4, byte: b'G' })
        ));
        for giant in
            [&[&br#" {"a":"0123456789"#[..], b"0123456789"][..], &[br#" {"a":"01234567890123456789"}"#]]
        {
            assert!(matches!(cut(giant, 20), Err(FrameError::TooLong { offset: 1, limit: 20 })));
        }
        assert!(matches!(cut(&[b"{}{\"a"], 20), Err(FrameError::Truncated { offset: 5 })));
        assert_eq!(cut(&[b"{\"a\":1}"], 7).expect("exactly at the limit"), ["{\"a\":1}"]);
    }

    /// A long message in many reads costs one look per byte.
    #[test]
    fn ten_megabytes_are_looked_at_once() {
        let message = serde_json::json!({ "params": vec!["\\\"[{"; 1_200_000] }).to_string();
        assert!(message.len() > 10_000_000);
        let (mut framing, mut buffer, mut received, mut found) =
            (Framing::new(1 << 25), BytesMut::new(), 0, 0);
        for chunk in message.as_bytes().chunks(4096) {
            buffer.extend_from_slice(chunk);
            received += chunk.len() as u64;
            found += usize::from(framing.decode(&mut buffer).expect("valid").is_some());
            assert_eq!(framing.scanned(), received);
        }
        assert_eq!(found, 1);
    }

    proptest! {
        /// However the stream is chopped up, the same messages come out.
        #[test]
        fn chopping_changes_nothing(texts in prop::collection::vec(".{0,12}", 1..5), size in 1usize..7) {
            let messages: Vec<String> =
                texts.iter().map(|text| serde_json::json!({ "t": [text, {}], "u": text }).to_string()).collect();
            let stream = messages.join("\n ");
            let chunks: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
            prop_assert_eq!(cut(&chunks, 4096).expect("valid"), messages);
        }
    }
}
