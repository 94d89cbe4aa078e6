//! Typed HTTP client for the Weft controller: the CLI and the agent speak through it.
//!
//! ```no_run
//! # async fn example() -> Result<(), weft_client::ClientError> {
//! let client = weft_client::Client::new("http://127.0.0.1:9696", Some("weft_secret"))?;
//! let blue = client.networks().find("blue").await?;
//! println!("{} has VNI {:?}", blue.value.id, blue.value.provider_segmentation_id);
//! # Ok(()) }
//! ```

mod collection;
mod error;
mod events;
mod identity;
mod transport;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

pub use collection::{Collection, Never, Resource, TokenCollection};
pub use error::{ClientError, Refusal};
pub use events::Events;
pub use identity::LoggedIn;
pub use transport::Answer;
use transport::Transport;
pub use weft_api as api;
use weft_api::{
    AddressGroup, AddressScope, Applied, ApplyAsked, AuditEntry, AuditPage, FloatingIp, Health, Host,
    Network, NetworkIpAvailability, NetworkIpAvailabilityEnvelope, NetworkSegmentRange, Plan, PlanEnvelope,
    Port, QosPolicy, Quota, QuotaDetail, QuotaDetailsEnvelope, QuotaEnvelope, QuotaUpdate, RbacPolicy,
    Router, SecurityGroup, SecurityGroupRule, Subnet, SubnetPool, Tenant, Trace, TraceAsked, TraceEnvelope,
    Trunk, Whoami,
};

/// How much longer than asked to wait for an answer about an applied revision.
const APPLIED_SLACK: Duration = Duration::from_secs(15);

/// How long applying a file may take.
const APPLY: Duration = Duration::from_secs(120);

/// The most entries of the audit log in one answer.
const AUDIT_PAGE: usize = 1000;

/// Which entries of the audit log are wanted; what is absent narrows nothing down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// Only what became of these: `networks`, `ports`.
    pub kind: Option<String>,
    /// Only what became of this object.
    pub id: Option<String>,
    /// Only what became of this tenant's objects.
    pub project: Option<String>,
    /// Nothing before this revision or time (RFC 3339).
    pub since: Option<String>,
    /// Nothing after this revision or time.
    pub until: Option<String>,
    /// The most entries.
    pub limit: usize,
}

/// A handle to one controller; clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
}

impl Client {
    /// A client of the controller at `endpoint` (`http://host:port`), in the name of `token` if there is one.
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`] or [`ClientError::Token`] when one of them is malformed.
    pub fn new(endpoint: &str, token: Option<&str>) -> Result<Client, ClientError> {
        Ok(Client { transport: Transport::new(endpoint, token)? })
    }

    /// The same client, but its writes are not made: they fail with [`ClientError::Planned`], which says what they would
    /// have done.
    pub fn dry(self) -> Client {
        Client { transport: self.transport.dry() }
    }

    /// Makes a tenant's objects what is said of them, all of it or nothing; answers what was done.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn apply(&self, asked: &ApplyAsked) -> Result<Answer<Plan>, ClientError> {
        let request = self.transport.request(Method::POST, &["v1", "apply"], &[]).patience(APPLY);
        let answer = request.body(&json!({ "apply": asked })).send::<PlanEnvelope>().await?;
        Ok(answer.map(|envelope| envelope.plan))
    }

    /// Where the controller is.
    pub fn endpoint(&self) -> &str {
        self.transport.endpoint()
    }

    /// The networks.
    pub fn networks(&self) -> Collection<'_, Network> {
        Collection::new(&self.transport)
    }

    /// The subnets.
    pub fn subnets(&self) -> Collection<'_, Subnet> {
        Collection::new(&self.transport)
    }

    /// The ports.
    pub fn ports(&self) -> Collection<'_, Port> {
        Collection::new(&self.transport)
    }

    /// The security groups.
    pub fn security_groups(&self) -> Collection<'_, SecurityGroup> {
        Collection::new(&self.transport)
    }

    /// The rules of security groups.
    pub fn security_rules(&self) -> Collection<'_, SecurityGroupRule> {
        Collection::new(&self.transport)
    }

    /// The address groups.
    pub fn address_groups(&self) -> Collection<'_, AddressGroup> {
        Collection::new(&self.transport)
    }

    /// The trunks.
    pub fn trunks(&self) -> Collection<'_, Trunk> {
        Collection::new(&self.transport)
    }

    /// The QoS policies.
    pub fn qos_policies(&self) -> Collection<'_, QosPolicy> {
        Collection::new(&self.transport)
    }

    /// The subnet pools.
    pub fn subnet_pools(&self) -> Collection<'_, SubnetPool> {
        Collection::new(&self.transport)
    }

    /// The address scopes.
    pub fn address_scopes(&self) -> Collection<'_, AddressScope> {
        Collection::new(&self.transport)
    }

    /// The ranges of VNIs. For administrators.
    pub fn segment_ranges(&self) -> Collection<'_, NetworkSegmentRange> {
        Collection::new(&self.transport)
    }

    /// The RBAC policies of what the caller owns.
    pub fn rbac_policies(&self) -> Collection<'_, RbacPolicy> {
        Collection::new(&self.transport)
    }

    /// How many addresses a network has left.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ip_availability(&self, network: &str) -> Result<Answer<NetworkIpAvailability>, ClientError> {
        let request = self.transport.get(&["v2.0", "network-ip-availabilities", network], &[]);
        let answer = request.send::<NetworkIpAvailabilityEnvelope>().await?;
        Ok(answer.map(|envelope| envelope.network_ip_availability))
    }

    /// The routers.
    pub fn routers(&self) -> Collection<'_, Router> {
        Collection::new(&self.transport)
    }

    /// The floating IPs.
    pub fn floating_ips(&self) -> Collection<'_, FloatingIp> {
        Collection::new(&self.transport)
    }

    /// The tenants (administrators see all, others their own).
    pub fn tenants(&self) -> Collection<'_, Tenant> {
        Collection::new(&self.transport)
    }

    /// The hosts (administrators only).
    pub fn hosts(&self) -> Collection<'_, Host> {
        Collection::new(&self.transport)
    }

    /// The tokens of one tenant (administrators only).
    pub fn tokens<'a>(&'a self, tenant: &'a str) -> TokenCollection<'a> {
        TokenCollection::new(&self.transport, tenant)
    }

    /// Waits until `revision` is in force on every switch that it concerns, at most for `timeout` (whole seconds, the
    /// controller caps them at 300). [`Applied::applied`] says whether it is.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn applied(&self, revision: u64, timeout: Duration) -> Result<Applied, ClientError> {
        let query = [("revision", revision.to_string()), ("timeout", timeout.as_secs().to_string())];
        let request = self.transport.get(&["v1", "applied"], &query).patience(timeout + APPLIED_SLACK);
        Ok(request.send::<Applied>().await?.value)
    }

    /// Like [`Client::applied`], but only one host counts. For administrators.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn applied_on(
        &self,
        host: &str,
        revision: u64,
        timeout: Duration,
    ) -> Result<Applied, ClientError> {
        let (revision, seconds) = (revision.to_string(), timeout.as_secs().to_string());
        let query = [("revision", revision), ("timeout", seconds), ("host", host.to_owned())];
        let request = self.transport.get(&["v1", "applied"], &query).patience(timeout + APPLIED_SLACK);
        Ok(request.send::<Applied>().await?.value)
    }

    /// What happens to objects after the revision `from` (from now on when absent), as far as `filters` (`kind`,
    /// `project_id`, `id`) want it.
    pub fn events<'a>(&'a self, from: Option<u64>, filters: Vec<(&'a str, String)>) -> Events<'a> {
        Events::new(&self.transport, from, filters)
    }

    /// What was written and by whom, newest first, of as many pages as that takes.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn audit(&self, wanted: &AuditQuery) -> Result<Vec<AuditEntry>, ClientError> {
        let filters = [
            ("kind", &wanted.kind),
            ("id", &wanted.id),
            ("project_id", &wanted.project),
            ("since", &wanted.since),
            ("until", &wanted.until),
        ];
        let filters = filters.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        let filters: Vec<(&str, String)> = filters.collect();
        let (mut entries, mut marker) = (Vec::new(), None);
        while entries.len() < wanted.limit {
            let mut query = filters.clone();
            query.push(("limit", (wanted.limit - entries.len()).min(AUDIT_PAGE).to_string()));
            query.extend(marker.map(|marker: u64| ("marker", marker.to_string())));
            let page = self.transport.get(&["v1", "audit"], &query).send::<AuditPage>().await?.value;
            entries.extend(page.entries);
            marker = page.next;
            if marker.is_none() {
                break;
            }
        }
        Ok(entries)
    }

    /// How much a tenant may have and has, by kind.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn quota(&self, tenant: &str) -> Result<Answer<BTreeMap<String, QuotaDetail>>, ClientError> {
        let request = self.transport.get(&["v2.0", "quotas", tenant, "details"], &[]);
        Ok(request.send::<QuotaDetailsEnvelope>().await?.map(|envelope| envelope.quota))
    }

    /// Sets how much a tenant may have. For administrators.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_quota(&self, tenant: &str, change: &QuotaUpdate) -> Result<Answer<Quota>, ClientError> {
        let request = self.transport.request(Method::PUT, &["v2.0", "quotas", tenant], &[]);
        let answer = request.body(&json!({ "quota": change })).send::<QuotaEnvelope>().await?;
        Ok(answer.map(|envelope| envelope.quota))
    }

    /// Takes all limits from a tenant. For administrators.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn reset_quota(&self, tenant: &str) -> Result<Answer<()>, ClientError> {
        self.transport.request(Method::DELETE, &["v2.0", "quotas", tenant], &[]).send_for_nothing().await
    }

    /// Where a packet would go, and why. Nothing is sent.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn trace(&self, asked: &TraceAsked) -> Result<Trace, ClientError> {
        let request = self.transport.request(Method::POST, &["v1", "trace"], &[]);
        let envelope = request.body(&json!({ "trace": asked })).send::<TraceEnvelope>().await?.value;
        Ok(envelope.trace)
    }

    /// Who the token speaks for.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn whoami(&self) -> Result<Whoami, ClientError> {
        Ok(self.transport.get(&["v1", "whoami"], &[]).send::<Whoami>().await?.value)
    }

    /// Whether the controller is ready; a controller that is starting is an [`ClientError::Refused`] with status 503.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ready(&self) -> Result<Health, ClientError> {
        Ok(self.transport.get(&["readyz"], &[]).send::<Health>().await?.value)
    }
}

#[cfg(test)]
mod tests;
