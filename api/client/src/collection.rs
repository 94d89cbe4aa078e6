//! Collections: list, show, create, update and delete, the same for every kind of object.

use std::marker::PhantomData;

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use weft_api::identity::{User, UserCreate, UserUpdate};
use weft_api::{
    AddressGroup, AddressGroupAddresses, AddressGroupCreate, AddressGroupUpdate, AddressScope,
    AddressScopeCreate, AddressScopeUpdate, BandwidthLimitRule, BandwidthLimitRuleAsked, DscpMarkingRule,
    DscpMarkingRuleAsked, FloatingIp, FloatingIpCreate, FloatingIpUpdate, Host, InterfaceAsked, Network,
    NetworkCreate, NetworkSegmentRange, NetworkSegmentRangeCreate, NetworkSegmentRangeUpdate, NetworkUpdate,
    Port, PortCreate, PortForwarding, PortForwardingCreate, PortForwardingList, PortForwardingUpdate,
    PortUpdate, QosPolicy, QosPolicyCreate, QosPolicyUpdate, QosRule, RbacPolicy, RbacPolicyCreate,
    RbacPolicyUpdate, Router, RouterCreate, RouterInterface, RouterUpdate, SecurityGroup,
    SecurityGroupCreate, SecurityGroupRule, SecurityGroupRuleCreate, SecurityGroupUpdate, SubPort,
    SubPortRemoved, SubPorts, SubPortsRemoved, Subnet, SubnetCreate, SubnetPool, SubnetPoolCreate,
    SubnetPoolUpdate, SubnetUpdate, TagList, Tenant, TenantCreate, TenantUpdate, Token, TokenCreate,
    TokenList, Trunk, TrunkCreate, TrunkUpdate,
};

use crate::error::{ClientError, Refusal};
use crate::transport::{Answer, Request, Transport};

/// What cannot be made: hosts join by themselves, nobody creates or changes them over the API.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum Never {}

/// A kind of object that the API keeps in a collection.
pub trait Resource: DeserializeOwned {
    /// What creates one.
    type Create: Serialize;
    /// What changes one.
    type Update: Serialize;
    /// The version of the API that has it: the first part of the address.
    const VERSION: &'static str;
    /// One of them: the member of the envelope.
    const ONE: &'static str;
    /// All of them: the member of the list.
    const MANY: &'static str;
    /// The rest of the address: one part, or several with slashes between them.
    const PATH: &'static str;
    /// How one is changed.
    const CHANGE: Method = Method::PUT;
    /// Its id.
    fn id(&self) -> &str;
}

macro_rules! resource {
    ($of:ty, $create:ty, $update:ty, $version:literal, $one:literal, $many:literal) => {
        resource!($of, $create, $update, $version, $one, $many, $many);
    };
    ($of:ty, $create:ty, $update:ty, $version:literal, $one:literal, $many:literal, $path:literal) => {
        impl Resource for $of {
            type Create = $create;
            type Update = $update;
            const VERSION: &'static str = $version;
            const ONE: &'static str = $one;
            const MANY: &'static str = $many;
            const PATH: &'static str = $path;
            fn id(&self) -> &str {
                &self.id
            }
        }
    };
}

resource!(Network, NetworkCreate, NetworkUpdate, "v2.0", "network", "networks");
resource!(Subnet, SubnetCreate, SubnetUpdate, "v2.0", "subnet", "subnets");
resource!(Port, PortCreate, PortUpdate, "v2.0", "port", "ports");
resource!(Router, RouterCreate, RouterUpdate, "v2.0", "router", "routers");
resource!(SubnetPool, SubnetPoolCreate, SubnetPoolUpdate, "v2.0", "subnetpool", "subnetpools");
resource!(
    AddressScope,
    AddressScopeCreate,
    AddressScopeUpdate,
    "v2.0",
    "address_scope",
    "address_scopes",
    "address-scopes"
);
resource!(
    NetworkSegmentRange,
    NetworkSegmentRangeCreate,
    NetworkSegmentRangeUpdate,
    "v2.0",
    "network_segment_range",
    "network_segment_ranges"
);
resource!(
    RbacPolicy,
    RbacPolicyCreate,
    RbacPolicyUpdate,
    "v2.0",
    "rbac_policy",
    "rbac_policies",
    "rbac-policies"
);
resource!(FloatingIp, FloatingIpCreate, FloatingIpUpdate, "v2.0", "floatingip", "floatingips");
resource!(
    SecurityGroup,
    SecurityGroupCreate,
    SecurityGroupUpdate,
    "v2.0",
    "security_group",
    "security_groups",
    "security-groups"
);
resource!(
    SecurityGroupRule,
    SecurityGroupRuleCreate,
    Never,
    "v2.0",
    "security_group_rule",
    "security_group_rules",
    "security-group-rules"
);
resource!(
    AddressGroup,
    AddressGroupCreate,
    AddressGroupUpdate,
    "v2.0",
    "address_group",
    "address_groups",
    "address-groups"
);
impl Resource for User {
    type Create = UserCreate;
    type Update = UserUpdate;
    const VERSION: &'static str = "v3";
    const ONE: &'static str = "user";
    const MANY: &'static str = "users";
    const PATH: &'static str = "users";
    const CHANGE: Method = Method::PATCH;
    fn id(&self) -> &str {
        &self.id
    }
}

resource!(Trunk, TrunkCreate, TrunkUpdate, "v2.0", "trunk", "trunks");
resource!(QosPolicy, QosPolicyCreate, QosPolicyUpdate, "v2.0", "policy", "policies", "qos/policies");
resource!(Tenant, TenantCreate, TenantUpdate, "v1", "tenant", "tenants");
resource!(Host, Never, Never, "v1", "host", "hosts");

/// What routers do besides.
impl Collection<'_, Router> {
    /// Gives a router an interface, in a subnet or of a port.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn add_interface(
        &self,
        router: &str,
        asked: &InterfaceAsked,
    ) -> Result<Answer<RouterInterface>, ClientError> {
        let path = ["v2.0", "routers", router, "add_router_interface"];
        self.transport.request(Method::PUT, &path, &[]).body(asked).send().await
    }

    /// Takes an interface from a router; its port is deleted.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn remove_interface(
        &self,
        router: &str,
        asked: &InterfaceAsked,
    ) -> Result<Answer<RouterInterface>, ClientError> {
        let path = ["v2.0", "routers", router, "remove_router_interface"];
        self.transport.request(Method::PUT, &path, &[]).body(asked).send().await
    }
}

/// Port forwardings stand under their floating IP.
impl Collection<'_, FloatingIp> {
    /// The port forwardings of a floating IP.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn port_forwardings(&self, of: &str) -> Result<Answer<Vec<PortForwarding>>, ClientError> {
        let request = self.transport.get(&["v2.0", "floatingips", of, FORWARDINGS], &[]);
        Ok(request.send::<PortForwardingList>().await?.map(|list| list.port_forwardings))
    }

    /// One port forwarding of a floating IP.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn port_forwarding(&self, of: &str, id: &str) -> Result<Answer<PortForwarding>, ClientError> {
        let path = ["v2.0", "floatingips", of, FORWARDINGS, id];
        unwrap(self.transport.get(&path, &[]), FORWARDING).await
    }

    /// Makes a port forwarding.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create_port_forwarding(
        &self,
        of: &str,
        new: &PortForwardingCreate,
    ) -> Result<Answer<PortForwarding>, ClientError> {
        let request = self.transport.request(Method::POST, &["v2.0", "floatingips", of, FORWARDINGS], &[]);
        unwrap(request.body(&json!({ (FORWARDING): new })), FORWARDING).await
    }

    /// Changes a port forwarding.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn update_port_forwarding(
        &self,
        of: &str,
        id: &str,
        change: &PortForwardingUpdate,
    ) -> Result<Answer<PortForwarding>, ClientError> {
        let path = ["v2.0", "floatingips", of, FORWARDINGS, id];
        let request = self.transport.request(Method::PUT, &path, &[]);
        unwrap(request.body(&json!({ (FORWARDING): change })), FORWARDING).await
    }

    /// Deletes a port forwarding.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete_port_forwarding(&self, of: &str, id: &str) -> Result<Answer<()>, ClientError> {
        let path = ["v2.0", "floatingips", of, FORWARDINGS, id];
        self.transport.request(Method::DELETE, &path, &[]).send_for_nothing().await
    }
}

const FORWARDING: &str = "port_forwarding";
const FORWARDINGS: &str = "port_forwardings";

/// What address groups do besides.
impl Collection<'_, AddressGroup> {
    /// Adds addresses to those that a group has.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn add_addresses(
        &self,
        group: &str,
        addresses: &[String],
    ) -> Result<Answer<AddressGroup>, ClientError> {
        self.change_addresses(group, "add_addresses", addresses).await
    }

    /// Removes addresses from those that a group has.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn remove_addresses(
        &self,
        group: &str,
        addresses: &[String],
    ) -> Result<Answer<AddressGroup>, ClientError> {
        self.change_addresses(group, "remove_addresses", addresses).await
    }

    async fn change_addresses(
        &self,
        group: &str,
        verb: &str,
        addresses: &[String],
    ) -> Result<Answer<AddressGroup>, ClientError> {
        let asked = AddressGroupAddresses { addresses: addresses.to_vec() };
        let request = self.transport.request(Method::PUT, &["v2.0", AddressGroup::PATH, group, verb], &[]);
        unwrap(request.body(&json!({ (AddressGroup::ONE): asked })), AddressGroup::ONE).await
    }
}

/// What trunks do besides.
impl Collection<'_, Trunk> {
    /// Puts ports behind tags of a trunk.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn add_subports(
        &self,
        trunk: &str,
        sub_ports: Vec<SubPort>,
    ) -> Result<Answer<Trunk>, ClientError> {
        let path = path::<Trunk>(&[trunk, "add_subports"]);
        self.transport.request(Method::PUT, &path, &[]).body(&SubPorts { sub_ports }).send().await
    }

    /// Takes ports from a trunk.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn remove_subports(
        &self,
        trunk: &str,
        ports: Vec<String>,
    ) -> Result<Answer<Trunk>, ClientError> {
        let sub_ports = ports.into_iter().map(|port_id| SubPortRemoved { port_id }).collect();
        let path = path::<Trunk>(&[trunk, "remove_subports"]);
        self.transport.request(Method::PUT, &path, &[]).body(&SubPortsRemoved { sub_ports }).send().await
    }
}

/// Rules stand under their policy.
impl Collection<'_, QosPolicy> {
    /// Limits what ports that wear a policy send or get; `rule` is the one to change, if there is one for that direction.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn put_limit(
        &self,
        policy: &str,
        rule: Option<&str>,
        limit: &BandwidthLimitRuleAsked,
    ) -> Result<Answer<BandwidthLimitRule>, ClientError> {
        let request = self.put_rule(policy, LIMITS, rule);
        unwrap(request.body(&json!({ (LIMIT): limit })), LIMIT).await
    }

    /// Marks what ports that wear a policy send; `rule` is the one to change, if there is one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn put_mark(
        &self,
        policy: &str,
        rule: Option<&str>,
        mark: &DscpMarkingRuleAsked,
    ) -> Result<Answer<DscpMarkingRule>, ClientError> {
        let request = self.put_rule(policy, MARKS, rule);
        unwrap(request.body(&json!({ (MARK): mark })), MARK).await
    }

    /// Takes a rule from a policy.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete_rule(&self, policy: &str, rule: &QosRule) -> Result<Answer<()>, ClientError> {
        let rules = if rule.dscp_mark.is_some() { MARKS } else { LIMITS };
        let path = path::<QosPolicy>(&[policy, rules, &rule.id]);
        self.transport.request(Method::DELETE, &path, &[]).send_for_nothing().await
    }

    fn put_rule(&self, policy: &str, rules: &str, rule: Option<&str>) -> Request {
        let method = if rule.is_some() { Method::PUT } else { Method::POST };
        let rest: Vec<&str> = [policy, rules].into_iter().chain(rule).collect();
        self.transport.request(method, &path::<QosPolicy>(&rest), &[])
    }
}

const LIMIT: &str = "bandwidth_limit_rule";
const LIMITS: &str = "bandwidth_limit_rules";
const MARK: &str = "dscp_marking_rule";
const MARKS: &str = "dscp_marking_rules";

/// All objects of one kind that the caller may see.
#[derive(Debug)]
pub struct Collection<'a, R> {
    transport: &'a Transport,
    of: PhantomData<R>,
}

impl<'a, R: Resource> Collection<'a, R> {
    pub(crate) fn new(transport: &'a Transport) -> Self {
        Collection { transport, of: PhantomData }
    }

    /// Those that match all filters (`("name", "blue")`; the same field twice means either), in the order of their ids
    /// or of `sort_key`. With `limit` (and `marker`) among the filters it is one page, without it everything: the pages
    /// into which the controller divides long lists are put together.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn list(&self, filters: &[(&str, &str)]) -> Result<Answer<Vec<R>>, ClientError> {
        let mut query: Vec<(&str, String)> = filters.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        let is_one_page = filters.iter().any(|(name, _)| *name == "limit");
        let mut all: Vec<R> = Vec::new();
        loop {
            let request = self.transport.get(&path::<R>(&[]), &query);
            let Answer { value: mut envelope, revision } = request.send::<Map<String, Value>>().await?;
            // Under /v3 it is one object of links, elsewhere a list of them.
            let links = envelope.remove(&format!("{}_links", R::MANY)).or_else(|| envelope.remove("links"));
            let links = links.unwrap_or_default();
            let mut page: Vec<R> = member(&mut envelope, R::MANY)?;
            let is_last = page.is_empty() || !has_next(&links);
            all.append(&mut page);
            if is_one_page || is_last {
                return Ok(Answer { value: all, revision });
            }
            query.retain(|(name, _)| *name != "marker");
            query.extend(all.last().map(|row| ("marker", row.id().to_owned())));
        }
    }

    /// The one with that id.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn show(&self, id: &str) -> Result<Answer<R>, ClientError> {
        unwrap(self.transport.get(&path::<R>(&[id]), &[]), R::ONE).await
    }

    /// The one with that id or, if there is none, with that name.
    ///
    /// # Errors
    /// [`ClientError::Ambiguous`] when several have the name; a refusal with status 404 when none has.
    pub async fn find(&self, id_or_name: &str) -> Result<Answer<R>, ClientError> {
        match self.show(id_or_name).await {
            Err(error) if error.is_not_found() => self.find_by_name(id_or_name, error).await,
            // A name with characters that no id has.
            Err(ClientError::Id { id }) if id != id_or_name => Err(ClientError::Id { id }),
            answer => answer,
        }
    }

    async fn find_by_name(&self, name: &str, missing: ClientError) -> Result<Answer<R>, ClientError> {
        let Answer { mut value, revision } = self.list(&[("name", name)]).await?;
        match (value.pop(), value.len()) {
            (None, _) => Err(missing),
            (Some(only), 0) => Ok(Answer { value: only, revision }),
            (Some(_), others) => {
                Err(ClientError::Ambiguous { what: R::MANY, name: name.to_owned(), count: others + 1 })
            }
        }
    }

    /// Creates one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create(&self, new: &R::Create) -> Result<Answer<R>, ClientError> {
        let request = self.transport.request(Method::POST, &path::<R>(&[]), &[]);
        unwrap(request.body(&json!({ (R::ONE): new })), R::ONE).await
    }

    /// Creates many, or none of them. Networks, subnets and ports only.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create_many(&self, new: &[R::Create]) -> Result<Answer<Vec<R>>, ClientError> {
        let request = self.transport.request(Method::POST, &path::<R>(&[]), &[]);
        unwrap(request.body(&json!({ (R::MANY): new })), R::MANY).await
    }

    /// Changes one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn update(&self, id: &str, change: &R::Update) -> Result<Answer<R>, ClientError> {
        self.update_if(id, None, change).await
    }

    /// Changes one if it still has that revision number; otherwise the refusal has status 412.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn update_if(
        &self,
        id: &str,
        number: Option<u64>,
        change: &R::Update,
    ) -> Result<Answer<R>, ClientError> {
        let request = self.transport.request(R::CHANGE, &path::<R>(&[id]), &[]);
        unwrap(request.if_number(number).body(&json!({ (R::ONE): change })), R::ONE).await
    }

    /// Deletes one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete(&self, id: &str) -> Result<Answer<()>, ClientError> {
        self.transport.request(Method::DELETE, &path::<R>(&[id]), &[]).send_for_nothing().await
    }

    /// Replaces the tags of one. Networks, subnets and ports only.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_tags(&self, id: &str, tags: &[String]) -> Result<Answer<Vec<String>>, ClientError> {
        let request = self.transport.request(Method::PUT, &path::<R>(&[id, "tags"]), &[]);
        let body = TagList { tags: tags.to_vec() };
        Ok(request.body(&body).send::<TagList>().await?.map(|list| list.tags))
    }
}

/// The tokens of one tenant.
#[derive(Debug)]
pub struct TokenCollection<'a> {
    transport: &'a Transport,
    tenant: &'a str,
}

impl<'a> TokenCollection<'a> {
    pub(crate) fn new(transport: &'a Transport, tenant: &'a str) -> Self {
        TokenCollection { transport, tenant }
    }

    /// All of them, without their secrets.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn list(&self) -> Result<Answer<Vec<Token>>, ClientError> {
        let request = self.transport.get(&["v1", "tenants", self.tenant, "tokens"], &[]);
        Ok(request.send::<TokenList>().await?.map(|list| list.tokens))
    }

    /// Makes one; this answer is the only place where [`Token::token`], the secret, is ever shown.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn create(&self, new: &TokenCreate) -> Result<Answer<Token>, ClientError> {
        let path = ["v1", "tenants", self.tenant, "tokens"];
        self.transport.request(Method::POST, &path, &[]).body(&json!({ "token": new })).send().await
    }

    /// Revokes one.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn delete(&self, id: &str) -> Result<Answer<()>, ClientError> {
        let path = ["v1", "tenants", self.tenant, "tokens", id];
        self.transport.request(Method::DELETE, &path, &[]).send_for_nothing().await
    }
}

/// The address of a collection, or of something in it.
fn path<'a, R: Resource>(rest: &[&'a str]) -> Vec<&'a str> {
    [R::VERSION].into_iter().chain(R::PATH.split('/')).chain(rest.iter().copied()).collect()
}

/// Sends a request and takes one member out of the answer's envelope.
async fn unwrap<T: DeserializeOwned>(request: Request, name: &str) -> Result<Answer<T>, ClientError> {
    let Answer { value: mut envelope, revision } = request.send::<Map<String, Value>>().await?;
    Ok(Answer { value: member(&mut envelope, name)?, revision })
}

fn member<T: DeserializeOwned>(envelope: &mut Map<String, Value>, name: &str) -> Result<T, ClientError> {
    let inner = envelope.remove(name).unwrap_or(Value::Null);
    serde_json::from_value(inner).map_err(|e| not_ours(name, &e))
}

fn has_next(links: &Value) -> bool {
    links["next"].is_string()
        || links.as_array().is_some_and(|links| links.iter().any(|link| link["rel"] == "next"))
}

fn not_ours(member: &str, error: &serde_json::Error) -> ClientError {
    ClientError::Refused(Refusal {
        status: 200,
        kind: "UnexpectedBody".into(),
        message: format!("the controller's answer has no {member:?} that this client understands: {error}"),
        errors: Vec::new(),
        request_id: None,
    })
}
