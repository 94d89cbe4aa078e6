//! `weft subnet-pool`: prefixes that subnets are cut from.

use clap::{Args, Subcommand};
use weft_api::{AddressScope, SubnetPool, SubnetPoolCreate, SubnetPoolUpdate};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::{either, replaced};
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with subnet pools.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List subnet pools.
    List(Listing),
    /// Show one subnet pool.
    Show(One),
    /// Create a subnet pool.
    Create(Create),
    /// Change a subnet pool.
    Set(Set),
    /// Delete subnet pools. One that subnets are cut from is refused.
    Delete(Many),
}

/// What the pool gives out.
#[derive(Debug, Args)]
struct Lengths {
    /// The length of a subnet's prefix when nobody says.
    #[arg(long, value_name = "LENGTH")]
    default_length: Option<u8>,
    /// The shortest prefix that a subnet may have.
    #[arg(long, value_name = "LENGTH")]
    min_length: Option<u8>,
    /// The longest prefix that a subnet may have.
    #[arg(long, value_name = "LENGTH")]
    max_length: Option<u8>,
    /// How much one tenant may have: addresses of IPv4, /64 prefixes of IPv6.
    #[arg(long, value_name = "COUNT")]
    quota: Option<u32>,
}

/// A subnet pool to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: Option<String>,
    /// A prefix to cut from; may be repeated.
    #[arg(long, value_name = "PREFIX", required = true)]
    prefix: Vec<String>,
    #[command(flatten)]
    lengths: Lengths,
    /// The address scope that it is in.
    #[arg(long, value_name = "ID|NAME")]
    address_scope: Option<String>,
    /// It is meant by those who ask for the default pool; administrators only.
    #[arg(long)]
    default: bool,
    /// Every tenant may cut from it; administrators only.
    #[arg(long)]
    shared: bool,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

/// Changes to a subnet pool.
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
    /// The prefixes to cut from, all that it has and more; may be repeated.
    #[arg(long, value_name = "PREFIX")]
    prefix: Vec<String>,
    #[command(flatten)]
    lengths: Lengths,
    /// No limit any more for what one tenant may have.
    #[arg(long, conflicts_with = "quota")]
    no_quota: bool,
    /// The address scope that it is in.
    #[arg(long, value_name = "ID|NAME", conflicts_with = "no_address_scope")]
    address_scope: Option<String>,
    /// No address scope any more.
    #[arg(long)]
    no_address_scope: bool,
    /// It is meant by those who ask for the default pool; administrators only.
    #[arg(long, conflicts_with = "no_default")]
    default: bool,
    /// It no longer is; administrators only.
    #[arg(long)]
    no_default: bool,
    /// Labels instead of the present ones.
    #[arg(long, value_name = "TAG", conflicts_with = "no_tag")]
    tag: Vec<String>,
    /// No labels any more.
    #[arg(long)]
    no_tag: bool,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<SubnetPool>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<SubnetPool>(session, &one).await,
        Command::Create(new) => {
            let body = new.body(session).await?;
            session.show_written(session.client.subnet_pools().create(&body).await?).await
        }
        Command::Set(set) => {
            let body = set.body(session).await?;
            verbs::set::<SubnetPool>(session, &set.one, body, replaced(&set.tag, set.no_tag)).await
        }
        Command::Delete(many) => verbs::delete::<SubnetPool>(session, &many.objects).await,
    }
}

async fn scope_of(session: &Session, named: Option<&String>) -> Result<Option<String>, Failure> {
    match named {
        Some(text) => Ok(Some(session.id::<AddressScope>(text).await?)),
        None => Ok(None),
    }
}

impl Create {
    async fn body(self, session: &Session) -> Result<SubnetPoolCreate, Failure> {
        Ok(SubnetPoolCreate {
            name: self.name,
            description: self.description,
            project_id: session.project().await?,
            prefixes: self.prefix,
            default_prefixlen: self.lengths.default_length,
            min_prefixlen: self.lengths.min_length,
            max_prefixlen: self.lengths.max_length,
            default_quota: self.lengths.quota,
            address_scope_id: scope_of(session, self.address_scope.as_ref()).await?,
            is_default: self.default.then_some(true),
            shared: self.shared.then_some(true),
            tags: replaced(&self.tag, false),
        })
    }
}

impl Set {
    async fn body(&self, session: &Session) -> Result<SubnetPoolUpdate, Failure> {
        let scope = scope_of(session, self.address_scope.as_ref()).await?;
        Ok(SubnetPoolUpdate {
            name: self.name.clone(),
            description: self.description.clone(),
            prefixes: replaced(&self.prefix, false),
            default_prefixlen: self.lengths.default_length,
            min_prefixlen: self.lengths.min_length,
            max_prefixlen: self.lengths.max_length,
            default_quota: self.lengths.quota.map(Some).or(self.no_quota.then_some(None)),
            address_scope_id: scope.map(Some).or(self.no_address_scope.then_some(None)),
            is_default: either(self.default, self.no_default),
        })
    }
}

impl Noun for SubnetPool {
    const NOUN: &'static str = "subnet pool";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "TENANT", "PREFIXES", "LENGTH", "SHARED"];

    fn all(client: &Client) -> Collection<'_, SubnetPool> {
        client.subnet_pools()
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
            self.prefixes.join(","),
            self.default_prefixlen.clone(),
            if self.shared { "yes" } else { "no" }.to_owned(),
        ]
    }
}
