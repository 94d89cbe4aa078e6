//! `weft router`: what joins a tenant's networks.

use clap::{Args, Subcommand};
use weft_api::{
    FixedIpAsked, GatewayAsked, HostRoute, InterfaceAsked, Port, Router, RouterCreate, RouterUpdate, Subnet,
};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::{self, AddressAsked, either, replaced};
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with routers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List routers.
    List(Listing),
    /// Show one router.
    Show(One),
    /// Create a router.
    Create(Create),
    /// Change a router.
    Set(Set),
    /// Delete routers. One with interfaces is refused.
    Delete(Many),
    /// Give a router an interface: the gateway address of a subnet, or a port of its own.
    AddInterface(Interface),
    /// Take an interface from a router.
    RemoveInterface(Interface),
}

/// A router to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: Option<String>,
    /// Let it forward nothing yet.
    #[arg(long)]
    disable: bool,
    #[command(flatten)]
    gateway: GatewayWish,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

/// Changes to a router. Lists that are given replace the present ones.
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
    /// A static route; may be repeated, also with the same destination. The next hop `blackhole` drops.
    #[arg(long, value_name = "DEST=NEXTHOP", value_parser = spelling::route, conflicts_with = "no_route")]
    route: Vec<HostRoute>,
    /// No static routes any more.
    #[arg(long)]
    no_route: bool,
    #[command(flatten)]
    gateway: GatewayWish,
    /// No gateway any more.
    #[arg(long, conflicts_with = "external_gateway")]
    no_external_gateway: bool,
    /// Let it forward.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Let it forward nothing.
    #[arg(long)]
    disable: bool,
    /// Labels instead of the present ones.
    #[arg(long, value_name = "TAG", conflicts_with = "no_tag")]
    tag: Vec<String>,
    /// No labels any more.
    #[arg(long)]
    no_tag: bool,
}

/// A gateway that a router is to have.
#[derive(Debug, Args)]
pub struct GatewayWish {
    /// The external network that it leads to.
    #[arg(long, value_name = "NETWORK")]
    external_gateway: Option<String>,
    /// Let IPv4 leave untranslated; administrators only.
    #[arg(long, requires = "external_gateway")]
    no_snat: bool,
    /// An address of the gateway: ADDRESS, subnet=SUBNET or subnet=SUBNET,ip=ADDRESS; may be repeated; administrators only.
    #[arg(long, value_name = "ADDRESS", requires = "external_gateway")]
    external_ip: Vec<AddressAsked>,
}

impl GatewayWish {
    async fn asked(&self, session: &Session) -> Result<Option<GatewayAsked>, Failure> {
        let Some(network) = &self.external_gateway else { return Ok(None) };
        let mut addresses = Vec::new();
        for asked in &self.external_ip {
            let subnet_id = match &asked.subnet {
                Some(subnet) => Some(session.id_of_any::<Subnet>(subnet).await?),
                None => None,
            };
            addresses.push(FixedIpAsked { subnet_id, ip_address: asked.address.clone() });
        }
        Ok(Some(GatewayAsked {
            network_id: Some(session.external_network(network).await?),
            enable_snat: self.no_snat.then_some(false),
            external_fixed_ips: replaced(&addresses, false),
        }))
    }
}

/// An interface of a router.
#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false, args = ["subnet", "port"])]
pub struct Interface {
    #[command(flatten)]
    one: One,
    /// The one in this subnet.
    #[arg(long, value_name = "ID|NAME")]
    subnet: Option<String>,
    /// The one that is this port.
    #[arg(long, value_name = "ID|NAME")]
    port: Option<String>,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    let routers = session.client.routers();
    match command {
        Command::List(listing) => verbs::list::<Router>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<Router>(session, &one).await,
        Command::Create(new) => {
            let gateway = new.gateway.asked(session).await?;
            let body = new.body(session.project().await?, gateway);
            session.show_written(routers.create(&body).await?).await
        }
        Command::Set(set) => {
            let body = set.body(set.gateway.asked(session).await?);
            verbs::set::<Router>(session, &set.one, body, set.tags()).await
        }
        Command::Delete(many) => verbs::delete::<Router>(session, &many.objects).await,
        Command::AddInterface(interface) => {
            let (router, asked) = interface.asked(session).await?;
            let answer = routers.add_interface(&router, &asked).await?;
            let port = session.client.ports().show(&answer.value.port_id).await?.value;
            session.show(&port)?;
            session.settle(answer.revision).await
        }
        Command::RemoveInterface(interface) => {
            let (router, asked) = interface.asked(session).await?;
            session.settle(routers.remove_interface(&router, &asked).await?.revision).await
        }
    }
}

impl Create {
    fn body(self, project_id: Option<String>, gateway: Option<GatewayAsked>) -> RouterCreate {
        RouterCreate {
            name: self.name,
            description: self.description,
            project_id,
            admin_state_up: self.disable.then_some(false),
            external_gateway_info: gateway,
            tags: replaced(&self.tag, false),
        }
    }
}

impl Set {
    fn body(&self, gateway: Option<GatewayAsked>) -> RouterUpdate {
        RouterUpdate {
            name: self.name.clone(),
            description: self.description.clone(),
            admin_state_up: either(self.enable, self.disable),
            routes: replaced(&self.route, self.no_route),
            external_gateway_info: gateway.map(Some).or(self.no_external_gateway.then_some(None)),
        }
    }

    fn tags(&self) -> Option<Vec<String>> {
        replaced(&self.tag, self.no_tag)
    }
}

impl Interface {
    async fn asked(&self, session: &Session) -> Result<(String, InterfaceAsked), Failure> {
        let router = session.id::<Router>(&self.one.object).await?;
        let mut asked = InterfaceAsked::default();
        if let Some(subnet) = &self.subnet {
            asked.subnet_id = Some(session.id::<Subnet>(subnet).await?);
        }
        if let Some(port) = &self.port {
            asked.port_id = Some(session.id::<Port>(port).await?);
        }
        Ok((router, asked))
    }
}

impl Noun for Router {
    const NOUN: &'static str = "router";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "TENANT", "UP", "ROUTES", "GATEWAY"];

    fn all(client: &Client) -> Collection<'_, Router> {
        client.routers()
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
            if self.admin_state_up { "yes" } else { "no" }.to_owned(),
            self.routes.len().to_string(),
            gateway_of(self),
        ]
    }
}

/// The addresses under which a router is seen from the outside.
fn gateway_of(router: &Router) -> String {
    let gateway = router.external_gateway_info.iter().flat_map(|gateway| &gateway.external_fixed_ips);
    or_dash(&gateway.map(|ip| ip.ip_address.as_str()).collect::<Vec<_>>().join(","))
}
