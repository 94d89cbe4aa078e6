//! One run of `weft`: the controller it speaks to, in whose name, how it answers and how long it waits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::sync::OnceCell;
use weft_api::{Network, Tenant};
use weft_client::{Client, ClientError, Collection, Resource};

use crate::failure::Failure;
use crate::output::{self, Format, Surface};
use crate::spelling;

/// Where a controller on the same machine leaves the administrator's token.
const ADMIN_TOKEN: &str = "/var/lib/weft/admin.token";
/// The longest wait that the controller grants in one call.
const ONE_WAIT: Duration = Duration::from_secs(300);

/// Options that every command has.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Where the controller's API is.
    #[arg(
        long,
        global = true,
        env = "WEFT_ENDPOINT",
        default_value = "http://127.0.0.1:9696",
        help_heading = "Connection"
    )]
    pub endpoint: String,
    /// The API token [env: WEFT_TOKEN].
    #[arg(long, global = true, conflicts_with = "token_file", help_heading = "Connection")]
    pub token: Option<String>,
    /// A file with the API token [env: WEFT_TOKEN_FILE] [default: /var/lib/weft/admin.token if it can be read].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub token_file: Option<PathBuf>,
    /// The tenant to act for, by id or name; for administrators.
    #[arg(long, global = true, env = "WEFT_PROJECT", value_name = "TENANT", help_heading = "Connection")]
    pub project: Option<String>,
    /// How to answer.
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", default_value = "table")]
    pub output: Format,
    /// Write nothing: say what would be done to objects and to the flows of switches.
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// After a write, wait until it is in force on every switch that it concerns.
    #[arg(long, global = true)]
    pub wait: bool,
    /// How long --wait and `applied` wait at most.
    #[arg(long, global = true, value_name = "TIME", value_parser = spelling::duration, default_value = "60s")]
    pub timeout: Duration,
}

/// A kind of object that `weft` lists, shows and deletes.
pub trait Noun: Resource + Serialize {
    /// What it is called, singular.
    const NOUN: &'static str;
    /// Whether such objects belong to tenants.
    const IS_OWNED: bool;
    /// The titles of its table.
    const COLUMNS: &'static [&'static str];
    /// Its collection.
    fn all(client: &Client) -> Collection<'_, Self>;
    /// What people call it; may be empty.
    fn name(&self) -> &str;
    /// The tenant that it belongs to, if things of its kind belong to one.
    fn owner(&self) -> Option<&str>;
    /// The filters that narrow a list down to those with a name, as far as the API has them.
    fn named(name: &str) -> Vec<(&'static str, &str)> {
        vec![("name", name)]
    }
    /// Its line of the table.
    fn row(&self, names: &Names) -> Vec<String>;
}

/// Names of networks and tenants by id, for tables that people read.
pub type Names = BTreeMap<String, String>;

/// One run of `weft`.
#[derive(Debug)]
pub struct Session {
    /// The client.
    pub client: Client,
    /// How to answer.
    pub format: Format,
    /// How long to wait at most.
    pub timeout: Duration,
    wait: Waiting,
    project: Option<String>,
    tenant: OnceCell<Option<String>>,
}

/// Whether writes are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Yes,
    No,
}

impl Session {
    /// The session that the options describe. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Failure::Read`] when a token file was named that cannot be read, [`Failure::Api`] when endpoint or token are malformed.
    pub fn open(options: &Options) -> Result<Session, Failure> {
        let token = token(options)?;
        let client = Client::new(&options.endpoint, token.as_deref())?;
        Ok(Session {
            client: if options.dry_run { client.dry() } else { client },
            format: options.output,
            timeout: options.timeout,
            wait: if options.wait { Waiting::Yes } else { Waiting::No },
            project: options.project.clone(),
            tenant: OnceCell::new(),
        })
    }

    /// The id of the tenant that `--project` names, if it was given.
    ///
    /// # Errors
    /// When there is no such tenant, or several have the name.
    pub async fn project(&self) -> Result<Option<String>, Failure> {
        let find = async || match &self.project {
            None => Ok(None),
            Some(text) => self.look_up::<Tenant>(text, None).await.map(|tenant| Some(tenant.id)),
        };
        self.tenant.get_or_try_init(find).await.cloned()
    }

    /// What `--project` says, before anybody was asked about it.
    pub fn project_given(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The object with that id or, if there is none, with that name; of the tenant that `--project` names.
    ///
    /// # Errors
    /// [`Failure::Missing`], [`Failure::Ambiguous`], or what the API says.
    pub async fn find<R: Noun>(&self, text: &str) -> Result<R, Failure> {
        let project = self.project().await?;
        self.look_up(text, project.as_deref()).await
    }

    /// The id of the object with that id or name.
    ///
    /// # Errors
    /// See [`Session::find`].
    pub async fn id<R: Noun>(&self, text: &str) -> Result<String, Failure> {
        Ok(self.find::<R>(text).await?.id().to_owned())
    }

    /// The id of the object with that id or name, whoever owns it.
    ///
    /// # Errors
    /// See [`Session::find`].
    pub async fn id_of_any<R: Noun>(&self, text: &str) -> Result<String, Failure> {
        Ok(self.look_up::<R>(text, None).await?.id().to_owned())
    }

    /// What an object is to refer to, whoever owns that: nothing said, nothing any more, or the one with that id or name.
    ///
    /// # Errors
    /// See [`Session::find`].
    pub async fn asked<R: Noun>(
        &self,
        text: Option<&str>,
        none: bool,
    ) -> Result<Option<Option<String>>, Failure> {
        match text {
            Some(text) => Ok(Some(Some(self.id_of_any::<R>(text).await?))),
            None => Ok(none.then_some(None)),
        }
    }

    /// The id of an external network, which is the operator's and everybody's to use.
    ///
    /// # Errors
    /// See [`Session::find`].
    pub async fn external_network(&self, text: &str) -> Result<String, Failure> {
        self.id_of_any::<Network>(text).await
    }

    async fn look_up<R: Noun>(&self, text: &str, project: Option<&str>) -> Result<R, Failure> {
        let is_theirs =
            |object: &R| project.is_none() || object.owner().is_none() || object.owner() == project;
        let collection = R::all(&self.client);
        match collection.show(text).await {
            Ok(answer) if is_theirs(&answer.value) => return Ok(answer.value),
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            // An empty name, or one that no address can carry, is no id.
            Err(ClientError::Id { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let listed = collection.list(&R::named(text)).await?.value;
        let mut found: Vec<R> = listed.into_iter().filter(|o| o.name() == text && is_theirs(o)).collect();
        match (found.pop(), found.is_empty()) {
            (Some(only), true) if !text.is_empty() => Ok(only),
            (Some(last), false) => {
                found.push(last);
                Err(Failure::Ambiguous {
                    noun: R::NOUN,
                    name: text.to_owned(),
                    candidates: found.iter().map(candidate).collect(),
                })
            }
            _ => Err(Failure::Missing {
                noun: R::NOUN,
                text: text.to_owned(),
                place: project.and(self.project.clone()),
            }),
        }
    }

    /// Writes one object.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show<R: Noun>(&self, object: &R) -> Result<(), Failure> {
        match self.format {
            Format::Table => output::write(&output::fields(Surface::of_stdout(), object)?),
            Format::Json => output::write_json(object),
            Format::Id => output::write(&format!("{}\n", object.id())),
        }
    }

    /// Writes what a write answered and, with `--wait`, waits until it is in force.
    ///
    /// # Errors
    /// When it cannot be written or the time is up.
    pub async fn show_written<R: Noun>(&self, answer: weft_client::Answer<R>) -> Result<(), Failure> {
        // Shown first: whoever waits in vain still needs the id.
        self.show(&answer.value)?;
        self.settle(answer.revision).await
    }

    /// With `--wait`, waits until a revision is in force on every switch that it concerns.
    ///
    /// # Errors
    /// [`Failure::NotApplied`] when the time is up.
    pub async fn settle(&self, revision: u64) -> Result<(), Failure> {
        match self.wait {
            Waiting::Yes => self.applied(revision).await,
            Waiting::No => Ok(()),
        }
    }

    /// Waits until a revision is in force on every switch that it concerns.
    ///
    /// # Errors
    /// [`Failure::NotApplied`] when the time is up.
    pub async fn applied(&self, revision: u64) -> Result<(), Failure> {
        let end = Instant::now() + self.timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let whole = Duration::from_secs(left.as_millis().div_ceil(1000) as u64).min(ONE_WAIT);
            let report = self.client.applied(revision, whole).await?;
            if report.applied {
                return Ok(());
            }
            if Instant::now() >= end {
                let pending = report.pending;
                return Err(Failure::NotApplied { revision, patience: self.timeout, pending });
            }
        }
    }
}

fn candidate<R: Noun>(object: &R) -> String {
    match object.owner() {
        Some(owner) => format!("{}  of tenant {owner}", object.id()),
        None => object.id().to_owned(),
    }
}

/// The token to show. What the command line says counts before what the environment says, and that before the file
/// that a controller on this machine leaves.
fn token(options: &Options) -> Result<Option<String>, Failure> {
    let environment = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let read = |path: &Path| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    let named = |path: &Path| read(path).map_err(|source| Failure::Read { path: path.to_owned(), source });
    if let Some(token) = &options.token {
        Ok(Some(token.trim().to_owned()))
    } else if let Some(path) = &options.token_file {
        named(path).map(Some)
    } else if let Some(token) = environment("WEFT_TOKEN") {
        Ok(Some(token.trim().to_owned()))
    } else if let Some(path) = environment("WEFT_TOKEN_FILE") {
        named(Path::new(&path)).map(Some)
    } else {
        // Not there or not for us: a controller without tokens may be just as well what is meant.
        Ok(read(Path::new(ADMIN_TOKEN)).ok())
    }
}
