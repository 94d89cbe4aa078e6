//! `weft security-group`: what tenants let in and out of their ports.

use clap::{Args, Subcommand};
use weft_api::{
    AddressGroup, SecurityGroup, SecurityGroupCreate, SecurityGroupRule, SecurityGroupRuleCreate,
    SecurityGroupUpdate,
};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::{either, replaced};
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with security groups.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List security groups.
    List(Listing),
    /// Show one security group with its rules.
    Show(One),
    /// Create a security group that lets everything out.
    Create(Create),
    /// Change a security group.
    Set(Set),
    /// Delete security groups. One that ports wear is refused.
    Delete(Many),
    /// List the rules of a security group.
    Rules(One),
    /// Let something in or out: adds a rule.
    Allow(Allow),
    /// Remove rules, and the connections that they allowed.
    Revoke(Many),
}

/// A security group to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: Option<String>,
    /// Remember no connections: replies need rules of their own.
    #[arg(long)]
    stateless: bool,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
}

/// Changes to a security group.
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
    /// Remember connections; only while no port wears the group.
    #[arg(long, conflicts_with = "stateless")]
    stateful: bool,
    /// Remember no connections; only while no port wears the group.
    #[arg(long)]
    stateless: bool,
    /// Labels instead of the present ones.
    #[arg(long, value_name = "TAG", conflicts_with = "no_tag")]
    tag: Vec<String>,
    /// No labels any more.
    #[arg(long)]
    no_tag: bool,
}

/// A rule to add.
#[derive(Debug, Args)]
pub struct Allow {
    /// The security group.
    #[arg(value_name = "ID|NAME")]
    group: String,
    /// Seen from the port: ingress or egress.
    #[arg(long, default_value = "ingress", value_parser = ["ingress", "egress"])]
    direction: String,
    /// For IPv6 instead of IPv4.
    #[arg(long)]
    ipv6: bool,
    /// A protocol's name or number; all when not given.
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// Destination ports, PORT or FIRST:LAST; for ICMP the type, or TYPE:CODE.
    #[arg(long, value_name = "PORTS", value_parser = ports, requires = "protocol")]
    ports: Option<(u16, Option<u16>)>,
    /// The other side by its address.
    #[arg(long, value_name = "PREFIX", conflicts_with_all = ["remote_group", "remote_addresses"])]
    remote: Option<String>,
    /// The other side as whoever wears this group.
    #[arg(long, value_name = "ID|NAME", conflicts_with = "remote_addresses")]
    remote_group: Option<String>,
    /// The other side as the addresses of this address group.
    #[arg(long, value_name = "ID|NAME")]
    remote_addresses: Option<String>,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Reads `80`, `80:90` or, for ICMP, `3:4`.
fn ports(text: &str) -> Result<(u16, Option<u16>), String> {
    let number =
        |text: &str| text.parse().map_err(|_| format!("{text:?} is not a port like 80 or 8000:8999"));
    match text.split_once(':') {
        Some((first, last)) => Ok((number(first)?, Some(number(last)?))),
        None => Ok((number(text)?, None)),
    }
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    let groups = session.client.security_groups();
    match command {
        Command::List(listing) => verbs::list::<SecurityGroup>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<SecurityGroup>(session, &one).await,
        Command::Create(new) => {
            let body = new.body(session.project().await?);
            session.show_written(groups.create(&body).await?).await
        }
        Command::Set(set) => verbs::set::<SecurityGroup>(session, &set.one, set.body(), set.tags()).await,
        Command::Delete(many) => verbs::delete::<SecurityGroup>(session, &many.objects).await,
        Command::Rules(one) => {
            let group = session.id::<SecurityGroup>(&one.object).await?;
            verbs::list::<SecurityGroupRule>(session, vec![("security_group_id".to_owned(), group)]).await
        }
        Command::Allow(allow) => {
            let body = allow.body(session).await?;
            session.show_written(session.client.security_rules().create(&body).await?).await
        }
        Command::Revoke(many) => verbs::delete::<SecurityGroupRule>(session, &many.objects).await,
    }
}

impl Create {
    fn body(self, project_id: Option<String>) -> SecurityGroupCreate {
        SecurityGroupCreate {
            name: self.name,
            description: self.description,
            project_id,
            stateful: self.stateless.then_some(false),
            tags: replaced(&self.tag, false),
        }
    }
}

impl Set {
    fn body(&self) -> SecurityGroupUpdate {
        SecurityGroupUpdate {
            name: self.name.clone(),
            description: self.description.clone(),
            stateful: either(self.stateful, self.stateless),
        }
    }

    fn tags(&self) -> Option<Vec<String>> {
        replaced(&self.tag, self.no_tag)
    }
}

impl Allow {
    async fn body(self, session: &Session) -> Result<SecurityGroupRuleCreate, Failure> {
        let is_icmp = self.protocol.as_deref().is_some_and(|protocol| protocol.contains("icmp"));
        let (min, max) = match self.ports {
            Some((first, last)) => (Some(first), last.or((!is_icmp).then_some(first))),
            None => (None, None),
        };
        let remote_group_id = match &self.remote_group {
            Some(group) => Some(session.id::<SecurityGroup>(group).await?),
            None => None,
        };
        let remote_address_group_id = match &self.remote_addresses {
            Some(group) => Some(session.id::<AddressGroup>(group).await?),
            None => None,
        };
        Ok(SecurityGroupRuleCreate {
            security_group_id: session.id::<SecurityGroup>(&self.group).await?,
            direction: self.direction,
            ethertype: Some(if self.ipv6 { "IPv6" } else { "IPv4" }.to_owned()),
            protocol: self.protocol,
            port_range_min: min,
            port_range_max: max,
            remote_ip_prefix: self.remote,
            remote_group_id,
            remote_address_group_id,
            description: self.description,
        })
    }
}

impl Noun for SecurityGroup {
    const NOUN: &'static str = "security group";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "TENANT", "STATEFUL", "RULES"];

    fn all(client: &Client) -> Collection<'_, SecurityGroup> {
        client.security_groups()
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
            if self.stateful { "yes" } else { "no" }.to_owned(),
            self.security_group_rules.len().to_string(),
        ]
    }
}

impl Noun for SecurityGroupRule {
    const NOUN: &'static str = "security group rule";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "DIRECTION", "FAMILY", "PROTOCOL", "PORTS", "REMOTE"];

    fn all(client: &Client) -> Collection<'_, SecurityGroupRule> {
        client.security_rules()
    }

    fn name(&self) -> &str {
        ""
    }

    fn owner(&self) -> Option<&str> {
        Some(&self.project_id)
    }

    fn row(&self, _: &Names) -> Vec<String> {
        let ports = match (self.port_range_min, self.port_range_max) {
            (Some(first), Some(last)) if first != last => format!("{first}:{last}"),
            (Some(first), _) => first.to_string(),
            (None, _) => "-".to_owned(),
        };
        let remote = [&self.remote_ip_prefix, &self.remote_group_id, &self.remote_address_group_id];
        vec![
            self.id.clone(),
            self.direction.clone(),
            self.ethertype.clone(),
            self.protocol.clone().unwrap_or_else(|| "any".to_owned()),
            ports,
            remote.into_iter().flatten().next().cloned().unwrap_or_else(|| "any".to_owned()),
        ]
    }
}
