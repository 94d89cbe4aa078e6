//! How an attachment is written down: in the `external_ids` of its row in the host's own database, and nowhere else.

use std::collections::BTreeMap;

use crate::namespace::NamespaceId;

/// Binds the interface to a port; every tool of Open vSwitch's world knows it.
pub const IFACE_ID: &str = "iface-id";
const ATTACHED_MAC: &str = "attached-mac";
const IFACE_STATUS: &str = "iface-status";
/// Marks rows as this agent's. Its value is the port's id.
pub const OWNER: &str = "weft-agent";
const NETNS: &str = "weft-agent-netns";
const NETNS_ID: &str = "weft-agent-netns-id";
const IFNAME: &str = "weft-agent-ifname";
const DEVICE: &str = "weft-agent-device";
const PORT: &str = "weft-agent-port";

/// Where something comes from, and so who takes it away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The agent made it and removes it.
    Made,
    /// It was there and stays.
    Taken,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Origin::Made => "made",
            Origin::Taken => "taken",
        }
    }

    fn read(word: Option<&String>) -> Origin {
        // In doubt, nothing is removed that we may not have made.
        if word.is_some_and(|word| word == "made") { Origin::Made } else { Origin::Taken }
    }
}

/// The workload's end of an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// The file by which the namespace was named.
    pub path: String,
    /// Which namespace it was.
    pub id: NamespaceId,
    /// The name of the interface there.
    pub ifname: String,
}

/// What is attached to a port on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The id of the port.
    pub port: String,
    /// Its Ethernet address.
    pub mac: String,
    /// The host's end: a port of the integration bridge.
    pub host_ifname: String,
    /// The workload's end, where the agent knows it.
    pub inside: Option<Inside>,
    /// Who made the interface.
    pub device: Origin,
    /// Who made the port.
    pub port_origin: Origin,
}

impl Attachment {
    /// The `external_ids` of the interface's row.
    pub fn external_ids(&self) -> BTreeMap<String, String> {
        let mut ids = BTreeMap::from([
            (IFACE_ID, self.port.clone()),
            (ATTACHED_MAC, self.mac.clone()),
            (IFACE_STATUS, "active".to_owned()),
            (OWNER, self.port.clone()),
            (DEVICE, self.device.word().to_owned()),
            (PORT, self.port_origin.word().to_owned()),
        ]);
        if let Some(inside) = &self.inside {
            ids.insert(NETNS, inside.path.clone());
            ids.insert(NETNS_ID, inside.id.0.clone());
            ids.insert(IFNAME, inside.ifname.clone());
        }
        ids.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Reads an interface's row; nothing if it is not one of ours.
    pub fn read(host_ifname: &str, ids: &BTreeMap<String, String>) -> Option<Attachment> {
        let text = |key: &str| ids.get(key).cloned();
        let inside =
            || Some(Inside { path: text(NETNS)?, id: NamespaceId(text(NETNS_ID)?), ifname: text(IFNAME)? });
        Some(Attachment {
            port: text(OWNER)?,
            mac: text(ATTACHED_MAC).unwrap_or_default(),
            host_ifname: host_ifname.to_owned(),
            inside: inside(),
            device: Origin::read(ids.get(DEVICE)),
            port_origin: Origin::read(ids.get(PORT)),
        })
    }

    /// The place in words.
    pub fn place(&self) -> String {
        match &self.inside {
            Some(inside) => format!("{} in {}", inside.ifname, inside.path),
            None => self.host_ifname.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(inside: Option<Inside>) -> Attachment {
        Attachment {
            port: "8f0e3c62".into(),
            mac: "02:00:00:00:00:01".into(),
            host_ifname: "wp-1".into(),
            inside,
            device: Origin::Made,
            port_origin: Origin::Taken,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let inside =
            Inside { path: "/run/netns/x".into(), id: NamespaceId("4:402".into()), ifname: "eth0".into() };
        for one in [attachment(Some(inside)), attachment(None)] {
            assert_eq!(Attachment::read("wp-1", &one.external_ids()), Some(one));
        }
    }

    #[test]
    fn rows_of_others_are_not_ours_and_doubt_removes_nothing() {
        let mut ids = BTreeMap::from([(IFACE_ID.to_owned(), "p".to_owned())]);
        assert_eq!(Attachment::read("tap0", &ids), None);
        ids.insert(OWNER.to_owned(), "p".to_owned());
        let bare = Attachment::read("tap0", &ids).expect("ours");
        assert_eq!((bare.device, bare.port_origin, bare.inside), (Origin::Taken, Origin::Taken, None));
    }
}
