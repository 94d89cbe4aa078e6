//! `weft share`: which tenants may use what is another's.

use clap::{Args, Subcommand, ValueEnum};
use weft_api::{
    AddressGroup, AddressScope, Network, RbacPolicy, RbacPolicyCreate, RbacPolicyUpdate, SecurityGroup,
    SubnetPool, Tenant,
};
use weft_client::{Client, Collection};

use crate::failure::Failure;
use crate::session::{Names, Noun, Session};
use crate::verbs::{self, Listing, Many, One, called};

/// What can be done with RBAC policies.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what is shared.
    List(Listing),
    /// Show one RBAC policy.
    Show(One),
    /// Share something with a tenant or, as an administrator, with all.
    Create(Create),
    /// Share with another tenant instead.
    Set(Set),
    /// Stop sharing. What other tenants use is refused.
    Delete(Many),
}

/// What can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Network,
    SecurityGroup,
    AddressGroup,
    SubnetPool,
    AddressScope,
}

/// What to share, and with whom.
#[derive(Debug, Args)]
pub struct Create {
    /// What kind of object to share.
    #[arg(value_enum)]
    kind: Kind,
    /// Which one.
    #[arg(value_name = "ID|NAME")]
    object: String,
    /// The tenant to share with, by id or name; all tenants when it is *.
    #[arg(long, value_name = "ID|NAME|*")]
    with: String,
    /// Let the tenant have gateways and floating IPs on the network, not ports; administrators only.
    #[arg(long)]
    external: bool,
}

/// With whom to share instead.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    one: One,
    /// The tenant to share with, by id or name; all tenants when it is *.
    #[arg(long, value_name = "ID|NAME|*")]
    with: String,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<RbacPolicy>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<RbacPolicy>(session, &one).await,
        Command::Create(new) => {
            let (object_type, object_id) = object(session, new.kind, &new.object).await?;
            let action = if new.external { "access_as_external" } else { "access_as_shared" };
            let body = RbacPolicyCreate {
                object_type: object_type.to_owned(),
                object_id,
                action: action.to_owned(),
                target_tenant: target(session, &new.with).await?,
                project_id: None,
            };
            session.show_written(session.client.rbac_policies().create(&body).await?).await
        }
        Command::Set(set) => {
            let change = RbacPolicyUpdate { target_tenant: Some(target(session, &set.with).await?) };
            verbs::set::<RbacPolicy>(session, &set.one, change, None).await
        }
        Command::Delete(many) => verbs::delete::<RbacPolicy>(session, &many.objects).await,
    }
}

async fn object(session: &Session, kind: Kind, text: &str) -> Result<(&'static str, String), Failure> {
    Ok(match kind {
        Kind::Network => ("network", session.id::<Network>(text).await?),
        Kind::SecurityGroup => ("security_group", session.id::<SecurityGroup>(text).await?),
        Kind::AddressGroup => ("address_group", session.id::<AddressGroup>(text).await?),
        Kind::SubnetPool => ("subnetpool", session.id::<SubnetPool>(text).await?),
        Kind::AddressScope => ("address_scope", session.id::<AddressScope>(text).await?),
    })
}

/// Other tenants' names are not shown to tenants, who give the id instead.
async fn target(session: &Session, text: &str) -> Result<String, Failure> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    Ok(session.id::<Tenant>(text).await.unwrap_or_else(|_| text.to_owned()))
}

impl Noun for RbacPolicy {
    const NOUN: &'static str = "RBAC policy";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "TENANT", "KIND", "OBJECT", "ACTION", "WITH"];

    fn all(client: &Client) -> Collection<'_, RbacPolicy> {
        client.rbac_policies()
    }

    fn name(&self) -> &str {
        ""
    }

    fn named(_: &str) -> Vec<(&'static str, &str)> {
        vec![]
    }

    fn owner(&self) -> Option<&str> {
        Some(&self.project_id)
    }

    fn row(&self, names: &Names) -> Vec<String> {
        vec![
            self.id.clone(),
            called(names, &self.project_id),
            self.object_type.clone(),
            called(names, &self.object_id),
            self.action.clone(),
            called(names, &self.target_tenant),
        ]
    }
}
