//! `weft plan` and `weft apply`: a tenant's objects out of a file, with a plan shown first.

mod yaml;

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use weft_api::{ApplyAsked, Plan};
use weft_client::ClientError;

use crate::failure::Failure;
use crate::output::Format;
use crate::plan;
use crate::session::Session;
use yaml::Node;

/// Which file.
#[derive(Debug, Clone, Args)]
pub struct File {
    /// A file in YAML; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Delete what was made for the file before and is not in it any more.
    #[arg(long)]
    prune: bool,
}

/// A file to apply.
#[derive(Debug, Clone, Args)]
pub struct Apply {
    #[command(flatten)]
    file: File,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

/// A file that was read.
struct Asked {
    path: PathBuf,
    node: Node,
    body: ApplyAsked,
}

/// Shows what a file would change.
///
/// # Errors
/// What is wrong with the file, by line; or what the API says.
pub async fn plan(session: &Session, file: &File) -> Result<(), Failure> {
    let asked = read(session, file).await?;
    plan::write(session.format, &planned(session, &asked).await?)
}

/// Shows what a file changes, asks, and does it.
///
/// # Errors
/// As [`plan`]; [`Failure::Usage`] when nobody is there to be asked.
pub async fn apply(session: &Session, wish: &Apply) -> Result<(), Failure> {
    let asked = read(session, &wish.file).await?;
    let before = planned(session, &asked).await?;
    if before.objects.is_empty() {
        return plan::write(session.format, &before);
    }
    if !wish.yes {
        plan::write(Format::Table, &before)?;
        if !agreed()? {
            return Err(Failure::Usage("nothing was done".to_owned()));
        }
    }
    let done = session.client.apply(&asked.body).await.map_err(|error| located(error, &asked))?;
    if wish.yes || session.format != Format::Table {
        plan::write(session.format, &done.value)?;
    }
    session.settle(done.value.revision).await
}

async fn planned(session: &Session, asked: &Asked) -> Result<Plan, Failure> {
    match session.client.clone().dry().apply(&asked.body).await {
        Ok(answer) => Ok(answer.value),
        Err(ClientError::Planned(plan)) => Ok(*plan),
        Err(error) => Err(located(error, asked)),
    }
}

async fn read(session: &Session, file: &File) -> Result<Asked, Failure> {
    let path = file.file.clone();
    let text = text(&path).map_err(|source| Failure::Read { path: path.clone(), source })?;
    let node = Node::read(&text).map_err(|reason| Failure::File { path: path.clone(), reason })?;
    let body = serde_json::from_value(node.value()).map_err(|error| {
        let reason =
            format!("must have name, networks, security_groups, routers, ports, floating_ips: {error}");
        Failure::File { path: path.clone(), reason }
    })?;
    if let Some((line, name)) =
        node.unknown(&["name", "project", "networks", "security_groups", "routers", "ports", "floating_ips"])
    {
        let reason = format!("line {line}: {name} is nothing that a file has");
        return Err(Failure::File { path, reason });
    }
    let body = ApplyAsked { prune: file.prune, ..body };
    let project = session.project().await?.or(body.project.clone());
    Ok(Asked { path, node, body: ApplyAsked { project, ..body } })
}

fn text(path: &Path) -> std::io::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}

/// Says on which line of the file a refusal is at home, if the controller says for which field.
fn located(error: ClientError, asked: &Asked) -> Failure {
    let Some(refusal) = error.refusal().filter(|refusal| !refusal.errors.is_empty()) else {
        return error.into();
    };
    let lines = refusal.errors.iter().map(|fault| match asked.node.line(&fault.field) {
        Some(line) => format!("\n  line {line}: {} {}", fault.field, fault.reason),
        None => format!("\n  {} {}", fault.field, fault.reason),
    });
    Failure::File { path: asked.path.clone(), reason: lines.collect() }
}

fn agreed() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("there is nobody to ask: --yes does it".to_owned()));
    }
    eprint!("Do it? [y/N] ");
    std::io::stderr().flush().map_err(Failure::Write)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(Failure::Write)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
