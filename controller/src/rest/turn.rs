//! Work that may take long: on a thread of its own, and only so much of its kind at a time.

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::failure::Failure;

/// Waits for a turn and does the work. The turn is over with the work, also when nobody waits for it any more.
pub(super) async fn take<T: Send + 'static>(
    turns: &'static Semaphore,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let turn = turns.acquire().await.map_err(|_| Failure::of_status(StatusCode::SERVICE_UNAVAILABLE))?;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await.map_err(|_| Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR))
}
