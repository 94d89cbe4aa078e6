//! The datapath's memory: a switch that has confirmed a change may go by old decisions for some moments yet.

use anyhow::Result;
use weft_rig::Host;

/// Waits until no datapath of these hosts goes by a decision from before this call.
///
/// `ovs-vswitchd` answers a barrier when its flow tables are changed; what the datapath remembers of them is checked
/// right after that, by threads of its own. What was allowed and no longer is may pass until then.
pub fn wait_caches(hosts: &[Host]) -> Result<()> {
    for host in hosts {
        // The first round may have begun before the main thread looked at the change.
        for _ in 0..2 {
            host.appctl(&["revalidator/wait"])?;
        }
    }
    Ok(())
}
