//! Being asked to stop: what has been begun is undone and not left lying about.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::error::AgentError;

/// Tells whether someone asked us to stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Nobody ever asks.
    pub fn never() -> Stop {
        Stop(watch::channel(false).1)
    }

    /// SIGINT and SIGTERM ask.
    ///
    /// # Errors
    /// [`AgentError::Kernel`] when signals cannot be listened to.
    pub fn on_signals() -> Result<Stop, AgentError> {
        let failed = || AgentError::kernel("listening to signals");
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed())?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed())?;
        let (asked, stop) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // Kept until someone asks: a sender that is gone means never.
            let _ = asked.send(true);
        });
        Ok(Stop(stop))
    }

    /// An error if someone has asked: between two steps, so that none is left half done.
    ///
    /// # Errors
    /// [`AgentError::Interrupted`].
    pub fn check(&self) -> Result<(), AgentError> {
        if *self.0.borrow() { Err(AgentError::Interrupted) } else { Ok(()) }
    }

    /// Waits for something that may be given up at any time, unless someone asks.
    ///
    /// # Errors
    /// [`AgentError::Interrupted`], or what was waited for.
    pub async fn during<T>(
        &mut self,
        wait: impl Future<Output = Result<T, AgentError>>,
    ) -> Result<T, AgentError> {
        let asked = async {
            if self.0.wait_for(|asked| *asked).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            result = wait => result,
            () = asked => Err(AgentError::Interrupted),
        }
    }
}
