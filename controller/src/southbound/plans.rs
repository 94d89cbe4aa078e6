//! One plan for all hosts whose database has the same schema: it is read once, however many hosts there are.

use std::sync::{Arc, Mutex, PoisonError};

use weft_ovsdb::vswitch::{Bridge, Controller, Interface, OpenVSwitch, Port};
use weft_ovsdb::{Error, Plan, Schema};

/// How many schemas are kept: as many as there may be versions of Open vSwitch in one fleet.
const KEPT: usize = 16;

/// Texts that stand in most rows, so that each row has a number for them.
const WORDS: [&str; 41] = [
    "",
    "iface-id",
    "iface-status",
    "active",
    "attached-mac",
    "vm-id",
    "weft-owner",
    "weft",
    "weft-peer",
    "key",
    "flow",
    "remote_ip",
    "local_ip",
    "dst_port",
    "4789",
    "6081",
    "vxlan",
    "geneve",
    "gre",
    "internal",
    "csum",
    "true",
    "false",
    "patch",
    "peer",
    "enable",
    "min_rx",
    "min_tx",
    "200",
    "mult",
    "3",
    "check_tnl_key",
    "forwarding",
    "state",
    "remote_state",
    "up",
    "down",
    "diagnostic",
    "remote_diagnostic",
    "No Diagnostic",
    "flap_count",
];

/// A schema's text and the plan for it.
type Known = (Box<str>, Arc<Plan>);

/// The plans in use, by the text of the schema.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    known: Arc<Mutex<Vec<Known>>>,
}

impl Plans {
    /// The plan for the database with this schema.
    ///
    /// # Errors
    /// When the text is no schema, or the database lacks what we need.
    pub fn of(&self, schema: &str) -> Result<Arc<Plan>, Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = known.iter().find(|(text, _)| text.as_ref() == schema) {
            return Ok(Arc::clone(plan));
        }
        let read: Schema = serde_json::from_str(schema)
            .map_err(|source| Error::Decode { what: "a database's schema", source })?;
        let plan = plan(&read)?;
        if known.len() == KEPT {
            known.remove(0);
        }
        known.push((schema.into(), Arc::clone(&plan)));
        Ok(plan)
    }
}

/// The tables and columns that matter; statistics and status change every few seconds and are left out.
fn plan(schema: &Schema) -> Result<Arc<Plan>, Error> {
    let plan = Plan::of(schema)
        .columns::<OpenVSwitch>(&["bridges", "external_ids", "ovs_version", "datapath_types"])?
        .columns::<Bridge>(&[
            "name",
            "datapath_type",
            "datapath_id",
            "ports",
            "controller",
            "protocols",
            "fail_mode",
            "other_config",
            "external_ids",
        ])?
        .columns::<Port>(&["name", "interfaces", "external_ids"])?
        .columns::<Interface>(&[
            "name",
            "type",
            "options",
            "external_ids",
            "ofport",
            "ofport_request",
            "error",
            "bfd",
            "bfd_status",
        ])?
        .columns::<Controller>(&[
            "target",
            "max_backoff",
            "inactivity_probe",
            "connection_mode",
            "external_ids",
        ])?
        .words(&WORDS)
        .build();
    Ok(plan)
}
