//! `weft tenant`: the owners of networks and ports.

use clap::{Args, Subcommand};
use weft_api::{Tenant, TenantCreate, TenantUpdate};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::{either, replaced};
use crate::verbs::{self, Listing, Many, One};

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List tenants.
    List(Listing),
    /// Show one tenant.
    Show(One),
    /// Create a tenant.
    Create(Create),
    /// Change a tenant.
    Set(Set),
    /// Delete tenants. One that still owns something is refused.
    Delete(Many),
}

/// A tenant to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: String,
    /// Its id; made up when not given.
    #[arg(long)]
    id: Option<String>,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Refuse its tokens until it is enabled.
    #[arg(long)]
    disable: bool,
}

/// Changes to a tenant.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    one: One,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// A new free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Labels instead of the present ones.
    #[arg(long, value_name = "TAG", conflicts_with = "no_tag")]
    tag: Vec<String>,
    /// No labels any more.
    #[arg(long)]
    no_tag: bool,
    /// Accept its tokens.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Refuse its tokens; its networks keep forwarding.
    #[arg(long)]
    disable: bool,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<Tenant>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<Tenant>(session, &one).await,
        Command::Create(new) => {
            session.show_written(session.client.tenants().create(&new.body()).await?).await
        }
        Command::Set(set) => {
            let change = set.body()?;
            let id = session.id::<Tenant>(&set.one.object).await?;
            session.show_written(session.client.tenants().update(&id, &change).await?).await
        }
        Command::Delete(many) => verbs::delete::<Tenant>(session, &many.objects).await,
    }
}

impl Create {
    fn body(self) -> TenantCreate {
        TenantCreate {
            name: Some(self.name),
            id: self.id,
            description: self.description,
            enabled: self.disable.then_some(false),
            tags: replaced(&self.tag, false),
        }
    }
}

impl Set {
    fn body(&self) -> Result<TenantUpdate, Failure> {
        let change = TenantUpdate {
            name: self.name.clone(),
            description: self.description.clone(),
            enabled: either(self.enable, self.disable),
            tags: replaced(&self.tag, self.no_tag),
        };
        verbs::some_change(change)
    }
}

impl Noun for Tenant {
    const NOUN: &'static str = "tenant";
    const IS_OWNED: bool = false;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "ENABLED", "DESCRIPTION"];

    fn all(client: &Client) -> Collection<'_, Tenant> {
        client.tenants()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> Option<&str> {
        None
    }

    fn row(&self, _: &Names) -> Vec<String> {
        let enabled = if self.enabled { "yes" } else { "no" };
        vec![self.id.clone(), or_dash(&self.name), enabled.to_owned(), or_dash(&self.description)]
    }
}
