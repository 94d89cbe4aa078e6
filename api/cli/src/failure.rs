//! What can go wrong in a run of `weft`, and which exit code it means.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use weft_client::ClientError;

/// The controller refused, could not be reached or did not get there in time; or a command that we ran failed.
const FAILED: u8 = 1;
/// The command line makes no sense.
const USAGE: u8 = 2;

/// Why a run of `weft` failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// A call of the API failed.
    #[error(transparent)]
    Api(#[from] ClientError),
    /// The arguments contradict each other or say nothing.
    #[error("{0}")]
    Usage(String),
    /// No object of that kind has the id or the name.
    #[error("there is no {noun} {text:?}{place}", place = place.as_deref().map(|t| format!(" in tenant {t}")).unwrap_or_default())]
    Missing {
        /// What was looked for.
        noun: &'static str,
        /// The id or name that was given.
        text: String,
        /// The tenant that it was looked for in.
        place: Option<String>,
    },
    /// Several objects have the name.
    #[error("{} {noun}s are called {name:?}; use the id of one:{}", candidates.len(), listed(candidates))]
    Ambiguous {
        /// What was looked for.
        noun: &'static str,
        /// The name.
        name: String,
        /// One line for each of them.
        candidates: Vec<String>,
    },
    /// Some of several objects could not be deleted; each has been reported already.
    #[error("{failed} of {all} could not be deleted")]
    Several {
        /// How many failed.
        failed: usize,
        /// Out of how many.
        all: usize,
    },
    /// The time was up before the revision was in force everywhere.
    #[error("revision {revision} is not applied after {patience:?}{}", waiting_for(pending))]
    NotApplied {
        /// The revision.
        revision: u64,
        /// How long it was waited for.
        patience: Duration,
        /// The hosts that have not confirmed it, as far as the caller may know.
        pending: Vec<String>,
    },
    /// A file could not be read.
    #[error("reading {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What stands in a file is not right.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong, with the line.
        reason: String,
    },
    /// The output could not be written.
    #[error("writing the output")]
    Write(#[source] std::io::Error),
    /// A value could not be shown as JSON.
    #[error("writing JSON")]
    Json(#[from] serde_json::Error),
    /// A command of Open vSwitch could not be started.
    #[error("running {command}")]
    Start {
        /// The command line.
        command: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A command of Open vSwitch failed, or what it said stands in the way.
    #[error("{0}")]
    Host(String),
}

impl Failure {
    /// The exit code of the process.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            // Who closes our output early (`| head`) has seen enough: that is no failure.
            Failure::Write(error) if error.kind() == std::io::ErrorKind::BrokenPipe => 0,
            _ => FAILED,
        }
    }

    /// The message for people: what failed, why, and what to try when we can tell. Nothing if there is nothing to say.
    pub fn message(&self) -> Option<String> {
        if self.code() == 0 {
            return None;
        }
        let mut text = format!("error: {self}");
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            // Some libraries repeat their source in their own message.
            let cause_text = cause.to_string();
            if !text.ends_with(&cause_text) {
                text.push_str(&format!(": {cause_text}"));
            }
            source = cause.source();
        }
        if let Some(hint) = self.hint() {
            text.push_str(&format!("\nhint: {hint}"));
        }
        Some(text)
    }

    fn hint(&self) -> Option<&'static str> {
        let Failure::Api(error) = self else { return None };
        match error {
            ClientError::Send { .. } | ClientError::Body { .. } => {
                Some("is the controller there? --endpoint (or WEFT_ENDPOINT) says where it is looked for")
            }
            ClientError::Refused(refusal) if refusal.status == 401 => {
                Some("show a token with --token, --token-file, WEFT_TOKEN or WEFT_TOKEN_FILE")
            }
            _ => None,
        }
    }
}

fn listed(candidates: &[String]) -> String {
    candidates.iter().map(|line| format!("\n  {line}")).collect()
}

fn waiting_for(pending: &[String]) -> String {
    match pending {
        [] => String::new(),
        hosts => format!("; waiting for {}", hosts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_usage_from_failure_from_enough() {
        assert_eq!(Failure::Usage(String::new()).code(), 2);
        assert_eq!(Failure::Several { failed: 1, all: 2 }.code(), 1);
        let enough = Failure::Write(std::io::ErrorKind::BrokenPipe.into());
        assert_eq!((enough.code(), enough.message()), (0, None));
    }

    #[test]
    fn messages_name_candidates_and_hosts() {
        let candidates = vec!["a1  of tenant x".to_owned(), "b2  of tenant y".to_owned()];
        let ambiguous = Failure::Ambiguous { noun: "network", name: "web".into(), candidates };
        assert_eq!(
            ambiguous.message().unwrap_or_default(),
            "error: 2 networks are called \"web\"; use the id of one:\n  a1  of tenant x\n  b2  of tenant y"
        );
        let pending = vec!["h1".to_owned(), "h2".to_owned()];
        let late = Failure::NotApplied { revision: 7, patience: Duration::from_secs(3), pending };
        assert_eq!(
            late.message().unwrap_or_default(),
            "error: revision 7 is not applied after 3s; waiting for h1, h2"
        );
        let missing = Failure::Missing { noun: "port", text: "p".into(), place: Some("blue".into()) };
        assert_eq!(missing.message().unwrap_or_default(), "error: there is no port \"p\" in tenant blue");
    }
}
