//! What an agent on a host speaks to: the controller's API and the host's database.

use weft_client::Client;
use weft_ovsdb::Address;

/// An agent on a host.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The controller's API.
    pub rest: Client,
    /// The host's database.
    pub db: Address,
}
