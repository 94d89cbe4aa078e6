//! What switches say unasked: port changes, packets, removed flows. Nothing of it is lost between the socket and here.
//!
//! Nobody acts on it yet, because ports' questions are answered by the sessions themselves and bindings come over OVSDB; it is
//! counted by kind and logged. Whoever will act on one of the kinds takes it from here.

use tokio::sync::mpsc;
use tracing::{debug, info};
use weft_model::HostIndex;
use weft_openflow::message::Message;

use crate::metrics::Metrics;

/// How many notices may wait before the sessions that bring them are held back.
pub const QUEUE: usize = 4096;

/// Something that a switch said unasked.
#[derive(Debug)]
pub struct Notice {
    /// Whose switch.
    pub host: HostIndex,
    /// What it said.
    pub message: Message,
}

/// Takes notices until all sessions are gone.
pub async fn run(mut inbox: mpsc::Receiver<Notice>, metrics: Metrics) {
    while let Some(Notice { host, message }) = inbox.recv().await {
        metrics.notice(message.kind());
        match message {
            Message::PortStatus(status) => debug!(%host, ?status, "port status"),
            Message::FlowRemoved(removed) => debug!(%host, ?removed, "flow removed"),
            Message::RoleStatus(status) => info!(%host, ?status, "another controller changed our role"),
            other => debug!(%host, message = ?other, "unsolicited message"),
        }
    }
}
