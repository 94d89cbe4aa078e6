//! `weft show`: fetches what the picture is drawn of.

use clap::Args;
use serde_json::json;
use weft_api::{Host, Tenant};
use weft_client::{Answer, ClientError};

use crate::failure::Failure;
use crate::output::{self, Format};
use crate::picture::{Detail, Picture, draw};
use crate::session::Session;

/// How much to show.
#[derive(Debug, Args)]
pub struct Show {
    /// Every port and every tunnel, however many there are.
    #[arg(long)]
    all: bool,
}

/// Shows everything that the token may see.
///
/// # Errors
/// What the API says.
pub async fn run(session: &Session, wish: &Show) -> Result<(), Failure> {
    let client = &session.client;
    let who = client.whoami().await?;
    let tenant = session.project().await?;
    let owned: Vec<(&str, &str)> = tenant.iter().map(|id| ("project_id", id.as_str())).collect();
    let hosts: Vec<Host> = seen(client.hosts().list(&[]).await)?;
    let tenants: Vec<Tenant> = seen(client.tenants().list(&[]).await)?;
    let networks = client.networks().list(&owned).await?;
    let subnets = client.subnets().list(&owned).await?.value;
    let routers = client.routers().list(&owned).await?.value;
    let ports = client.ports().list(&owned).await?.value;
    let tenants = tenants.into_iter().filter(|t| tenant.as_ref().is_none_or(|only| t.id == *only)).collect();
    let picture = Picture {
        endpoint: client.endpoint().to_owned(),
        revision: networks.revision,
        who,
        hosts,
        tenants,
        networks: networks.value,
        routers,
        subnets,
        ports,
    };
    match session.format {
        Format::Table => {
            let detail = if wish.all { Detail::All } else { Detail::Glance };
            output::write(&draw(&picture, detail))
        }
        Format::Json => output::write_json(&json!({
            "revision": picture.revision,
            "whoami": picture.who,
            "hosts": picture.hosts,
            "tenants": picture.tenants,
            "networks": picture.networks,
            "routers": picture.routers,
            "subnets": picture.subnets,
            "ports": picture.ports,
        })),
        Format::Id => Err(Failure::Usage("a picture has no ids; choose -o table or -o json".to_owned())),
    }
}

/// What the caller may see: nothing where only administrators may look.
fn seen<T>(answer: Result<Answer<Vec<T>>, ClientError>) -> Result<Vec<T>, Failure> {
    match answer {
        Ok(answer) => Ok(answer.value),
        Err(ClientError::Refused(refusal)) if matches!(refusal.status, 403 | 404) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
