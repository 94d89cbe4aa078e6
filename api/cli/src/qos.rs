//! `weft qos`: how much ports may send and get, and which mark their packets leave with.

use clap::{Args, Subcommand};
use weft_api::{
    BandwidthLimitRuleAsked, DscpMarkingRuleAsked, QosPolicy, QosPolicyCreate, QosPolicyUpdate, QosRule,
};
use weft_client::{Answer, Client, Collection};

use crate::failure::Failure;
use crate::output::or_dash;
use crate::session::{Names, Noun, Session};
use crate::spelling::either;
use crate::verbs::{self, Listing, Many, One, called, some_change};

/// What can be done with QoS policies.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List QoS policies.
    List(Listing),
    /// Show one QoS policy with its rules.
    Show(One),
    /// Create a QoS policy.
    Create(Create),
    /// Change a QoS policy, or what it says.
    Set(Set),
    /// Take limits or the mark from a QoS policy.
    Unset(Unset),
    /// Delete QoS policies. One that ports or networks wear is refused.
    Delete(Many),
}

/// What a policy says.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct Rules {
    /// How many thousand bits a second a port may send.
    #[arg(long, value_name = "KBPS")]
    egress: Option<u32>,
    /// How many thousand bits it may send at once.
    #[arg(long, value_name = "KBIT", requires = "egress")]
    egress_burst: Option<u32>,
    /// How many thousand bits a second a port may get.
    #[arg(long, value_name = "KBPS")]
    ingress: Option<u32>,
    /// How many thousand bits it may get at once.
    #[arg(long, value_name = "KBIT", requires = "ingress")]
    ingress_burst: Option<u32>,
    /// The DSCP mark of what a port sends: 0, 8, 10, ... 46, 48, 56.
    #[arg(long, value_name = "MARK")]
    dscp: Option<u8>,
}

/// A QoS policy to create.
#[derive(Debug, Args)]
pub struct Create {
    /// What to call it.
    name: String,
    #[command(flatten)]
    rules: Rules,
    /// New networks of the tenant wear it when they do not say.
    #[arg(long)]
    default: bool,
    /// Every tenant may use it; administrators only.
    #[arg(long)]
    shared: bool,
    /// Free text.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Changes to a QoS policy.
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
    #[command(flatten)]
    rules: Rules,
    /// New networks of the tenant wear it when they do not say.
    #[arg(long, conflicts_with = "no_default")]
    default: bool,
    /// New networks do not wear it by themselves.
    #[arg(long)]
    no_default: bool,
    /// Every tenant may use it; administrators only.
    #[arg(long, conflicts_with = "private")]
    shared: bool,
    /// Only its own tenant may use it; administrators only.
    #[arg(long)]
    private: bool,
}

/// What a QoS policy no longer says.
#[derive(Debug, Args)]
pub struct Unset {
    #[command(flatten)]
    one: One,
    /// No limit of what ports send.
    #[arg(long)]
    egress: bool,
    /// No limit of what ports get.
    #[arg(long)]
    ingress: bool,
    /// No mark.
    #[arg(long)]
    dscp: bool,
}

/// Runs one of the commands.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List(listing) => verbs::list::<QosPolicy>(session, listing.query(vec![])).await,
        Command::Show(one) => verbs::show::<QosPolicy>(session, &one).await,
        Command::Create(new) => {
            let body = QosPolicyCreate {
                name: Some(new.name),
                description: new.description,
                project_id: session.project().await?,
                shared: new.shared.then_some(true),
                is_default: new.default.then_some(true),
            };
            let made = session.client.qos_policies().create(&body).await?;
            finish(session, made, &new.rules).await
        }
        Command::Set(set) => change(session, set).await,
        Command::Unset(unset) => {
            let policies = session.client.qos_policies();
            let policy = session.find::<QosPolicy>(&unset.one.object).await?;
            let goes = |rule: &&QosRule| match rule.direction.as_deref() {
                Some("egress") => unset.egress,
                Some(_) => unset.ingress,
                None => unset.dscp,
            };
            let mut revision = 0;
            for rule in policy.rules.iter().filter(goes) {
                revision = policies.delete_rule(&policy.id, rule).await?.revision;
            }
            let value = policies.show(&policy.id).await?.value;
            session.show_written(Answer { value, revision }).await
        }
        Command::Delete(many) => verbs::delete::<QosPolicy>(session, &many.objects).await,
    }
}

async fn change(session: &Session, set: Set) -> Result<(), Failure> {
    let words = QosPolicyUpdate {
        name: set.name,
        description: set.description,
        shared: either(set.shared, set.private),
        is_default: either(set.default, set.no_default),
    };
    if set.rules == Rules::default() {
        return verbs::set::<QosPolicy>(session, &set.one, some_change(words)?, None).await;
    }
    let policies = session.client.qos_policies();
    let id = session.id::<QosPolicy>(&set.one.object).await?;
    let policy = if words == QosPolicyUpdate::default() {
        policies.show(&id).await?
    } else {
        policies.update(&id, &words).await?
    };
    finish(session, policy, &set.rules).await
}

/// Makes a policy say what was asked for, and shows it.
async fn finish(session: &Session, policy: Answer<QosPolicy>, rules: &Rules) -> Result<(), Failure> {
    let policies = session.client.qos_policies();
    let Answer { value: policy, mut revision } = policy;
    let directions =
        [("egress", rules.egress, rules.egress_burst), ("ingress", rules.ingress, rules.ingress_burst)];
    for (direction, rate, burst) in directions {
        let Some(rate) = rate else { continue };
        let there = policy.rules.iter().find(|rule| rule.direction.as_deref() == Some(direction));
        let limit = BandwidthLimitRuleAsked {
            max_kbps: Some(rate),
            max_burst_kbps: Some(burst.unwrap_or(0)),
            direction: Some(direction.to_owned()),
        };
        revision = policies.put_limit(&policy.id, there.map(|rule| rule.id.as_str()), &limit).await?.revision;
    }
    if let Some(mark) = rules.dscp {
        let there = policy.rules.iter().find(|rule| rule.dscp_mark.is_some());
        let mark = DscpMarkingRuleAsked { dscp_mark: Some(mark) };
        revision = policies.put_mark(&policy.id, there.map(|rule| rule.id.as_str()), &mark).await?.revision;
    }
    let value = policies.show(&policy.id).await?.value;
    session.show_written(Answer { value, revision }).await
}

impl Noun for QosPolicy {
    const NOUN: &'static str = "QoS policy";
    const IS_OWNED: bool = true;
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "TENANT", "EGRESS", "INGRESS", "DSCP"];

    fn all(client: &Client) -> Collection<'_, QosPolicy> {
        client.qos_policies()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn owner(&self) -> Option<&str> {
        Some(&self.project_id)
    }

    fn row(&self, names: &Names) -> Vec<String> {
        let limit = |direction: &str| {
            let rule = self.rules.iter().find(|rule| rule.direction.as_deref() == Some(direction));
            rule.and_then(|rule| rule.max_kbps).map(|rate| format!("{rate} kbit/s")).unwrap_or_default()
        };
        let mark = self.rules.iter().find_map(|rule| rule.dscp_mark).map(|mark| mark.to_string());
        vec![
            self.id.clone(),
            or_dash(&self.name),
            called(names, &self.project_id),
            or_dash(&limit("egress")),
            or_dash(&limit("ingress")),
            or_dash(&mark.unwrap_or_default()),
        ]
    }
}
