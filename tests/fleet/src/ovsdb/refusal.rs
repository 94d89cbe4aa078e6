//! Why something was not done, in the words of ovsdb-server(1).

use serde_json::Value;

use super::value::{separate, write_text};

/// A refusal: a tag that programs look at, details for people, and the JSON that was at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    error: &'static str,
    details: String,
    syntax: Option<String>,
}

impl Refusal {
    pub(super) fn new(error: &'static str, details: impl Into<String>) -> Refusal {
        Refusal { error, details: details.into(), syntax: None }
    }

    /// A refusal that shows the JSON at fault.
    pub(super) fn about(error: &'static str, json: &Value, details: impl Into<String>) -> Refusal {
        Refusal { error, details: details.into(), syntax: Some(canonical(json)) }
    }

    pub(super) fn syntax(json: &Value, details: impl Into<String>) -> Refusal {
        Refusal::about("syntax error", json, details)
    }

    pub(super) fn constraint(details: impl Into<String>) -> Refusal {
        Refusal::new("constraint violation", details)
    }

    pub(super) fn reference(details: impl Into<String>) -> Refusal {
        Refusal::new("referential integrity violation", details)
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        if let Some(syntax) = &self.syntax {
            out.extend_from_slice(b"\"syntax\":");
            write_text(out, syntax);
            out.push(b',');
        }
        out.extend_from_slice(b"\"details\":");
        write_text(out, &self.details);
        out.extend_from_slice(b",\"error\":");
        write_text(out, self.error);
        out.push(b'}');
    }
}

/// JSON with the members of objects in order, as ovsdb-server quotes it.
fn canonical(json: &Value) -> String {
    let mut out = Vec::new();
    write_canonical(json, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn write_canonical(json: &Value, out: &mut Vec<u8>) {
    match json {
        Value::Array(members) => {
            out.push(b'[');
            for (at, member) in members.iter().enumerate() {
                separate(out, at);
                write_canonical(member, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_str());
            out.push(b'{');
            for (at, (name, member)) in members.into_iter().enumerate() {
                separate(out, at);
                write_text(out, name);
                out.push(b':');
                write_canonical(member, out);
            }
            out.push(b'}');
        }
        Value::String(text) => write_text(out, text),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}
