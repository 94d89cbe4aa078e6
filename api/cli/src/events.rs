//! `weft events` and `--watch`: what happens to objects, one line for each change, until interrupted.

use clap::Args;
use serde_json::Value;
use weft_api::Event;

use crate::failure::Failure;
use crate::output::{self, Format};
use crate::session::{Names, Noun, Session};
use crate::verbs;

/// Which events to follow.
#[derive(Debug, Clone, Args)]
pub struct Follow {
    /// Begin after this revision, as far as the controller remembers; with what happens from now on when absent.
    #[arg(long, value_name = "REVISION")]
    from: Option<u64>,
    /// Only objects of this kind, like network or security_group_rule; may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only the object with this id; may be repeated.
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
}

/// Writes events as they come, until the controller refuses.
///
/// # Errors
/// What the API says.
pub async fn follow(session: &Session, wish: &Follow) -> Result<(), Failure> {
    let mut filters: Vec<(&str, String)> =
        wish.kind.iter().map(|kind| ("kind", kind.replace('-', "_"))).collect();
    filters.extend(wish.id.iter().map(|id| ("id", id.clone())));
    filters.extend(session.project().await?.map(|project| ("project_id", project)));
    let mut events = session.client.events(wish.from, filters);
    loop {
        let event = events.next().await?;
        output::write(&line(session.format, &event)?)?;
    }
}

fn line(format: Format, event: &Event) -> Result<String, Failure> {
    let Event { revision, verb, kind, id, .. } = event;
    Ok(match format {
        Format::Json => format!("{}\n", serde_json::to_string(event)?),
        Format::Id => format!("{id}\n"),
        Format::Table => {
            let name = output::clean(event.object["name"].as_str().unwrap_or_default());
            format!("{revision}  {verb}  {kind}  {id}  {name}").trim_end().to_owned() + "\n"
        }
    })
}

/// Goes on after a list: writes what happens to objects of its kind, in the columns of its table.
///
/// # Errors
/// What the API says.
pub async fn watch<R: Noun>(session: &Session, from: u64, query: &[(String, String)]) -> Result<(), Failure> {
    let mut events = session.client.events(Some(from), vec![("kind", R::ONE.to_owned())]);
    let filters: Vec<_> =
        query.iter().filter(|(name, _)| !matches!(name.as_str(), "sort_key" | "limit")).collect();
    loop {
        let event = events.next().await?;
        let wanted = |name: &str| {
            filters.iter().filter(|(field, _)| field == name).any(|(_, v)| has(&event.object[name], v))
        };
        if !filters.iter().all(|(name, _)| wanted(name)) {
            continue;
        }
        let text = match (session.format, serde_json::from_value::<R>(event.object.clone())) {
            (Format::Table, Ok(object)) => {
                let names = if R::IS_OWNED { verbs::names(session).await? } else { Names::new() };
                format!("{:<8} {}\n", event.verb, object.row(&names).join("  "))
            }
            (format, _) => line(format, &event)?,
        };
        output::write(&text)?;
    }
}

/// True if a value is what a filter asks for, or a list with it.
fn has(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Array(values) => values.iter().any(|value| has(value, wanted)),
        Value::Null => wanted.is_empty(),
        other => other.to_string() == wanted,
    }
}
