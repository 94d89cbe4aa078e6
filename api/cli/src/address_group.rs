//! `weft address-group`: named sets of prefixes for the rules of security groups.

use clap::{Args, Subcommand};
use weft_api::{AddressGroup, AddressGroupCreate, AddressGroupUpdate};
use weft_client::{Answer, Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::replaced;
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with address groups.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List address groups.
    List(Listing),
    /// Show one address group.
    Show(One),
    /// Create an address group.
    Create(Create),
    /// Change an address group: its name, its description, or by adding addresses.
    Set(Set),
    /// Take addresses out of an address group.
    Unset(Unset),
    /// Delete address groups. One that rules name is refused.
    Delete(Many),
}

/// An address group to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: Option<String>,
    /// An address or prefix in it; may be repeated.
    #[arg(long, value_name = "PREFIX")]
    address: Vec<String>,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Changes to an address group.
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
    /// An address or prefix to add to those that it has; may be repeated.
    #[arg(long, value_name = "PREFIX")]
    address: Vec<String>,
}

/// Addresses to take away.
#[derive(Debug, Args)]
pub struct Unset {
    #[command(flatten)]
    one: One,
    /// An address or prefix to take out; may be repeated.
    #[arg(long, value_name = "PREFIX", required = true)]
    address: Vec<String>,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    let groups = session.client.address_groups();
    match command {
        Command::List(listing) => verbs::list::<AddressGroup>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<AddressGroup>(session, &one).await,
        Command::Create(new) => {
            let body = AddressGroupCreate {
                name: new.name,
                description: new.description,
                project_id: session.project().await?,
                addresses: replaced(&new.address, false),
            };
            session.show_written(groups.create(&body).await?).await
        }
        Command::Set(set) => change(session, set).await,
        Command::Unset(unset) => {
            let id = session.id::<AddressGroup>(&unset.one.object).await?;
            session.show_written(groups.remove_addresses(&id, &unset.address).await?).await
        }
        Command::Delete(many) => verbs::delete::<AddressGroup>(session, &many.objects).await,
    }
}

async fn change(session: &Session, set: Set) -> Result<(), Failure> {
    let words = AddressGroupUpdate { name: set.name, description: set.description };
    if set.address.is_empty() {
        return verbs::set::<AddressGroup>(session, &set.one, words, None).await;
    }
    let groups = session.client.address_groups();
    let id = session.id::<AddressGroup>(&set.one.object).await?;
    let mut answer: Answer<AddressGroup> = groups.add_addresses(&id, &set.address).await?;
    if words != AddressGroupUpdate::default() {
        answer = groups.update(&id, &words).await?;
    }
    session.show_written(answer).await
}

impl Noun for AddressGroup {
    const NOUN: &'static str = "address group";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "TENANT", "ADDRESSES"];

    fn all(client: &Client) -> Collection<'_, AddressGroup> {
        client.address_groups()
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
            or_dash(&self.addresses.join(",")),
        ]
    }
}
