//! Cuts a stream of bytes into OpenFlow messages.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder;
use weft_openflow::message::frame_length;

/// Yields whole messages, header included. A length below the header's is an error that ends the connection: there is
/// no way to find the next message after it.
#[derive(Debug, Default)]
pub struct Frames;

impl Decoder for Frames {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let length =
            frame_length(source).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        match length {
            Some(length) if source.len() >= length => Ok(Some(source.split_to(length).freeze())),
            Some(length) => {
                source.reserve(length - source.len());
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_wherever_the_stream_breaks() {
        let stream: Vec<u8> = [[6, 2, 0, 8, 0, 0, 0, 1], [6, 3, 0, 8, 0, 0, 0, 2]].concat();
        for cut in 0..=stream.len() {
            let (mut frames, mut buffer, mut found) = (Frames, BytesMut::new(), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                buffer.extend_from_slice(part);
                while let Some(message) = frames.decode(&mut buffer).unwrap() {
                    found.push(message[7]);
                }
            }
            assert_eq!(found, [1, 2], "cut at {cut}");
        }
    }

    #[test]
    fn a_length_below_the_header_is_an_error() {
        let mut buffer = BytesMut::from(&[6, 0, 0, 4, 0, 0, 0, 1][..]);
        assert!(Frames.decode(&mut buffer).is_err());
    }
}
