//! `weft floating-ip`: addresses of external networks that stand for ports.

use clap::{Args, Subcommand};
use weft_api::{FloatingIp, FloatingIpCreate, FloatingIpUpdate, Port, Subnet};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::replaced;
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with floating IPs. They are named by id or address.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List floating IPs.
    List(Listing),
    /// Show one floating IP.
    Show(One),
    /// Take an address of an external network.
    Create(Create),
    /// Change a floating IP, or what it stands for.
    Set(Set),
    /// Let a floating IP stand for nothing.
    Unset(Unset),
    /// Give floating IPs back, with their port forwardings.
    Delete(Many),
}

/// A floating IP to create.
#[derive(Debug, Args)]
pub struct Create {
    /// The external network.
    #[arg(value_name = "NETWORK")]
    network: String,
    /// The port that it is to stand for.
    #[arg(long, value_name = "ID|NAME")]
    port: Option<String>,
    /// Which IPv4 address of the port; its only one when absent.
    #[arg(long, value_name = "ADDRESS", requires = "port")]
    fixed_ip: Option<String>,
    /// Which address to take; administrators only.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// From which subnet of the network.
    #[arg(long, value_name = "ID|NAME")]
    subnet: Option<String>,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

/// Changes to a floating IP.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    one: One,
    /// The port that it is to stand for.
    #[arg(long, value_name = "ID|NAME")]
    port: Option<String>,
    /// Which IPv4 address of the port; its only one when absent.
    #[arg(long, value_name = "ADDRESS", requires = "port")]
    fixed_ip: Option<String>,
    /// A new free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Labels instead of the present ones.
    #[arg(long, value_name = "TAG", conflicts_with = "no_tag")]
    tag: Vec<String>,
    /// No labels any more.
    #[arg(long)]
    no_tag: bool,
}

/// What a floating IP is to be rid of.
#[derive(Debug, Args)]
pub struct Unset {
    #[command(flatten)]
    one: One,
    /// Let it stand for no port.
    #[arg(long, required = true)]
    port: bool,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<FloatingIp>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<FloatingIp>(session, &one).await,
        Command::Create(new) => {
            let body = new.body(session).await?;
            session.show_written(session.client.floating_ips().create(&body).await?).await
        }
        Command::Set(set) => {
            let tags = replaced(&set.tag, set.no_tag);
            verbs::set::<FloatingIp>(session, &set.one, set.body(session).await?, tags).await
        }
        Command::Unset(Unset { one, port }) => {
            let change = FloatingIpUpdate { port_id: port.then_some(None), ..FloatingIpUpdate::default() };
            verbs::set::<FloatingIp>(session, &one, change, None).await
        }
        Command::Delete(many) => verbs::delete::<FloatingIp>(session, &many.objects).await,
    }
}

impl Create {
    async fn body(self, session: &Session) -> Result<FloatingIpCreate, Failure> {
        Ok(FloatingIpCreate {
            floating_network_id: session.external_network(&self.network).await?,
            floating_ip_address: self.address,
            subnet_id: match &self.subnet {
                Some(subnet) => Some(session.id_of_any::<Subnet>(subnet).await?),
                None => None,
            },
            port_id: match &self.port {
                Some(port) => Some(session.id::<Port>(port).await?),
                None => None,
            },
            fixed_ip_address: self.fixed_ip,
            description: self.description,
            project_id: session.project().await?,
            tags: replaced(&self.tag, false),
        })
    }
}

impl Set {
    async fn body(&self, session: &Session) -> Result<FloatingIpUpdate, Failure> {
        let port_id = match &self.port {
            Some(port) => Some(Some(session.id::<Port>(port).await?)),
            None => None,
        };
        Ok(FloatingIpUpdate {
            port_id,
            fixed_ip_address: self.fixed_ip.clone(),
            description: self.description.clone(),
        })
    }
}

impl Noun for FloatingIp {
    const NOUN: &'static str = "floating IP";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] =
        &["ID", "ADDRESS", "TENANT", "NETWORK", "FIXED-IP", "PORT", "FORWARDINGS", "STATUS"];

    fn all(client: &Client) -> Collection<'_, FloatingIp> {
        client.floating_ips()
    }

    fn name(&self) -> &str {
        &self.floating_ip_address
    }

    fn owner(&self) -> Option<&str> {
        Some(&self.project_id)
    }

    fn named(name: &str) -> Vec<(&'static str, &str)> {
        vec![("floating_ip_address", name)]
    }

    fn row(&self, names: &Names) -> Vec<String> {
        vec![
            self.id.clone(),
            self.floating_ip_address.clone(),
            called(names, &self.project_id),
            called(names, &self.floating_network_id),
            or_dash(self.fixed_ip_address.as_deref().unwrap_or_default()),
            or_dash(self.port_id.as_deref().unwrap_or_default()),
            self.port_forwardings.len().to_string(),
            self.status.clone(),
        ]
    }
}
