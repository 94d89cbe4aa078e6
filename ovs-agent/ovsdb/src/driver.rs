//! The one loop that moves a session's bytes: reads, writes, probes and hands events on, each at its own pace.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::codec::Decoder;

use crate::conversation::{Command, Conversation, Event};
use crate::error::Error;
use crate::framing::Framing;
use crate::session::{Options, Shared};

/// Above this many bytes to be sent, nothing more is taken on until the peer has read some.
const OUTBOX_HIGH: usize = 1 << 20;
/// An empty buffer above this is given back: ten thousand quiet sessions must not each keep their largest message.
const KEPT_CAPACITY: usize = 1024;
/// How many bytes are read at once. They pass over the stack: ten thousand quiet sessions must not each keep a buffer for
/// what may come.
const READ_AT_ONCE: usize = 16 * 1024;

/// Keeps a session going. Nothing happens until [`Driver::run`] is polled; it returns when the session is over.
#[derive(Debug)]
pub struct Driver<S> {
    pub(crate) io: S,
    pub(crate) options: Options,
    pub(crate) shared: Arc<Shared>,
    pub(crate) commands: mpsc::Receiver<Box<Command>>,
    pub(crate) events: mpsc::Sender<Box<Event>>,
}

impl<S: AsyncRead + AsyncWrite> Driver<S> {
    /// Runs the session to its end. The reason goes to the session's events.
    pub async fn run(self) {
        let (reader, writer) = tokio::io::split(self.io);
        let mut turns = Turns {
            reader,
            writer,
            framing: Framing::new(self.options.message_limit),
            inbox: BytesMut::new(),
            conversation: Conversation::default(),
            commands: Some(self.commands),
            pulse: Pulse::new(self.options.probe_interval),
            shared: Arc::clone(&self.shared),
        };
        let reason = match turns.run(&self.events).await {
            Ok(()) => Error::Closed,
            Err(reason) => reason,
        };
        tracing::debug!(%reason, "a database session is over");
        self.shared.close();
        // Whoever still waits for an answer must hear of the end even if nobody takes events.
        drop(turns);
        let _ = self.events.send(Box::new(Event::Disconnected(reason))).await;
    }
}

struct Turns<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    framing: Framing,
    inbox: BytesMut,
    conversation: Conversation,
    /// Nothing once all clients are gone.
    commands: Option<mpsc::Receiver<Box<Command>>>,
    pulse: Pulse,
    shared: Arc<Shared>,
}

impl<S: AsyncRead + AsyncWrite> Turns<S> {
    async fn run(&mut self, events: &mpsc::Sender<Box<Event>>) -> Result<(), Error> {
        loop {
            let has_room = self.conversation.outbox.len() < OUTBOX_HIGH;
            let has_output = !self.conversation.outbox.is_empty();
            let has_event = self.conversation.has_event() && !events.is_closed();
            if self.commands.is_none() && events.is_closed() {
                return self.finish().await;
            }
            tokio::select! {
                read = read_some(&mut self.reader, &mut self.inbox), if has_room => match read {
                    Ok(0) => return Err(self.end_of_stream()),
                    Ok(_) => self.handle_input()?,
                    Err(source) => return Err(Error::Receive(source.into())),
                },
                sent = self.writer.write_buf(&mut self.conversation.outbox), if has_output => {
                    sent.map_err(Error::Send)?;
                    release(&mut self.conversation.outbox);
                }
                command = next_command(&mut self.commands), if has_room => match command {
                    Some(command) => if !self.conversation.handle_command(*command) {
                        return self.finish().await;
                    },
                    None => self.commands = None,
                },
                Ok(permit) = events.reserve(), if has_event => {
                    if let Some(event) = self.conversation.poll_event() {
                        permit.send(Box::new(event));
                    }
                }
                () = events.closed(), if self.commands.is_none() => {}
                () = self.pulse.due() => self.handle_silence()?,
            }
        }
    }

    fn handle_input(&mut self) -> Result<(), Error> {
        self.pulse.heard();
        while let Some(frame) = self.framing.decode(&mut self.inbox)? {
            tracing::trace!(bytes = frame.len(), "a message came");
            self.conversation.handle_message(&frame)?;
        }
        release(&mut self.inbox);
        Ok(())
    }

    fn handle_silence(&mut self) -> Result<(), Error> {
        match self.pulse.missed() {
            Silence::Probe => self.conversation.probe(self.shared.next_id()),
            Silence::Dead(after) => return Err(Error::Silent(after)),
        }
        Ok(())
    }

    fn end_of_stream(&mut self) -> Error {
        match self.framing.decode_eof(&mut self.inbox) {
            Err(broken) => broken.into(),
            Ok(_) => Error::PeerClosed,
        }
    }

    /// Sends what is left and says goodbye; a peer that does not read can't hold us longer than a probe would.
    async fn finish(&mut self) -> Result<(), Error> {
        let patience = self.pulse.interval.unwrap_or(Duration::from_secs(5));
        let goodbye = async {
            self.writer.write_all_buf(&mut self.conversation.outbox).await?;
            self.writer.shutdown().await
        };
        match tokio::time::timeout(patience, goodbye).await {
            Ok(sent) => sent.map_err(Error::Send),
            Err(_) => Err(Error::Silent(patience)),
        }
    }
}

async fn next_command(commands: &mut Option<mpsc::Receiver<Box<Command>>>) -> Option<Box<Command>> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
    }
}

/// Reads what has come; 0 at the end of the stream. Dropping the wait loses nothing.
async fn read_some<R: AsyncRead>(reader: &mut ReadHalf<R>, inbox: &mut BytesMut) -> std::io::Result<usize> {
    poll_fn(|cx| {
        let mut place = [MaybeUninit::uninit(); READ_AT_ONCE];
        let mut buffer = ReadBuf::uninit(&mut place);
        ready!(Pin::new(&mut *reader).poll_read(cx, &mut buffer))?;
        inbox.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    })
    .await
}

fn release(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > KEPT_CAPACITY {
        *buffer = BytesMut::new();
    }
}

/// When the peer was last heard of.
struct Pulse {
    interval: Option<Duration>,
    deadline: Instant,
    is_probed: bool,
}

enum Silence {
    Probe,
    Dead(Duration),
}

impl Pulse {
    fn new(interval: Option<Duration>) -> Self {
        Pulse { interval, deadline: Instant::now() + interval.unwrap_or_default(), is_probed: false }
    }

    fn heard(&mut self) {
        self.is_probed = false;
        self.deadline = Instant::now() + self.interval.unwrap_or_default();
    }

    /// Waits until it has been quiet for an interval, for ever if there is none.
    async fn due(&self) {
        match self.interval {
            Some(_) => tokio::time::sleep_until(self.deadline).await,
            None => std::future::pending().await,
        }
    }

    fn missed(&mut self) -> Silence {
        let interval = self.interval.unwrap_or_default();
        if self.is_probed {
            return Silence::Dead(2 * interval);
        }
        self.is_probed = true;
        self.deadline = Instant::now() + interval;
        Silence::Probe
    }
}
