//! `weft applied`, `weft whoami` and `weft version`: how far things have got, and who is asking.

use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{self, Format, Surface};
use crate::session::Session;

/// What to wait for.
#[derive(Debug, Args)]
pub struct Applied {
    /// The revision that a write was answered with.
    revision: u64,
}

/// Waits until a revision is in force on every switch that it concerns.
///
/// # Errors
/// [`Failure::NotApplied`] when the time is up.
pub async fn applied(session: &Session, wanted: &Applied) -> Result<(), Failure> {
    session.applied(wanted.revision).await?;
    match session.format {
        Format::Table => output::write(&format!("revision {} is applied\n", wanted.revision)),
        Format::Json => output::write_json(&json!({ "revision": wanted.revision, "applied": true })),
        Format::Id => Ok(()),
    }
}

/// Says who the token speaks for.
///
/// # Errors
/// What the API says.
pub async fn whoami(session: &Session) -> Result<(), Failure> {
    let who = session.client.whoami().await?;
    match session.format {
        Format::Table => output::write(&output::fields(Surface::of_stdout(), &who)?),
        Format::Json => output::write_json(&who),
        Format::Id => output::write(&format!("{}\n", who.tenant_id.as_deref().unwrap_or(&who.role))),
    }
}

/// Says which version this is and, if it can be reached, which the controller is.
///
/// # Errors
/// When it cannot be written; an absent controller is no error.
pub async fn version(session: &Session) -> Result<(), Failure> {
    let ours = env!("CARGO_PKG_VERSION");
    let theirs = session.client.ready().await.ok().map(|health| health.version);
    if session.format == Format::Json {
        return output::write_json(&json!({ "weft": ours, "controller": theirs }));
    }
    let theirs = theirs.as_deref().unwrap_or("not reachable");
    output::write(&format!("weft {ours}\ncontroller {theirs}\n"))
}
