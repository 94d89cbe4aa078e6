//! What a switch heard from its controllers, by its own account: evidence that does not come from the controller.
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::host::Host;
use crate::wait::wait_until;

/// How long `ovs-vswitchd` may take to write its log.
const WRITING: Duration = Duration::from_secs(10);
/// The request that marks a moment in the log: controllers do not matter here, it comes over the unix socket.
const MARK: &str = "received: OFPST_DESC request";

/// The OpenFlow messages that a host's `ovs-vswitchd` has received from controllers since this was started.
///
/// It reads the switch's own log, in which `vconn` names every message. A restarted `ovs-vswitchd` writes nothing of
/// the kind any more: start another one.
#[derive(Debug, Clone)]
pub struct OpenFlowLog {
    host: Host,
    begin: usize,
}

impl OpenFlowLog {
    pub(crate) fn start(host: &Host) -> Result<Self> {
        host.appctl(&["vlog/set", "vconn:file:dbg"])?;
        host.appctl(&["vlog/disable-rate-limit", "vconn"])?;
        Ok(OpenFlowLog { host: host.clone(), begin: text(host)?.len() })
    }

    /// How many messages with one of these names have come, for example `OFPT_FLOW_MOD`, `OFPT_GROUP_MOD`,
    /// `OFPT_BUNDLE_ADD_MESSAGE`. What was sent by `ovs-ofctl` does not count.
    pub fn count(&self, names: &[&str]) -> Result<usize> {
        Ok(self
            .messages()?
            .iter()
            .filter(|m| names.contains(&m.split(' ').next().unwrap_or_default()))
            .count())
    }

    /// The messages so far, each as the switch prints its first line, for example `OFPT_FLOW_MOD (OF1.5) (xid=0x6): ADD`.
    pub fn messages(&self) -> Result<Vec<String>> {
        self.settle()?;
        let text = text(&self.host)?;
        Ok(text[self.begin..].lines().filter_map(from_controller).map(str::to_owned).collect())
    }

    /// The log is written by a thread of its own, in order: when a request of ours is in it, what came before is too.
    fn settle(&self) -> Result<()> {
        let marks = || Ok::<usize, anyhow::Error>(text(&self.host)?[self.begin..].matches(MARK).count());
        let before = marks()?;
        let bridges = self.host.vsctl(&["list-br"])?;
        let bridge = bridges.lines().next().context("a host without bridges")?;
        self.host.ofctl(&["dump-desc", bridge])?;
        wait_until("the log of ovs-vswitchd", WRITING, || Ok(marks()? > before))
    }
}

fn text(host: &Host) -> Result<String> {
    let path = host.run_dir().join("ovs-vswitchd.log");
    let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The message of a line like `...|vconn|DBG|tcp:10.99.0.1:6653: received: OFPT_FLOW_MOD (OF1.5) (xid=0x6): ADD`.
fn from_controller(line: &str) -> Option<&str> {
    let (peer, message) = line.split_once("|vconn|DBG|")?.1.split_once(": received: ")?;
    (!peer.starts_with("unix")).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_controllers_sent_counts() {
        let line = "2026-01-01T00:00:00.000Z|00077|vconn|DBG|tcp:10.99.0.1:6653: received: OFPT_ROLE_REQUEST (OF1.5)";
        assert_eq!(from_controller(line), Some("OFPT_ROLE_REQUEST (OF1.5)"));
        assert_eq!(from_controller(&line.replace("tcp:10.99.0.1:6653", "unix#5")), None);
        assert_eq!(from_controller(&line.replace("received", "sent (Success)")), None);
        assert_eq!(from_controller("2026|1|bridge|INFO|received: x"), None);
    }
}
