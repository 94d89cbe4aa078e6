//! Reading a file's objects: names become ids, and then every entry is read like a request to create it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;
use weft_model::intent::desired::{Desired, DesiredGroup, DesiredRouter, FirstRules};
use weft_model::intent::{Intent, NewFloatingIp, NewNetwork, NewPort, NewSubnet};
use weft_model::{FloatingIpId, NetworkId, PortId, RouterId, SecurityGroupId, SubnetId};

use super::names::{Names, Sort, name_tag};
use super::tenant_of;
use crate::rest::call::View;
use crate::rest::failure::Failure;
use crate::rest::fields::Fields;
use crate::rest::floating_ips::FloatingIps;
use crate::rest::kind::{Writable, members};
use crate::rest::networks::Networks;
use crate::rest::ports::Ports;
use crate::rest::routers::{self, Routers};
use crate::rest::security_groups::SecurityGroups;
use crate::rest::security_rules::SecurityRules;
use crate::rest::subnets::Subnets;

/// Most entries of one list.
const ENTRIES: usize = 500;

type Entry = Map<String, Value>;

/// What a file asks for.
pub(super) struct Asked {
    pub(super) desired: Desired,
    pub(super) prune: bool,
    /// Where in the file every object stands.
    pub(super) places: BTreeMap<Uuid, String>,
}

/// A file that is being read.
pub(super) struct Sheet<'a> {
    view: &'a View,
    names: Names<'a>,
    tenant: String,
    places: BTreeMap<Uuid, String>,
}

/// An entry with its name, its id and its place.
struct Named {
    entry: Entry,
    name: String,
    id: Uuid,
    path: String,
}

impl<'a> Sheet<'a> {
    /// Reads a file. All faults are told at once.
    pub(super) fn read(mut values: Entry, view: &'a View) -> Result<Asked, Failure> {
        let mut lists = ["networks", "security_groups", "routers", "ports", "floating_ips"]
            .map(|name| (name, values.shift_remove(name)));
        let mut head = Fields::new("", values);
        let project = head.text_or_null("project").flatten();
        let name = head.text("name").unwrap_or_default();
        let prune = head.flag("prune").unwrap_or(false);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
            head.fault("name", "must be 1 to 40 letters, digits and - _ .");
        }
        let (mut faults, unknown) = head.settle(|_| false);
        faults.extend(unknown);
        if !faults.is_empty() {
            return Err(Failure::invalid(faults));
        }
        let tenant = tenant_of(view, project.as_deref())?;
        let names = Names::new(&view.snapshot, &tenant);
        let mut sheet = Sheet { view, names, tenant: tenant.to_string(), places: BTreeMap::new() };
        let mut list = |n: usize, sort: Sort| sheet.declared(lists[n].0, lists[n].1.take(), sort);
        let networks = list(0, Sort::Network);
        let groups = list(1, Sort::Group);
        let routers = list(2, Sort::Router);
        let ports = list(3, Sort::Port);
        let floating_ips = list(4, Sort::FloatingIp);
        let (networks, subnets) = sheet.networks(networks);
        let desired = Desired {
            tag: format!("weft-apply={name}"),
            networks,
            subnets,
            groups: groups.into_iter().filter_map(|named| sheet.group(named)).collect(),
            routers: routers.into_iter().filter_map(|named| sheet.router(named)).collect(),
            ports: ports.into_iter().filter_map(|named| sheet.port(named)).collect(),
            floating_ips: floating_ips.into_iter().filter_map(|named| sheet.floating_ip(named)).collect(),
            tenant: tenant.clone(),
        };
        let Sheet { names, places, .. } = sheet;
        if names.faults.is_empty() {
            Ok(Asked { desired, prune, places })
        } else {
            Err(Failure::invalid(names.faults))
        }
    }

    /// The entries of a list, as far as they are objects.
    fn entries(&mut self, path: &str, list: Option<Value>) -> Vec<(String, Entry)> {
        let entries = match list {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => {
                self.names.fault(path, "must be a list");
                return Vec::new();
            }
        };
        if entries.len() > ENTRIES {
            self.names.fault(path, format!("must have at most {ENTRIES} entries"));
            return Vec::new();
        }
        let mut objects = Vec::with_capacity(entries.len());
        for (position, entry) in entries.into_iter().enumerate() {
            let path = format!("{path}.{position}");
            match entry {
                Value::Object(entry) => objects.push((path, entry)),
                _ => self.names.fault(path, "must be an object"),
            }
        }
        objects
    }

    /// The entries of a list, with the ids that their names stand for.
    fn declared(&mut self, list: &str, value: Option<Value>, sort: Sort) -> Vec<Named> {
        let entries = self.entries(list, value);
        entries.into_iter().filter_map(|(path, entry)| self.declare((sort, None), entry, path)).collect()
    }

    fn declare(
        &mut self,
        what: (Sort, Option<(&str, Uuid)>),
        mut entry: Entry,
        path: String,
    ) -> Option<Named> {
        for owner in ["project_id", "tenant_id", "id"] {
            if entry.contains_key(owner) {
                self.names.fault(format!("{path}.{owner}"), "cannot be set here");
            }
        }
        let name = entry.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() || name.contains('/') {
            self.names.fault(
                format!("{path}.name"),
                "must be a text without a slash: it says which object this is",
            );
            return None;
        }
        let id = self.names.declare(what, &name, &path);
        self.places.insert(id, path.clone());
        entry.insert("project_id".into(), self.tenant.clone().into());
        Some(Named { entry, name, id, path })
    }

    /// Reads an entry like a request to create such an object.
    fn create<K: Writable>(&mut self, entry: Entry, path: &str) -> Option<Intent> {
        let mut fields = Fields::new(format!("{path}."), entry);
        if let Err(refused) = K::check_caller(&fields, &self.view.caller, "create") {
            self.names.fault(path, refused.message);
        }
        let intent = K::read_new(&mut fields, &self.view.caller);
        let known = members(K::full());
        let (faults, unknown) = fields.settle(|name| known.contains_key(name));
        self.names.faults.extend(faults);
        self.names.faults.extend(unknown);
        intent
    }

    /// Puts the id in the place of a name: `network: blue` becomes `network_id: ...`.
    fn resolve(
        &mut self,
        entry: &mut Entry,
        (from, to): (&str, &str),
        (sort, path): (Sort, &str),
    ) -> Option<String> {
        let path = format!("{path}.{from}");
        match entry.shift_remove(from)? {
            Value::Null => {
                entry.insert(to.into(), Value::Null);
                None
            }
            Value::String(text) => {
                let id = self.names.find(sort, &text, &path)?;
                entry.insert(to.into(), id.to_string().into());
                Some(text)
            }
            _ => {
                self.names.fault(path, "must be a name or an id");
                None
            }
        }
    }

    fn networks(&mut self, networks: Vec<Named>) -> (Vec<NewNetwork>, Vec<NewSubnet>) {
        let (mut found, mut subnets) = (Vec::new(), Vec::new());
        for Named { mut entry, name, id, path } in networks {
            let below = self.entries(&format!("{path}.subnets"), entry.shift_remove("subnets"));
            for (path, entry) in below {
                subnets.extend(
                    self.declare((Sort::Subnet, Some((&name, id))), entry, path).map(|named| (named, id)),
                );
            }
            if let Some(Intent::CreateNetwork(new)) = self.create::<Networks>(entry, &path) {
                found.push(NewNetwork { id: NetworkId(id), ..new });
            }
        }
        let mut all = Vec::new();
        for (Named { mut entry, id, path, .. }, network) in subnets {
            entry.insert("network_id".into(), network.to_string().into());
            if let Some(Intent::CreateSubnet(new)) = self.create::<Subnets>(entry, &path) {
                all.push(NewSubnet { id: SubnetId(id), ..new });
            }
        }
        (found, all)
    }

    fn group(&mut self, Named { mut entry, id, path, .. }: Named) -> Option<DesiredGroup> {
        let below = self.entries(&format!("{path}.rules"), entry.shift_remove("rules"));
        let egress = match entry.shift_remove("default_egress") {
            None | Some(Value::Bool(true)) => FirstRules::Kept,
            Some(Value::Bool(false)) => FirstRules::Dropped,
            Some(_) => {
                self.names.fault(format!("{path}.default_egress"), "must be true or false");
                FirstRules::Kept
            }
        };
        let mut rules = Vec::new();
        for (path, mut entry) in below {
            entry.insert("security_group_id".into(), id.to_string().into());
            self.resolve(&mut entry, ("remote_group", "remote_group_id"), (Sort::Group, &path));
            let to = ("remote_address_group", "remote_address_group_id");
            self.resolve(&mut entry, to, (Sort::AddressGroup, &path));
            if let Some(Intent::CreateSecurityRule(new)) = self.create::<SecurityRules>(entry, &path) {
                rules.push(new);
            }
        }
        match self.create::<SecurityGroups>(entry, &path) {
            Some(Intent::CreateSecurityGroup(mut group)) => {
                group.id = SecurityGroupId(id);
                Some(DesiredGroup { group, rules, egress })
            }
            _ => None,
        }
    }

    fn router(&mut self, Named { mut entry, id, path, .. }: Named) -> Option<DesiredRouter> {
        let listed = entry.shift_remove("interfaces");
        let mut fields = Fields::new(format!("{path}."), Map::from_iter(entry.shift_remove_entry("routes")));
        let routes = routers::read_routes(&mut fields).unwrap_or_default();
        self.names.faults.extend(fields.settle(|_| false).0);
        let mut gateway = Map::new();
        let to = ("external_network", "network_id");
        self.resolve(&mut entry, to, (Sort::Network, &path));
        gateway.extend(entry.shift_remove_entry("network_id"));
        gateway.extend(entry.shift_remove_entry("enable_snat"));
        if !gateway.is_empty() {
            entry.insert("external_gateway_info".into(), gateway.into());
        }
        let interfaces = self.interfaces(listed, id, &path);
        match self.create::<Routers>(entry, &path) {
            Some(Intent::CreateRouter(mut router)) => {
                router.id = RouterId(id);
                if let Some(gateway) = &mut router.gateway {
                    gateway.mac_seed = routers::mac_seed(router.id, gateway.network.0);
                }
                Some(DesiredRouter { router, interfaces, routes })
            }
            _ => None,
        }
    }

    fn interfaces(
        &mut self,
        listed: Option<Value>,
        router: Uuid,
        path: &str,
    ) -> Vec<(SubnetId, PortId, u32)> {
        let texts = self.texts(listed, &format!("{path}.interfaces"));
        let mut interfaces = Vec::new();
        for (path, text) in texts {
            if let Some(subnet) = self.names.find(Sort::Subnet, &text, &path) {
                let mac_seed = routers::mac_seed(RouterId(router), subnet);
                interfaces.push((SubnetId(subnet), PortId(Uuid::new_v4()), mac_seed));
            }
        }
        interfaces
    }

    fn texts(&mut self, listed: Option<Value>, path: &str) -> Vec<(String, String)> {
        let entries = match listed {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => {
                self.names.fault(path, "must be a list");
                return Vec::new();
            }
        };
        let mut texts = Vec::new();
        for (position, entry) in entries.into_iter().enumerate() {
            match entry {
                Value::String(text) => texts.push((format!("{path}.{position}"), text)),
                _ => self.names.fault(format!("{path}.{position}"), "must be a name or an id"),
            }
        }
        texts
    }

    fn port(&mut self, Named { mut entry, id, path, .. }: Named) -> Option<NewPort> {
        let network = self.resolve(&mut entry, ("network", "network_id"), (Sort::Network, &path));
        if let Some(Value::Array(ips)) = entry.get_mut("fixed_ips") {
            for (position, ip) in ips.iter_mut().enumerate() {
                let Some(ip) = ip.as_object_mut() else { continue };
                let Some(Value::String(text)) = ip.shift_remove("subnet") else { continue };
                let path = format!("{path}.fixed_ips.{position}.subnet");
                let found = self.names.subnet_of(network.as_deref().unwrap_or_default(), &text, &path);
                ip.insert("subnet_id".into(), found.map_or(Value::Null, |id| id.to_string().into()));
            }
        }
        if let Some(listed) = entry.shift_remove("security_groups") {
            let texts = self.texts(Some(listed), &format!("{path}.security_groups"));
            let ids = texts.into_iter().filter_map(|(path, text)| self.names.find(Sort::Group, &text, &path));
            let ids: Vec<Value> = ids.map(|id| id.to_string().into()).collect();
            entry.insert("security_groups".into(), ids.into());
        }
        match self.create::<Ports>(entry, &path) {
            Some(Intent::CreatePort(new)) => Some(NewPort { id: PortId(id), ..new }),
            _ => None,
        }
    }

    fn floating_ip(&mut self, Named { mut entry, name, id, path }: Named) -> Option<NewFloatingIp> {
        entry.shift_remove("name");
        self.resolve(&mut entry, ("network", "floating_network_id"), (Sort::Network, &path));
        self.resolve(&mut entry, ("port", "port_id"), (Sort::Port, &path));
        match self.create::<FloatingIps>(entry, &path) {
            Some(Intent::CreateFloatingIp(mut new)) => {
                new.labels.tags.insert(name_tag(&name));
                Some(NewFloatingIp { id: FloatingIpId(id), ..new })
            }
            _ => None,
        }
    }
}
