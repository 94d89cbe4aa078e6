//! `weft subnet`: the addresses that ports of a network may have.

use clap::{Args, Subcommand, ValueEnum};
use weft_api::{AllocationPool, HostRoute, Network, Subnet, SubnetCreate, SubnetPool, SubnetUpdate};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::{self, Gateway, either, replaced};
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with subnets.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List subnets.
    List(List),
    /// Show one subnet.
    Show(One),
    /// Create a subnet.
    Create(Create),
    /// Change a subnet.
    Set(Set),
    /// Delete subnets. One whose addresses are in use is refused.
    Delete(Many),
}

/// Which subnets to list.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    listing: Listing,
    /// Only those of this network.
    #[arg(long, value_name = "ID|NAME")]
    network: Option<String>,
}

/// How IPv6 workloads learn addresses and routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ipv6Mode {
    /// Router advertisements only.
    Slaac,
    /// Addresses by DHCPv6.
    Dhcpv6Stateful,
    /// Addresses by router advertisements, the rest by DHCPv6.
    Dhcpv6Stateless,
}

impl Ipv6Mode {
    fn word(self) -> String {
        match self {
            Ipv6Mode::Slaac => "slaac",
            Ipv6Mode::Dhcpv6Stateful => "dhcpv6-stateful",
            Ipv6Mode::Dhcpv6Stateless => "dhcpv6-stateless",
        }
        .to_owned()
    }
}

/// A subnet to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: Option<String>,
    /// The network whose ports it addresses.
    #[arg(long, value_name = "ID|NAME")]
    network: String,
    /// The prefix, like 192.0.2.0/24; may be left to a subnet pool.
    #[arg(long, value_name = "PREFIX", required_unless_present = "subnet_pool")]
    cidr: Option<String>,
    /// The subnet pool to cut the prefix from.
    #[arg(long, value_name = "ID|NAME")]
    subnet_pool: Option<String>,
    /// How long a prefix to cut; the pool says when not given.
    #[arg(long, value_name = "LENGTH", requires = "subnet_pool", conflicts_with = "cidr")]
    prefix_length: Option<u8>,
    /// The gateway told to workloads, or none; the first usable address when not given.
    #[arg(long, value_name = "ADDRESS|none")]
    gateway: Option<Gateway>,
    /// Where automatic addresses come from; may be repeated.
    #[arg(long, value_name = "START-END", value_parser = spelling::pool)]
    pool: Vec<AllocationPool>,
    /// A resolver told to workloads; may be repeated.
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// A route told to workloads; may be repeated.
    #[arg(long, value_name = "DEST=NEXTHOP", value_parser = spelling::route)]
    route: Vec<HostRoute>,
    /// Do not answer DHCP.
    #[arg(long)]
    no_dhcp: bool,
    /// How IPv6 workloads learn their route.
    #[arg(long, value_enum)]
    ipv6_ra_mode: Option<Ipv6Mode>,
    /// How IPv6 workloads learn their address.
    #[arg(long, value_enum)]
    ipv6_address_mode: Option<Ipv6Mode>,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

/// Changes to a subnet. Lists that are given replace the present ones.
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
    /// The gateway told to workloads, or none.
    #[arg(long, value_name = "ADDRESS|none", conflicts_with = "no_gateway")]
    gateway: Option<Gateway>,
    /// No gateway any more.
    #[arg(long)]
    no_gateway: bool,
    /// Where automatic addresses come from; may be repeated.
    #[arg(long, value_name = "START-END", value_parser = spelling::pool, conflicts_with = "no_pool")]
    pool: Vec<AllocationPool>,
    /// No automatic addresses any more.
    #[arg(long)]
    no_pool: bool,
    /// A resolver told to workloads; may be repeated.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "no_dns")]
    dns: Vec<String>,
    /// No resolvers any more.
    #[arg(long)]
    no_dns: bool,
    /// A route told to workloads; may be repeated.
    #[arg(long, value_name = "DEST=NEXTHOP", value_parser = spelling::route, conflicts_with = "no_route")]
    route: Vec<HostRoute>,
    /// No routes any more.
    #[arg(long)]
    no_route: bool,
    /// Answer DHCP.
    #[arg(long, conflicts_with = "no_dhcp")]
    dhcp: bool,
    /// Do not answer DHCP.
    #[arg(long)]
    no_dhcp: bool,
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
        Command::List(list) => {
            let network = verbs::network_filter(session, list.network.as_deref()).await?;
            verbs::list::<Subnet>(session, list.listing.query(network)).await
        }
        Command::Show(one) => verbs::show::<Subnet>(session, &one).await,
        Command::Create(new) => {
            let network_id = session.id::<Network>(&new.network).await?;
            let subnetpool_id = match &new.subnet_pool {
                Some(pool) => Some(session.id_of_any::<SubnetPool>(pool).await?),
                None => None,
            };
            let body = SubnetCreate { subnetpool_id, ..new.body(network_id) };
            session.show_written(session.client.subnets().create(&body).await?).await
        }
        Command::Set(set) => verbs::set::<Subnet>(session, &set.one, set.body(), set.tags()).await,
        Command::Delete(many) => verbs::delete::<Subnet>(session, &many.objects).await,
    }
}

impl Create {
    fn body(self, network_id: String) -> SubnetCreate {
        SubnetCreate {
            network_id,
            cidr: self.cidr.unwrap_or_default(),
            subnetpool_id: None,
            use_default_subnetpool: None,
            prefixlen: self.prefix_length,
            ip_version: None,
            name: self.name,
            description: self.description,
            // The network's tenant is the only one it can have.
            project_id: None,
            gateway_ip: self.gateway.as_ref().map(Gateway::field),
            allocation_pools: replaced(&self.pool, false),
            enable_dhcp: self.no_dhcp.then_some(false),
            dns_nameservers: replaced(&self.dns, false),
            host_routes: replaced(&self.route, false),
            ipv6_ra_mode: self.ipv6_ra_mode.map(Ipv6Mode::word),
            ipv6_address_mode: self.ipv6_address_mode.map(Ipv6Mode::word),
            tags: replaced(&self.tag, false),
        }
    }
}

impl Set {
    fn body(&self) -> SubnetUpdate {
        let gateway = self.gateway.as_ref().map(Gateway::field);
        SubnetUpdate {
            name: self.name.clone(),
            description: self.description.clone(),
            gateway_ip: gateway.or(self.no_gateway.then_some(None)),
            allocation_pools: replaced(&self.pool, self.no_pool),
            enable_dhcp: either(self.dhcp, self.no_dhcp),
            dns_nameservers: replaced(&self.dns, self.no_dns),
            host_routes: replaced(&self.route, self.no_route),
        }
    }

    fn tags(&self) -> Option<Vec<String>> {
        replaced(&self.tag, self.no_tag)
    }
}

impl Noun for Subnet {
    const NOUN: &'static str = "subnet";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "NETWORK", "CIDR", "GATEWAY", "DHCP"];

    fn all(client: &Client) -> Collection<'_, Subnet> {
        client.subnets()
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
            called(names, &self.network_id),
            self.cidr.clone(),
            or_dash(self.gateway_ip.as_deref().unwrap_or_default()),
            if self.enable_dhcp { "yes" } else { "no" }.to_owned(),
        ]
    }
}
