//! `weft quota`: how much tenants may have.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use weft_api::{QuotaDetail, QuotaUpdate, Tenant};

use crate::failure::Failure;
use crate::output::{self, Format, Surface};
use crate::session::Session;
use crate::verbs::{One, some_change};

/// What can be done with quotas.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how much a tenant may have, and how much it has.
    Show(One),
    /// Set limits; administrators only. What a tenant has stays, also above a limit.
    Set(Set),
    /// Take all limits from a tenant; administrators only.
    Reset(One),
}

/// Limits to set; -1 is no limit.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    one: One,
    /// Networks.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    networks: Option<i64>,
    /// Subnets.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    subnets: Option<i64>,
    /// Ports, also those that are interfaces of routers.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    ports: Option<i64>,
    /// Routers.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    routers: Option<i64>,
    /// Floating IPs.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    floating_ips: Option<i64>,
    /// Security groups, the default one among them.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    security_groups: Option<i64>,
    /// Rules of all security groups.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    security_group_rules: Option<i64>,
    /// Trunks.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    trunks: Option<i64>,
    /// Subnet pools.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    subnet_pools: Option<i64>,
    /// Policies of sharing.
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    rbac_policies: Option<i64>,
    /// Refuse a limit below what the tenant has.
    #[arg(long)]
    check: bool,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Show(one) => show(session, &session.id::<Tenant>(&one.object).await?).await,
        Command::Set(set) => {
            let tenant = session.id::<Tenant>(&set.one.object).await?;
            let change = some_change(set.body())?;
            let change = QuotaUpdate { check_limit: set.check.then_some(true), ..change };
            session.client.set_quota(&tenant, &change).await?;
            show(session, &tenant).await
        }
        Command::Reset(one) => {
            let tenant = session.id::<Tenant>(&one.object).await?;
            session.client.reset_quota(&tenant).await?;
            Ok(())
        }
    }
}

impl Set {
    fn body(&self) -> QuotaUpdate {
        QuotaUpdate {
            network: self.networks,
            subnet: self.subnets,
            port: self.ports,
            router: self.routers,
            floatingip: self.floating_ips,
            security_group: self.security_groups,
            security_group_rule: self.security_group_rules,
            trunk: self.trunks,
            subnetpool: self.subnet_pools,
            rbac_policy: self.rbac_policies,
            check_limit: None,
        }
    }
}

async fn show(session: &Session, tenant: &str) -> Result<(), Failure> {
    let details = session.client.quota(tenant).await?.value;
    match session.format {
        Format::Table => output::write(&table(&details)),
        Format::Json => output::write_json(&details),
        Format::Id => output::write(&format!("{tenant}\n")),
    }
}

fn table(details: &BTreeMap<String, QuotaDetail>) -> String {
    let limit = |limit: i64| if limit < 0 { "-".to_owned() } else { limit.to_string() };
    let row = |(kind, detail): (&String, &QuotaDetail)| {
        vec![kind.clone(), detail.used.to_string(), limit(detail.limit)]
    };
    let rows: Vec<Vec<String>> = details.iter().map(row).collect();
    output::columns(Surface::of_stdout(), &["WHAT", "USED", "LIMIT"], &rows)
}
