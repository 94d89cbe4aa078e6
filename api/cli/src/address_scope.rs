//! `weft address-scope`: spaces of addresses in which no two subnet pools meet.

use clap::{Args, Subcommand};
use weft_api::{AddressScope, AddressScopeCreate, AddressScopeUpdate};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with address scopes.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List address scopes.
    List(Listing),
    /// Show one address scope.
    Show(One),
    /// Create an address scope.
    Create(Create),
    /// Change an address scope.
    Set(Set),
    /// Delete address scopes. One that subnet pools are in is refused.
    Delete(Many),
}

/// An address scope to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: Option<String>,
    /// 4 or 6.
    #[arg(long, value_name = "VERSION", default_value = "4")]
    ip_version: u8,
    /// Every tenant may have subnet pools in it; administrators only.
    #[arg(long)]
    shared: bool,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Changes to an address scope.
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
    /// Every tenant may have subnet pools in it, for good; administrators only.
    #[arg(long)]
    shared: bool,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<AddressScope>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<AddressScope>(session, &one).await,
        Command::Create(new) => {
            let body = AddressScopeCreate {
                ip_version: new.ip_version,
                name: new.name,
                description: new.description,
                project_id: session.project().await?,
                shared: new.shared.then_some(true),
            };
            session.show_written(session.client.address_scopes().create(&body).await?).await
        }
        Command::Set(set) => {
            let shared = set.shared.then_some(true);
            let change = AddressScopeUpdate { name: set.name, description: set.description, shared };
            verbs::set::<AddressScope>(session, &set.one, change, None).await
        }
        Command::Delete(many) => verbs::delete::<AddressScope>(session, &many.objects).await,
    }
}

impl Noun for AddressScope {
    const NOUN: &'static str = "address scope";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "TENANT", "IP VERSION", "SHARED"];

    fn all(client: &Client) -> Collection<'_, AddressScope> {
        client.address_scopes()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> Option<&str> {
        Some(&self.project_id)
    }

    fn row(&self, names: &Names) -> Vec<String> {
        vec![
            self.id.clone(),
            or_dash(&self.name),
            called(names, &self.project_id),
            self.ip_version.to_string(),
            if self.shared { "yes" } else { "no" }.to_owned(),
        ]
    }
}
