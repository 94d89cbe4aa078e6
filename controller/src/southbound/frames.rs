//! Cuts a stream of bytes into OpenFlow messages; an idle connection holds no buffer.

use std::io;

use bytes::{Bytes, BytesMut};
use futures::poll;
use std::pin::pin;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::tcp::OwnedReadHalf;
use weft_openflow::message::frame_length;

/// How much is read at once; the longest message is 65,535 bytes.
const CHUNK: usize = 16 << 10;

/// The receiving side of a connection.
#[derive(Debug)]
pub struct Frames<R = OwnedReadHalf> {
    socket: R,
    buffer: BytesMut,
}

impl Frames {
    /// Waits until there is something to read, or nothing more will come.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// The next message, however long it takes. Losing the future loses nothing.
    ///
    /// # Errors
    /// As [`Frames::fill`].
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(frame) = self.cut()? {
                return Ok(Some(frame));
            }
            self.readable().await?;
            if self.fill().await? == Filled::End {
                return Ok(None);
            }
        }
    }
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// Bytes.
    Some,
    /// Nothing at the moment.
    Nothing,
    /// The other side has closed the connection.
    End,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    /// Messages from this socket.
    pub fn new(socket: R) -> Frames<R> {
        Frames { socket, buffer: BytesMut::new() }
    }

    /// Reads once, without waiting.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn fill(&mut self) -> io::Result<Filled> {
        self.buffer.reserve(CHUNK);
        match poll!(pin!(self.socket.read_buf(&mut self.buffer))) {
            Poll::Pending => {
                self.rest();
                Ok(Filled::Nothing)
            }
            Poll::Ready(Ok(0)) => Ok(Filled::End),
            Poll::Ready(Ok(_)) => Ok(Filled::Some),
            Poll::Ready(Err(error)) => Err(error),
        }
    }

    /// The next whole message that was read, header included.
    ///
    /// # Errors
    /// A length below the header's: there is no way to find the next message after it.
    pub fn cut(&mut self) -> io::Result<Option<Bytes>> {
        let length = frame_length(&self.buffer)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        match length {
            Some(length) if self.buffer.len() >= length => Ok(Some(self.buffer.split_to(length).freeze())),
            _ => {
                self.rest();
                Ok(None)
            }
        }
    }

    /// Gives the room back when nothing stands in it.
    fn rest(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_cut_wherever_the_stream_breaks() {
        let stream: Vec<u8> = [[6, 2, 0, 8, 0, 0, 0, 1], [6, 3, 0, 8, 0, 0, 0, 2]].concat();
        for cut in 0..=stream.len() {
            let (mut frames, mut found) = (Frames::new(tokio::io::empty()), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                frames.buffer.extend_from_slice(part);
                while let Some(message) = frames.cut().unwrap() {
                    found.push(message[7]);
                }
            }
            assert_eq!(found, [1, 2], "cut at {cut}");
            assert_eq!(frames.buffer.capacity(), 0, "nothing is held while nothing comes");
        }
    }

    #[tokio::test]
    async fn a_length_below_the_header_is_an_error() {
        let mut frames = Frames::new(&[6, 0, 0, 4, 0, 0, 0, 1][..]);
        assert_eq!(frames.fill().await.unwrap(), Filled::Some);
        assert!(frames.cut().is_err());
        assert_eq!(frames.fill().await.unwrap(), Filled::End);
    }
}
