//! `weft token`: what tenants show to be let in.

use clap::{Args, Subcommand, ValueEnum};
use weft_api::{Tenant, Token, TokenCreate};

use crate::failure::Failure;
use crate::output::{self, Format, Surface, or_dash};
use crate::session::Session;

const COLUMNS: &[&str] = &["ID", "ROLE", "CREATED", "EXPIRES", "DESCRIPTION"];

/// What can be done with the tokens of a tenant; by administrators.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the tokens of a tenant, without their secrets.
    List(Owner),
    /// Make a token; its secret is shown this once and never again.
    Create(Create),
    /// Revoke tokens.
    Delete(Delete),
}

/// Whose tokens.
#[derive(Debug, Args)]
pub struct Owner {
    /// The tenant, by id or name; that of --project when not given.
    #[arg(value_name = "TENANT")]
    tenant: Option<String>,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// To read and to write.
    Member,
    /// To read.
    Reader,
}

/// A token to make.
#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    owner: Owner,
    /// What it allows.
    #[arg(long, value_enum, default_value = "member")]
    role: Role,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// When it stops being accepted, like 2027-01-31T00:00:00Z; never when not given.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Write nothing but the secret, for scripts.
    #[arg(long)]
    secret_only: bool,
}

/// Tokens to revoke.
#[derive(Debug, Args)]
pub struct Delete {
    /// The tenant, by id or name.
    #[arg(value_name = "TENANT")]
    tenant: String,
    /// The ids of the tokens.
    #[arg(value_name = "TOKEN-ID", required = true)]
    tokens: Vec<String>,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(owner) => {
            let tenant = tenant(session, owner.tenant.as_deref()).await?;
            list(session, &session.client.tokens(&tenant).list().await?.value)
        }
        Command::Create(new) => create(session, new).await,
        Command::Delete(gone) => delete(session, &gone).await,
    }
}

async fn tenant(session: &Session, given: Option<&str>) -> Result<String, Failure> {
    match given {
        Some(text) => session.id::<Tenant>(text).await,
        None => session
            .project()
            .await?
            .ok_or_else(|| Failure::Usage("whose tokens? name a tenant, here or with --project".into())),
    }
}

fn list(session: &Session, tokens: &[Token]) -> Result<(), Failure> {
    match session.format {
        Format::Json => output::write_json(&tokens),
        Format::Id => {
            output::write(&tokens.iter().map(|token| format!("{}\n", token.id)).collect::<String>())
        }
        Format::Table => {
            let rows: Vec<_> = tokens.iter().map(row).collect();
            output::write(&output::columns(Surface::of_stdout(), COLUMNS, &rows))
        }
    }
}

fn row(token: &Token) -> Vec<String> {
    vec![
        token.id.clone(),
        token.role.clone(),
        token.created_at.clone(),
        token.expires_at.clone().unwrap_or_else(|| "never".to_owned()),
        or_dash(&token.description),
    ]
}

async fn create(session: &Session, new: Create) -> Result<(), Failure> {
    let tenant = tenant(session, new.owner.tenant.as_deref()).await?;
    let role = match new.role {
        Role::Member => "member",
        Role::Reader => "reader",
    };
    let body =
        TokenCreate { role: Some(role.to_owned()), description: new.description, expires_at: new.expires };
    let answer = session.client.tokens(&tenant).create(&body).await?;
    let token = answer.value;
    match session.format {
        _ if new.secret_only => output::write(&format!("{}\n", token.token.as_deref().unwrap_or_default()))?,
        Format::Table => output::write(&output::fields(Surface::of_stdout(), &token)?)?,
        Format::Json => output::write_json(&token)?,
        Format::Id => output::write(&format!("{}\n", token.id))?,
    }
    session.settle(answer.revision).await
}

async fn delete(session: &Session, gone: &Delete) -> Result<(), Failure> {
    let tenant = session.id::<Tenant>(&gone.tenant).await?;
    let mut failed = 0;
    for id in &gone.tokens {
        match session.client.tokens(&tenant).delete(id).await {
            Ok(answer) if session.format == Format::Id => {
                output::write(&format!("{id}\n")).map(|()| answer.revision)?
            }
            Ok(answer) => answer.revision,
            Err(error) if gone.tokens.len() == 1 => return Err(error.into()),
            Err(error) => {
                eprintln!("{id}: {}", Failure::from(error).message().unwrap_or_default());
                failed += 1;
                continue;
            }
        };
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Several { failed, all: gone.tokens.len() }),
    }
}
