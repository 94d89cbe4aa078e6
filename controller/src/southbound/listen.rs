//! Accepts connections, a bounded number at a time, and gives each its own task.

use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span, warn};

/// What is listened for.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What the log calls it.
    pub name: &'static str,
    /// How many connections are served at once; more wait in the listen queue.
    pub most: usize,
}

/// How long to wait after the operating system refused a connection (most likely for lack of descriptors).
const PAUSE: Duration = Duration::from_millis(100);
/// How many refusals in a row make one line in the log: ten seconds' worth.
const LOGGED_EVERY: u64 = 100;

/// Serves every connection with `serve` until `stop`, then waits for all of them to end.
pub async fn listen<F, S>(kind: Kind, listener: TcpListener, stop: CancellationToken, serve: S)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TcpStream) -> F,
{
    let Kind { name: kind, most } = kind;
    let room = Arc::new(Semaphore::new(most));
    let mut refused = 0u64;
    let mut tasks = JoinSet::new();
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(ended) = tasks.join_next() => {
                report(kind, ended);
                continue;
            }
        };
        match accepted {
            Ok((stream, peer)) => {
                refused = 0;
                // Small messages must not wait for one another (Nagle).
                if let Err(error) = stream.set_nodelay(true) {
                    warn!(kind, %peer, %error, "connection lost while it was accepted");
                    continue;
                }
                let session = serve(stream);
                let task = async move {
                    session.await;
                    drop(place);
                };
                tasks.spawn(task.instrument(info_span!("session", kind, %peer)));
            }
            // It went before it was taken; the next one may be fine.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if refused.is_multiple_of(LOGGED_EVERY) {
                    warn!(kind, %error, "cannot accept connections; those that there are go on");
                }
                refused += 1;
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
    while let Some(ended) = tasks.join_next().await {
        report(kind, ended);
    }
}

/// A panic in one session ends that session only.
fn report(kind: &'static str, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        warn!(kind, %error, "session task failed");
    }
}
