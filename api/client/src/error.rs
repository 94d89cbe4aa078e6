//! What can go wrong between a caller and the controller.

use std::fmt;

use thiserror::Error;
use weft_api::{FieldError, NeutronError, Plan, Problem};

/// Why a call failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The endpoint is not an `http://` address.
    #[error("the endpoint {endpoint:?} is not an address like http://127.0.0.1:9696")]
    Endpoint {
        /// What was given.
        endpoint: String,
    },
    /// The token has characters that no header can carry.
    #[error("the token has characters that no token has")]
    Token,
    /// The HTTP client could not be set up.
    #[error("setting up the HTTP client")]
    SetUp(#[source] reqwest::Error),
    /// An id or a name is empty, or one that no address can carry.
    #[error("{id:?} cannot be an id")]
    Id {
        /// What was given.
        id: String,
    },
    /// The controller did not answer.
    #[error("asking the controller: {method} {url}")]
    Send {
        /// The method.
        method: reqwest::Method,
        /// The address.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is not what the API promises; there may be something else at that address.
    #[error("the answer to {method} {url} (status {status}) is not one of a Weft controller: {reason}")]
    Body {
        /// The method.
        method: reqwest::Method,
        /// The address.
        url: String,
        /// The status of the answer.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
    /// The controller refused the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The controller ended a stream of events.
    #[error("the controller ended the stream: {reason}")]
    Ended {
        /// Why, in its words.
        reason: String,
    },
    /// Nothing was written, because the client only asks what would be: see [`crate::Client::dry`].
    #[error("nothing was written, this is a dry run")]
    Planned(Box<Plan>),
    /// Several objects have the name.
    #[error("{count} {what} are called {name:?}: use an id")]
    Ambiguous {
        /// Which collection.
        what: &'static str,
        /// The name.
        name: String,
        /// How many there are.
        count: usize,
    },
}

impl ClientError {
    /// The refusal, if the controller answered with one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            ClientError::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// True if the controller says that there is no such object.
    pub fn is_not_found(&self) -> bool {
        self.refusal().is_some_and(|refusal| refusal.status == 404)
    }

    /// True if the same call may succeed later: the controller was unreachable, starting or overloaded.
    pub fn is_temporary(&self) -> bool {
        match self {
            ClientError::Send { .. } => true,
            ClientError::Refused(refusal) => matches!(refusal.status, 408 | 429 | 503 | 504),
            _ => false,
        }
    }
}

/// A request that the controller refused, in its words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// The kind of error in one word, like `NetworkNotFound`.
    pub kind: String,
    /// What went wrong.
    pub message: String,
    /// The fields at fault.
    pub errors: Vec<FieldError>,
    /// The id of the request, as it stands in the controller's log.
    pub request_id: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.message, self.status, self.kind)?;
        for error in self.errors.iter().filter(|error| !self.message.contains(&error.reason)) {
            write!(f, "\n  {} {}", error.field, error.reason)?;
        }
        Ok(())
    }
}

impl Refusal {
    /// Reads an error body; both forms (`/v2.0` and `/v1`) carry the problem details. `None` when it is neither.
    pub(crate) fn read(status: u16, body: &[u8]) -> Option<Refusal> {
        let (problem, fallback) = match serde_json::from_slice::<NeutronError>(body) {
            Ok(both) => (both.problem, both.neutron_error),
            Err(_) => (serde_json::from_slice::<Problem>(body).ok()?, Default::default()),
        };
        let pick = |a: String, b: String| if a.is_empty() { b } else { a };
        let kind = pick(problem.kind, fallback.kind);
        let message = pick(problem.detail, fallback.message);
        let is_ours = !kind.is_empty() && !message.is_empty();
        let request_id = problem.request_id;
        is_ours.then_some(Refusal { status, kind, message, errors: problem.errors, request_id })
    }
}
