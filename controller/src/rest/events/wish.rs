//! What a watcher wants to hear, and from where on.

use std::fmt;

use axum::http::HeaderMap;
use weft_model::intent::Fault;
use weft_model::{Record, Revision};

use crate::rest::failure::Failure;
use crate::rest::told::{KINDS, Told};

/// Where browsers say how far they have come.
const LAST_EVENT_ID: &str = "last-event-id";

/// A place in the history: behind so many records of a commit, or behind all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    revision: Revision,
    /// How many of its records are behind, or all.
    count: usize,
}

impl Place {
    /// Behind everything of a commit.
    pub(super) fn all_of(revision: Revision) -> Place {
        Place { revision, count: usize::MAX }
    }

    /// Behind the record with that index.
    pub(super) fn at(revision: Revision, index: usize) -> Place {
        Place { revision, count: index + 1 }
    }

    /// The revision of which everything is behind this place: the one to follow the history from.
    pub(super) fn before(self) -> Revision {
        match self.count {
            usize::MAX => self.revision,
            _ => Revision(self.revision.0.saturating_sub(1)),
        }
    }

    /// Reads what [`fmt::Display`] wrote, or a bare revision.
    fn read(text: &str) -> Option<Place> {
        match text.split_once('.') {
            None => Some(Place::all_of(Revision(text.parse().ok()?))),
            Some((revision, index)) => {
                let index = index.parse().ok().filter(|index| *index < usize::MAX - 1)?;
                Some(Place::at(Revision(revision.parse().ok()?), index))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            usize::MAX => write!(f, "{}", self.revision),
            count => write!(f, "{}.{}", self.revision, count - 1),
        }
    }
}

/// What a watcher wants to hear. An empty list asks for everything.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) from: Place,
    /// Whether to wait for what has not happened yet.
    pub(super) follow: bool,
    kinds: Vec<&'static str>,
    projects: Vec<String>,
    ids: Vec<String>,
}

impl Wish {
    /// Reads a query.
    pub(super) fn read(
        query: &[(String, String)],
        headers: &HeaderMap,
        newest: Revision,
    ) -> Result<Wish, Failure> {
        let (kinds, projects, ids) = Default::default();
        let mut wish = Wish { from: Place::all_of(newest), follow: true, kinds, projects, ids };
        let mut faults = Vec::new();
        let mut fault = |name: &str, reason: String| {
            faults.push(Fault { path: name.chars().take(80).collect(), reason });
        };
        for (name, value) in query {
            match name.as_str() {
                "from" => match Place::read(value) {
                    Some(place) => wish.from = place,
                    None => fault(name, "must be a revision or the id of an event".into()),
                },
                "kind" => match KINDS.into_iter().find(|kind| *kind == value.as_str()) {
                    Some(kind) => wish.kinds.push(kind),
                    None => fault(name, format!("must be one of {}", KINDS.join(", "))),
                },
                "project_id" | "tenant_id" => wish.projects.push(value.clone()),
                "id" => wish.ids.push(value.to_ascii_lowercase()),
                "follow" => match value.to_ascii_lowercase().as_str() {
                    "true" | "1" => wish.follow = true,
                    "false" | "0" => wish.follow = false,
                    _ => fault(name, "must be true or false".into()),
                },
                _ => fault(name, "is nothing that events can be asked for by".into()),
            }
        }
        if let Some(id) = headers.get(LAST_EVENT_ID) {
            match id.to_str().ok().and_then(|id| Place::read(id.trim())) {
                Some(place) => wish.from = place,
                None => fault("Last-Event-ID", "must be the id of an event".into()),
            }
        }
        if wish.from.before() > newest {
            fault("from", format!("must not be after the newest revision, {newest}"));
        }
        if faults.is_empty() { Ok(wish) } else { Err(Failure::invalid(faults)) }
    }

    /// False if a record cannot be wanted, told without making its row.
    pub(super) fn may_want(&self, record: &Record) -> bool {
        if self.kinds.is_empty() {
            return true;
        }
        let is_port = matches!(record, Record::Port(_) | Record::Binding(_));
        !is_port || self.kinds.contains(&"port")
    }

    /// True if an object is wanted.
    pub(super) fn wants(&self, told: &Told) -> bool {
        let project = told.project.as_ref().map(|project| project.as_str());
        (self.kinds.is_empty() || self.kinds.contains(&told.kind))
            && (self.projects.is_empty() || project.is_some_and(|own| self.projects.iter().any(|p| p == own)))
            && (self.ids.is_empty() || self.ids.iter().any(|id| id.eq_ignore_ascii_case(&told.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_they_are_read() {
        for text in ["0", "17", "17.0", "17.12"] {
            assert_eq!(Place::read(text).map(|place| place.to_string()).as_deref(), Some(text));
        }
        for wrong in ["", ".", "17.", ".3", "-1", "1.2.3", "17.18446744073709551615"] {
            assert_eq!(Place::read(wrong), None, "{wrong}");
        }
        let at = |index| Place::at(Revision(17), index);
        assert!(Place::all_of(Revision(16)) < at(0) && at(0) < at(1) && at(1) < Place::all_of(Revision(17)));
        assert_eq!((at(3).before(), Place::all_of(Revision(17)).before()), (Revision(16), Revision(17)));
    }
}
