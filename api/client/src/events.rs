//! Following what happens to objects: the events of `/v1/events`, over any number of connections.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::Value;
use weft_api::Event;

use crate::error::ClientError;
use crate::transport::Transport;

/// How long a stream may be silent: the controller says something every 15 seconds.
const SILENCE: Duration = Duration::from_secs(50);
/// How long to wait before coming back.
const PAUSE: Duration = Duration::from_secs(1);
/// How often to come back in vain before giving up.
const TRIES: u32 = 60;
/// No stream lasts longer.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What happens to objects, one event after the other. A stream that breaks off is taken up again where it was.
#[derive(Debug)]
pub struct Events<'a> {
    transport: &'a Transport,
    query: Vec<(&'a str, String)>,
    /// Where we are: the id of the last event, or the revision to begin at.
    place: Option<String>,
    stream: Option<Response>,
    /// What has come of an event that is not complete.
    rest: Vec<u8>,
    ready: VecDeque<Event>,
    /// Whether the controller has said that nothing more comes.
    ended: Option<String>,
}

impl<'a> Events<'a> {
    pub(crate) fn new(
        transport: &'a Transport,
        from: Option<u64>,
        query: Vec<(&'a str, String)>,
    ) -> Events<'a> {
        let place = from.map(|revision| revision.to_string());
        let (stream, rest, ready, ended) = Default::default();
        Events { transport, query, place, stream, rest, ready, ended }
    }

    /// The next event, waiting for it as long as it takes.
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the controller refuses, also with 410 when it does not remember that far back;
    /// [`ClientError::Ended`] when it ends the stream; [`ClientError::Send`] when it cannot be reached for a minute.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        let mut tries = 0;
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            if let Some(reason) = self.ended.take() {
                return Err(ClientError::Ended { reason });
            }
            let Some(stream) = &mut self.stream else {
                match self.connect().await {
                    Ok(()) => {}
                    Err(error) if tries < TRIES && is_passing(&error) => {
                        tries += 1;
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(error) => return Err(error),
                }
                continue;
            };
            match tokio::time::timeout(SILENCE, stream.chunk()).await {
                Ok(Ok(Some(bytes))) => {
                    self.rest.extend_from_slice(&bytes);
                    self.take_in();
                }
                Ok(Ok(None) | Err(_)) | Err(_) => {
                    self.stream = None;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        let mut query = self.query.clone();
        query.extend(self.place.clone().map(|place| ("from", place)));
        let (revision, stream) =
            self.transport.get(&["v1", "events"], &query).patience(FOREVER).open().await?;
        self.place.get_or_insert_with(|| revision.to_string());
        self.rest.clear();
        self.stream = Some(stream);
        Ok(())
    }

    /// Takes all that is complete out of what has come: events end with an empty line.
    fn take_in(&mut self) {
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.rest.drain(..end + 2).collect();
            let block = String::from_utf8_lossy(&block);
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            if let Some(id) = field("id: ") {
                self.place = Some(id.to_owned());
            }
            let Some(data) = field("data: ") else { continue };
            if field("event: ") == Some("end") {
                let said: Value = serde_json::from_str(data).unwrap_or_default();
                self.ended = Some(said["detail"].as_str().unwrap_or(data).to_owned());
            } else if let Ok(event) = serde_json::from_str(data) {
                self.ready.push_back(event);
            }
        }
    }
}

/// True for what may be over in a moment: a controller that starts again.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Send { .. } => true,
        ClientError::Refused(refusal) => refusal.status == StatusCode::SERVICE_UNAVAILABLE.as_u16(),
        _ => false,
    }
}
