//! `weft segment-range`: which virtual network identifiers networks get. Administrators only.

use clap::{Args, Subcommand};
use weft_api::{NetworkSegmentRange, NetworkSegmentRangeCreate, NetworkSegmentRangeUpdate};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with ranges.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List ranges.
    List(Listing),
    /// Show one range.
    Show(One),
    /// Create a range, for the tenant that --project names or for everybody.
    Create(Create),
    /// Change a range.
    Set(Set),
    /// Delete ranges. One of which networks have a number is refused.
    Delete(Many),
}

/// A range to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: Option<String>,
    /// For networks of which encapsulation: vxlan, geneve or gre.
    #[arg(long, value_name = "ENCAP", default_value = "vxlan")]
    encap: String,
    /// The first number.
    #[arg(long, value_name = "NUMBER")]
    first: u32,
    /// The last number.
    #[arg(long, value_name = "NUMBER")]
    last: u32,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Changes to a range.
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
    /// The first number.
    #[arg(long, value_name = "NUMBER")]
    first: Option<u32>,
    /// The last number.
    #[arg(long, value_name = "NUMBER")]
    last: Option<u32>,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<NetworkSegmentRange>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<NetworkSegmentRange>(session, &one).await,
        Command::Create(new) => {
            let body = NetworkSegmentRangeCreate {
                network_type: new.encap,
                minimum: new.first,
                maximum: new.last,
                name: new.name,
                description: new.description,
                project_id: session.project().await?,
                shared: None,
            };
            session.show_written(session.client.segment_ranges().create(&body).await?).await
        }
        Command::Set(set) => {
            let change = NetworkSegmentRangeUpdate {
                name: set.name,
                description: set.description,
                minimum: set.first,
                maximum: set.last,
            };
            verbs::set::<NetworkSegmentRange>(session, &set.one, change, None).await
        }
        Command::Delete(many) => verbs::delete::<NetworkSegmentRange>(session, &many.objects).await,
    }
}

impl Noun for NetworkSegmentRange {
    const NOUN: &'static str = "segment range";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "TENANT", "ENCAP", "FIRST", "LAST", "USED"];

    fn all(client: &Client) -> Collection<'_, NetworkSegmentRange> {
        client.segment_ranges()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> Option<&str> {
        self.project_id.as_deref()
    }

    fn row(&self, names: &Names) -> Vec<String> {
        vec![
            self.id.clone(),
            or_dash(&self.name),
            self.project_id.as_deref().map_or_else(|| "-".to_owned(), |id| called(names, id)),
            self.network_type.clone(),
            self.minimum.to_string(),
            self.maximum.to_string(),
            self.used.len().to_string(),
        ]
    }
}
