//! What can be done with every kind of object: list, show, delete.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;
use weft_api::{Network, Tenant};
use weft_client::Answer;

use crate::events;
use crate::failure::Failure;
use crate::output::{self, Format, Surface};
use crate::plan;
use crate::session::{Names, Noun, Session};
use crate::spelling;

/// How a list is narrowed down and ordered.
#[derive(Debug, Clone, Default, Args)]
pub struct Listing {
    /// Only those with this name; repeat it for either.
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Only those whose field has this value, in the words of the API; may be repeated.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = spelling::filter)]
    pub filter: Vec<(String, String)>,
    /// Order by this field of the API.
    #[arg(long, value_name = "FIELD")]
    pub sort: Option<String>,
    /// Not more than this many.
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<u32>,
    /// Go on with what happens to them, one line for each change, until interrupted.
    #[arg(long)]
    pub watch: bool,
}

/// What a list asks for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Filters, order and length, in the words of the API.
    pub pairs: Vec<(String, String)>,
    /// Whether to go on with what happens afterwards.
    pub watch: bool,
}

impl From<Vec<(String, String)>> for Query {
    fn from(pairs: Vec<(String, String)>) -> Query {
        Query { pairs, watch: false }
    }
}

impl Listing {
    /// The query, together with filters of the noun's own.
    pub fn query(&self, more: Vec<(&'static str, String)>) -> Query {
        let own = |(field, value): (&str, String)| (field.to_owned(), value);
        let mut query: Vec<_> = self.name.iter().map(|name| own(("name", name.clone()))).collect();
        query.extend(self.filter.iter().cloned());
        query.extend(more.into_iter().map(own));
        query.extend(self.sort.clone().map(|field| own(("sort_key", field))));
        query.extend(self.limit.map(|count| own(("limit", count.to_string()))));
        Query { pairs: query, watch: self.watch }
    }
}

/// One object, by id or name.
#[derive(Debug, Clone, Args)]
pub struct One {
    /// Its id or name.
    #[arg(value_name = "ID|NAME")]
    pub object: String,
}

/// Some objects, by id or name.
#[derive(Debug, Clone, Args)]
pub struct Many {
    /// Their ids or names.
    #[arg(value_name = "ID|NAME", required = true)]
    pub objects: Vec<String>,
}

/// Lists objects, and goes on with what happens to them if that was asked for.
///
/// # Errors
/// What the API says.
pub async fn list<R: Noun>(session: &Session, query: impl Into<Query>) -> Result<(), Failure> {
    let Query { pairs: mut query, watch } = query.into();
    if R::IS_OWNED
        && let Some(project) = session.project().await?
    {
        query.push(("project_id".to_owned(), project));
    }
    let filters: Vec<(&str, &str)> = query.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let Answer { value: objects, revision } = R::all(&session.client).list(&filters).await?;
    match session.format {
        Format::Json => output::write_json(&objects)?,
        Format::Id => output::write(&objects.iter().map(|o| format!("{}\n", o.id())).collect::<String>())?,
        Format::Table => {
            let names = if R::IS_OWNED && !objects.is_empty() { names(session).await? } else { Names::new() };
            let rows: Vec<_> = objects.iter().map(|object| object.row(&names)).collect();
            output::write(&output::columns(Surface::of_stdout(), R::COLUMNS, &rows))?;
        }
    }
    if watch { events::watch::<R>(session, revision, &query).await } else { Ok(()) }
}

/// Shows one object.
///
/// # Errors
/// What the API says, or that there is none or more than one.
pub async fn show<R: Noun>(session: &Session, one: &One) -> Result<(), Failure> {
    session.show(&session.find::<R>(&one.object).await?)
}

/// The filter for the objects of one network, if one was named.
///
/// # Errors
/// When there is no such network, or several have the name.
pub async fn network_filter(
    session: &Session,
    network: Option<&str>,
) -> Result<Vec<(&'static str, String)>, Failure> {
    match network {
        Some(text) => Ok(vec![("network_id", session.id::<Network>(text).await?)]),
        None => Ok(vec![]),
    }
}

/// The change itself, unless it changes nothing.
///
/// # Errors
/// [`Failure::Usage`] when it changes nothing.
pub fn some_change<T: Default + PartialEq>(change: T) -> Result<T, Failure> {
    if change == T::default() { Err(nothing()) } else { Ok(change) }
}

/// Changes an object and, when given, replaces its tags; then shows it.
///
/// # Errors
/// [`Failure::Usage`] when nothing is to be changed, else what the API says.
pub async fn set<R>(
    session: &Session,
    one: &One,
    change: R::Update,
    tags: Option<Vec<String>>,
) -> Result<(), Failure>
where
    R: Noun,
    R::Update: Default + PartialEq,
{
    let is_change = change != R::Update::default();
    if !is_change && tags.is_none() {
        return Err(nothing());
    }
    let collection = R::all(&session.client);
    let id = session.id::<R>(&one.object).await?;
    let mut revision = 0;
    if is_change {
        revision = collection.update(&id, &change).await?.revision;
    }
    if let Some(tags) = tags {
        revision = revision.max(collection.set_tags(&id, &tags).await?.revision);
    }
    let value = collection.show(&id).await?.value;
    session.show_written(Answer { value, revision }).await
}

fn nothing() -> Failure {
    Failure::Usage("nothing to change: name at least one new value (--help shows them)".to_owned())
}

/// Deletes objects: all are tried, failures are reported one by one.
///
/// # Errors
/// [`Failure::Several`] when not all of several could be deleted, else the reason itself.
pub async fn delete<R: Noun>(session: &Session, objects: &[String]) -> Result<(), Failure> {
    let mut tried = BTreeSet::new();
    let (mut done, mut failures, mut planned) = (Vec::new(), Vec::new(), 0);
    for text in objects.iter().filter(|text| tried.insert(*text)) {
        match delete_one::<R>(session, text).await {
            Ok((id, revision)) => done.push((id, revision)),
            Err(failure) => match plan::settled(session.format, failure) {
                Ok(()) => planned += 1,
                Err(failure) => failures.push((text, failure)),
            },
        }
    }
    match session.format {
        Format::Table => {}
        _ if planned > 0 => {}
        Format::Id => output::write(&done.iter().map(|(id, _)| format!("{id}\n")).collect::<String>())?,
        Format::Json => {
            let done: Vec<_> =
                done.iter().map(|(id, revision)| json!({"id": id, "revision": revision})).collect();
            output::write_json(&done)?;
        }
    }
    report(tried.len(), failures)?;
    match done.iter().map(|(_, revision)| *revision).max() {
        Some(revision) => session.settle(revision).await,
        None => Ok(()),
    }
}

async fn delete_one<R: Noun>(session: &Session, text: &str) -> Result<(String, u64), Failure> {
    let id = session.id::<R>(text).await?;
    let Answer { revision, .. } = R::all(&session.client).delete(&id).await?;
    Ok((id, revision))
}

fn report(all: usize, mut failures: Vec<(&String, Failure)>) -> Result<(), Failure> {
    if all == 1 {
        return failures.pop().map_or(Ok(()), |(_, failure)| Err(failure));
    }
    for (text, failure) in &failures {
        eprintln!("{text}: {}", failure.message().unwrap_or_default());
    }
    match failures.len() {
        0 => Ok(()),
        failed => Err(Failure::Several { failed, all }),
    }
}

/// The names of networks and, if the caller may see them, of tenants.
pub(crate) async fn names(session: &Session) -> Result<Names, Failure> {
    let networks = Network::all(&session.client).list(&[]).await?.value;
    let tenants = Tenant::all(&session.client).list(&[]).await?.value;
    let of_networks = networks.into_iter().map(|network| (network.id, network.name));
    let of_tenants = tenants.into_iter().map(|tenant| (tenant.id, tenant.name));
    Ok(of_networks.chain(of_tenants).filter(|(_, name)| !name.is_empty()).collect())
}

/// The name of something, or its id when it has none.
pub fn called(names: &Names, id: &str) -> String {
    names.get(id).cloned().unwrap_or_else(|| output::or_dash(id))
}
