//! Joining: the host learns where its controller is, and nothing else on it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;
use weft_ovsdb::vswitch::{Manager, OpenVSwitch};
use weft_ovsdb::{Address, Id, Mirror, Table, Transaction};

use crate::error::AgentError;
use crate::host_db::HostDb;
use crate::marks::OWNER;
use crate::stop::Stop;

const ENCAP_IP: &str = "weft-encap-ip";
const SYSTEM_ID: &str = "system-id";
const HOSTNAME: &str = "hostname";
/// The value of our mark on managers.
const JOINED: &str = "join";

/// How to join.
#[derive(Debug, Clone)]
pub struct JoinSpec {
    /// Where the controller awaits databases: `tcp:HOST:6640`. Managers that an earlier `join` made and that are not
    /// among these go; managers of others stay.
    pub controllers: Vec<String>,
    /// Where other hosts' tunnels find this one: at most one address of each family.
    pub encap_ips: Vec<IpAddr>,
    /// How long to wait for the controller and for its bridge.
    pub patience: Duration,
}

/// A host that has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// Its id.
    pub system_id: String,
    /// Where its tunnels end.
    pub encap_ip: String,
    /// Its controllers.
    pub controllers: Vec<String>,
    /// The datapath type of the integration bridge, as the controller chose it.
    pub datapath_type: String,
}

/// What a host without an identity gets.
#[derive(Debug, Clone)]
struct Identity {
    system_id: String,
    hostname: String,
}

/// Joins and waits until the controller is connected and has made the integration bridge.
///
/// # Errors
/// See [`AgentError`]. What was written stays: the host goes on trying to connect.
pub async fn join(db: &Address, spec: &JoinSpec, stop: &mut Stop) -> Result<Joined, AgentError> {
    check(spec)?;
    let mut db = stop.during(HostDb::open(db, spec.patience)).await?;
    let identity = Identity::of_machine();
    db.change_root(|mirror, root, row, txn| write(spec, &identity, &Found { mirror, root, row }, txn))
        .await?;
    let connected = |mirror: &Mirror| {
        mirror.find::<Manager>(|m| m.is_connected && spec.controllers.contains(&m.target)).map(drop)
    };
    if stop.during(db.until(spec.patience, connected)).await?.is_none() {
        return Err(AgentError::NotConnected { patience: spec.patience, managers: db.managers() });
    }
    let bridge = stop.during(db.bridge(spec.patience)).await?;
    let (_, root) = db.root()?;
    Ok(Joined {
        system_id: root.external_ids.get(SYSTEM_ID).cloned().unwrap_or_default(),
        encap_ip: root.external_ids.get(ENCAP_IP).cloned().unwrap_or_default(),
        controllers: spec.controllers.clone(),
        datapath_type: bridge.datapath_type,
    })
}

/// What the database holds before.
struct Found<'a> {
    mirror: &'a Mirror,
    root: Id<OpenVSwitch>,
    row: &'a OpenVSwitch,
}

/// Writes what is missing; false if nothing is.
fn write(spec: &JoinSpec, identity: &Identity, found: &Found, txn: &mut Transaction) -> bool {
    let ids = missing_ids(spec, identity, &found.row.external_ids);
    let mine = |manager: &Manager| manager.external_ids.get(OWNER).is_some_and(|mark| mark == JOINED);
    let (mut present, mut stale) = (BTreeSet::new(), Vec::new());
    for (id, manager) in found.mirror.rows::<Manager>() {
        if !mine(&manager) || spec.controllers.contains(&manager.target) {
            present.insert(manager.target);
        } else {
            stale.push(id);
        }
    }
    let new: BTreeSet<&String> =
        spec.controllers.iter().filter(|target| !present.contains(*target)).collect();
    let is_change = !ids.is_empty() || !stale.is_empty() || !new.is_empty();
    if !ids.is_empty() {
        txn.mutate(found.root, OpenVSwitch::external_ids().put(ids));
    }
    if !stale.is_empty() {
        txn.mutate(found.root, OpenVSwitch::manager_options().delete(stale));
    }
    for target in new {
        let row = Manager::record().set(Manager::target(), target.as_str());
        let manager = txn.insert(row.set(Manager::external_ids(), [(OWNER, JOINED)]));
        txn.mutate(found.root, OpenVSwitch::manager_options().insert([manager]));
    }
    txn.comment("weft-agent: join");
    is_change
}

fn missing_ids(
    spec: &JoinSpec,
    identity: &Identity,
    present: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let encap_ips: Vec<String> = spec.encap_ips.iter().map(ToString::to_string).collect();
    let mut ids = BTreeMap::from([(ENCAP_IP.to_owned(), encap_ips.join(","))]);
    ids.retain(|key, value| present.get(key) != Some(value));
    // Who has an identity keeps it, whatever gave it.
    for (key, value) in [(SYSTEM_ID, &identity.system_id), (HOSTNAME, &identity.hostname)] {
        if present.get(key).is_none_or(String::is_empty) && !value.is_empty() {
            ids.insert(key.to_owned(), value.clone());
        }
    }
    ids
}

impl Identity {
    /// The machine's own id, where it has one, in the form that Open vSwitch's scripts give it.
    fn of_machine() -> Identity {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let machine = Uuid::parse_str(&read("/etc/machine-id")).ok().filter(|id| !id.is_nil());
        let system_id = machine.unwrap_or_else(Uuid::new_v4).to_string();
        Identity { system_id, hostname: read("/proc/sys/kernel/hostname") }
    }
}

fn check(spec: &JoinSpec) -> Result<(), AgentError> {
    if spec.controllers.is_empty() || spec.encap_ips.is_empty() {
        return Err(AgentError::Wish("joining takes a controller and an address for tunnels".to_owned()));
    }
    let v4 = spec.encap_ips.iter().filter(|ip| ip.is_ipv4()).count();
    if v4 > 1 || spec.encap_ips.len() - v4 > 1 {
        return Err(AgentError::Wish("at most one address of each family for tunnels".to_owned()));
    }
    for ip in &spec.encap_ips {
        if ip.is_unspecified() || ip.is_loopback() || ip.is_multicast() {
            return Err(AgentError::Wish(format!("tunnels of other hosts cannot find this one at {ip}")));
        }
    }
    for controller in &spec.controllers {
        let is_dialled = controller.parse::<Address>().is_ok() || controller.starts_with("ssl:");
        if !is_dialled || controller.starts_with("unix:") {
            let text = format!("{controller:?} is not an address like tcp:192.0.2.1:6640");
            return Err(AgentError::Wish(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(controllers: &[&str], encap_ips: &[&str]) -> JoinSpec {
        JoinSpec {
            controllers: controllers.iter().map(|c| (*c).to_owned()).collect(),
            encap_ips: encap_ips.iter().map(|ip| ip.parse().expect("an address")).collect(),
            patience: Duration::ZERO,
        }
    }

    #[test]
    fn an_identity_that_is_there_stays() {
        let identity = Identity { system_id: "new".into(), hostname: "here".into() };
        let wish = spec(&["tcp:192.0.2.1:6640"], &["192.0.2.11", "fd00::b"]);
        let bare = missing_ids(&wish, &identity, &BTreeMap::new());
        let pair = |(k, v): (&str, &str)| (k.to_owned(), v.to_owned());
        assert_eq!(
            bare,
            BTreeMap::from(
                [("hostname", "here"), ("system-id", "new"), ("weft-encap-ip", "192.0.2.11,fd00::b")]
                    .map(pair)
            )
        );
        let known = BTreeMap::from(
            [("system-id", "old"), ("hostname", "was"), ("weft-encap-ip", "1.1.1.1")].map(pair),
        );
        let changed = missing_ids(&wish, &identity, &known);
        assert_eq!(changed, BTreeMap::from([("weft-encap-ip", "192.0.2.11,fd00::b")].map(pair)));
        let joined = known.into_iter().chain(changed).collect();
        assert!(missing_ids(&wish, &identity, &joined).is_empty());
    }

    #[test]
    fn wishes_that_make_no_sense_are_refused() {
        assert!(
            check(&spec(&["tcp:192.0.2.1:6640", "tcp:[fd00::1]:6640"], &["192.0.2.11", "fd00::b"])).is_ok()
        );
        let wrong = [
            spec(&[], &["192.0.2.11"]),
            spec(&["tcp:192.0.2.1:6640"], &[]),
            spec(&["192.0.2.1"], &["192.0.2.11"]),
            spec(&["unix:/run/x"], &["192.0.2.11"]),
            spec(&["tcp:192.0.2.1:6640"], &["127.0.0.1"]),
            spec(&["tcp:192.0.2.1:6640"], &["0.0.0.0"]),
            spec(&["tcp:192.0.2.1:6640"], &["192.0.2.1", "192.0.2.2"]),
        ];
        for wish in wrong {
            assert!(matches!(check(&wish), Err(AgentError::Wish(_))), "{wish:?}");
        }
    }
}
