//! The REST server (being built by its own room; this is the door that `app.rs` uses).

use axum::Router;
use axum::routing::get;

use crate::config::Authentication;
use crate::desk::Desk;
use crate::metrics::Metrics;
use crate::status::Board;

/// What the server needs besides the desk and the board.
#[derive(Debug, Clone)]
pub struct Config {
    /// Counters; `metrics.page(&desk, &board)` is what `/metrics` answers.
    pub metrics: Metrics,
    /// Whether callers must show a token.
    pub authentication: Authentication,
}

/// All routes.
pub fn router(desk: Desk, board: Board, config: Config) -> Router {
    let ready = board.clone();
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(move || async move { if ready.ready() { "ready" } else { "starting" } }))
        .route("/metrics", get(move || async move { config.metrics.page(&desk, &board) }))
}
