//! What can go wrong between us and an `ovsdb-server`, named after what was being done.

use std::io;
use std::time::Duration;

use serde::Deserialize;

use crate::framing::FrameError;

/// A failure of a session, of one request on it, or of one transaction.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The session is over; the reason went to its events.
    #[error("the session with the database server is closed")]
    Closed,
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    PeerClosed,
    /// Dialling the server failed.
    #[error("could not connect to {address}")]
    Connect {
        /// Where to.
        address: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Writing to the connection failed.
    #[error("could not write to the connection")]
    Send(#[source] io::Error),
    /// The peer said nothing, not even to a probe.
    #[error("nothing was heard for {0:?}, not even an answer to a probe")]
    Silent(Duration),
    /// The bytes received are not a stream of JSON objects, or can't be read at all.
    #[error("could not receive a message")]
    Receive(#[from] FrameError),
    /// A message was JSON, but not what the protocol allows there.
    #[error("could not decode {what}")]
    Decode {
        /// Which message.
        what: &'static str,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The peer changed a row that it never showed us: our copy can't be trusted any more.
    #[error("an update changes row {id} of {table}, which was never shown to us")]
    Desynchronised {
        /// The table.
        table: String,
        /// The row.
        id: uuid::Uuid,
    },
    /// The peer changed a column to something that the column cannot hold.
    #[error("an update changes row {id} of {table} to what its columns cannot hold")]
    Misfit {
        /// The table.
        table: String,
        /// The row.
        id: uuid::Uuid,
    },
    /// The server ended a monitor of ours by itself, as when the database is taken away.
    #[error("the server ended a monitor")]
    MonitorEnded,
    /// A monitor shows more rows than the session's limit.
    #[error("a monitor shows more than {limit} rows")]
    TooManyRows {
        /// The limit.
        limit: usize,
    },
    /// The peer tells of more locks than anyone asks for.
    #[error("the peer tells of more than {limit} locks")]
    TooManyLocks {
        /// The limit.
        limit: usize,
    },
    /// A value could not be written as JSON (a real that is not a number).
    #[error("could not encode the request {method}")]
    Encode {
        /// The request's method.
        method: &'static str,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A request is longer than the session's limit.
    #[error("the request {method} takes {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// The request's method.
        method: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The server answered a request with an error.
    #[error("the server refused {method}: {refusal}")]
    Refused {
        /// The request's method.
        method: &'static str,
        /// What it said.
        refusal: Refusal,
    },
    /// The server took the transaction but did not commit it.
    #[error("the transaction failed at {place}: {refusal}")]
    Aborted {
        /// Where.
        place: Place,
        /// What it said.
        refusal: Refusal,
    },
    /// The live schema can't carry the rows asked for.
    #[error("the schema of the server does not fit: {0}")]
    Schema(#[from] SchemaMismatch),
}

impl Error {
    /// Whether the transaction failed because something that it expected was no longer so: read again and retry.
    pub fn is_stale(&self) -> bool {
        matches!(self, Error::Aborted { refusal: Refusal { reason: Reason::TimedOut, .. }, .. })
    }
}

/// Where in a transaction a failure happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the operation with this index.
    Operation(usize),
    /// When all operations had run and the result was checked.
    Commit,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Operation(index) => write!(f, "operation {index}"),
            Place::Commit => write!(f, "commit"),
        }
    }
}

/// An error that the server reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind, from the short tag of the protocol.
    pub reason: Reason,
    /// The server's explanation, empty where it gave none.
    pub details: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.details.as_str() {
            "" => write!(f, "{}", self.reason.tag()),
            details => write!(f, "{} ({details})", self.reason.tag()),
        }
    }
}

/// The kinds of errors that a caller may want to tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A `wait` did not find what it expected in time.
    TimedOut,
    /// A row points at a row that does not exist.
    ReferentialIntegrity,
    /// A value, an index or a table size is against the schema.
    Constraint,
    /// A lock that the transaction asserts is not held.
    NotOwner,
    /// The method is not known to this server.
    UnknownMethod,
    /// The database is not known to this server.
    UnknownDatabase,
    /// The request was cancelled.
    Canceled,
    /// The transaction's own `abort` operation.
    Aborted,
    /// Writing to disk failed, or another fault of the server.
    Other(String),
}

impl Reason {
    fn from_tag(tag: &str) -> Self {
        match tag {
            "timed out" => Reason::TimedOut,
            "referential integrity violation" => Reason::ReferentialIntegrity,
            "constraint violation" => Reason::Constraint,
            "not owner" => Reason::NotOwner,
            "unknown method" => Reason::UnknownMethod,
            "unknown database" => Reason::UnknownDatabase,
            "canceled" => Reason::Canceled,
            "aborted" => Reason::Aborted,
            other => Reason::Other(other.to_owned()),
        }
    }

    fn tag(&self) -> &str {
        match self {
            Reason::TimedOut => "timed out",
            Reason::ReferentialIntegrity => "referential integrity violation",
            Reason::Constraint => "constraint violation",
            Reason::NotOwner => "not owner",
            Reason::UnknownMethod => "unknown method",
            Reason::UnknownDatabase => "unknown database",
            Reason::Canceled => "canceled",
            Reason::Aborted => "aborted",
            Reason::Other(tag) => tag,
        }
    }
}

/// A refusal on the wire: a bare string, or an object with a tag and details.
impl<'de> Deserialize<'de> for Refusal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Bare(String),
            Object { error: String, details: Option<String> },
        }
        let (tag, details) = match Wire::deserialize(deserializer)? {
            Wire::Bare(tag) => (tag, None),
            Wire::Object { error, details } => (error, details),
        };
        Ok(Refusal { reason: Reason::from_tag(&tag), details: details.unwrap_or_default() })
    }
}

/// What the live schema lacks or holds in another shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaMismatch {
    /// The table is missing.
    #[error("there is no table {0}")]
    NoTable(String),
    /// A column that we can't do without is missing.
    #[error("there is no column {column} in table {table}")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column holds another type than the one we read.
    #[error("column {column} of table {table} has another type than expected")]
    OtherType {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_come_as_strings_and_as_objects() {
        let bare: Refusal = serde_json::from_str("\"canceled\"").expect("a string");
        assert_eq!(bare, Refusal { reason: Reason::Canceled, details: String::new() });
        let full: Refusal =
            serde_json::from_str(r#"{"error":"timed out","details":"\"wait\" timed out","syntax":"x"}"#)
                .expect("an object");
        assert_eq!(full.to_string(), "timed out (\"wait\" timed out)");
    }
}
