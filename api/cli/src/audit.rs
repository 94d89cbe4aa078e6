//! `weft audit`: who wrote what.

use clap::Args;
use weft_api::{AuditAuthor, AuditChange, AuditEntry};
use weft_client::AuditQuery;

use crate::failure::Failure;
use crate::output::{self, Format, Surface, or_dash};
use crate::session::Session;

const COLUMNS: &[&str] = &["TIME", "REVISION", "WHO", "VERB", "KIND", "ID", "NAME", "TENANT"];

/// Which entries of the audit log to show, newest first. `-o json` shows the records before and after as well.
#[derive(Debug, Args)]
pub struct Audit {
    /// Only what became of these: networks, subnets, ports, routers, floating_ips, security_rules, tokens, ...
    #[arg(long)]
    kind: Option<String>,
    /// Only what became of the object with this id.
    #[arg(long)]
    id: Option<String>,
    /// Nothing before this revision, or this time, like 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "REVISION|TIME")]
    since: Option<String>,
    /// Nothing after this revision or time.
    #[arg(long, value_name = "REVISION|TIME")]
    until: Option<String>,
    /// Not more entries than this.
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
}

/// Shows a part of the audit log; of the tenant that `--project` names.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, wanted: Audit) -> Result<(), Failure> {
    let project = session.project().await?;
    let query = AuditQuery {
        kind: wanted.kind,
        id: wanted.id,
        project,
        since: wanted.since,
        until: wanted.until,
        limit: wanted.limit,
    };
    let entries = session.client.audit(&query).await?;
    match session.format {
        Format::Json => output::write_json(&entries),
        Format::Id => output::write_ids(entries.iter().map(|entry| entry.request_id.as_str())),
        Format::Table => {
            let rows: Vec<_> = entries.iter().flat_map(|e| e.changes.iter().map(|c| row(e, c))).collect();
            output::write(&output::columns(Surface::of_stdout(), COLUMNS, &rows))
        }
    }
}

fn row(entry: &AuditEntry, change: &AuditChange) -> Vec<String> {
    let record = change.after.as_ref().or(change.before.as_ref());
    let name = record.and_then(|record| record.get("stamp")?.get("name")?.as_str()).unwrap_or_default();
    vec![
        entry.time.clone(),
        entry.revision.to_string(),
        who(&entry.author),
        change.verb.clone(),
        change.kind.clone(),
        change.id.clone(),
        or_dash(name),
        change.project_id.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

fn who(author: &AuditAuthor) -> String {
    let name = author.user_id.as_ref().or(author.project_id.as_ref()).or(author.token_id.as_ref());
    name.map_or_else(|| author.role.clone(), |name| format!("{} {name}", author.role))
}
