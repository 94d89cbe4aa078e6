//! The wish to end: Ctrl-C, SIGTERM or a closed terminal, noted between two steps so that clean-up is always the same.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody asked for the end. Clones mean the same.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl Interrupt {
    /// From now on the signals no longer end the process.
    pub fn watch() -> Result<Interrupt> {
        let interrupt = Interrupt::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let mut signals = {
            let _inside = runtime.enter();
            let on = |kind| signal(kind).context("watching for signals");
            [on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?]
        };
        let told = interrupt.clone();
        thread::spawn(move || {
            let [int, term, hup] = &mut signals;
            runtime.block_on(async {
                tokio::select! {
                    _ = int.recv() => {}
                    _ = term.recv() => {}
                    _ = hup.recv() => {}
                }
            });
            let (came, bell) = &*told.shared;
            *came.lock().unwrap_or_else(PoisonError::into_inner) = true;
            bell.notify_all();
            // The signals stay caught: a second Ctrl-C must not cut the clean-up short.
            runtime.block_on(std::future::pending::<()>());
        });
        Ok(interrupt)
    }

    /// Whether a signal has come.
    pub fn came(&self) -> bool {
        *self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a signal.
    pub fn wait(&self) {
        let (came, bell) = &*self.shared;
        let held = came.lock().unwrap_or_else(PoisonError::into_inner);
        drop(bell.wait_while(held, |came| !*came));
    }
}
