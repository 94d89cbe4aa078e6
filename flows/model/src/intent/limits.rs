//! Bounds on what a request may carry, and the list of faults that collects every breach.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::{Fault, Rejected};
use crate::Stamp;
use crate::host::is_physnet_name;

/// Most characters of a name, a description, a device id and the like.
const TEXT: usize = 255;
/// Most characters of one tag.
const TAG: usize = 60;
/// Most tags of one object.
const TAGS: usize = 50;

/// Everything found wrong with a request so far.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes one fault.
    pub(super) fn add(&mut self, path: impl Display, reason: impl Display) {
        self.0.push(Fault { path: path.to_string(), reason: reason.to_string() });
    }

    /// Refuses the request if any fault was noted.
    pub(super) fn settle(self) -> Result<(), Rejected> {
        if self.0.is_empty() { Ok(()) } else { Err(Rejected::Invalid(self.0)) }
    }

    /// Text of at most 255 characters without control characters other than line breaks and tabs.
    pub(super) fn check_text(&mut self, path: &str, text: &str) {
        if text.chars().count() > TEXT {
            self.add(path, format_args!("must have at most {TEXT} characters"));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.add(path, "must not contain control characters");
        }
    }

    /// A host name or domain of RFC 1123 labels, with or without a final dot, or nothing.
    pub(super) fn check_domain(&mut self, path: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        let label_fits = |label: &str| {
            let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
        };
        let bare = text.strip_suffix('.').unwrap_or(text);
        if text.len() > TEXT || !bare.split('.').all(label_fits) {
            self.add(path, "must be a domain name of labels of A-Z a-z 0-9 - _, at most 255 characters");
        }
    }

    /// The name of a physical network.
    pub(super) fn check_physnet(&mut self, path: &str, name: &str) {
        if !is_physnet_name(name) {
            self.add(path, "must be 1 to 64 characters without spaces, commas, colons or control characters");
        }
    }

    /// At most `most` entries in a list.
    pub(super) fn check_count(&mut self, path: &str, count: usize, most: usize) {
        if count > most {
            self.add(path, format_args!("must have at most {most} entries"));
        }
    }

    /// The descriptive part of an object.
    pub(super) fn check_stamp(&mut self, stamp: &Stamp) {
        self.check_text("name", &stamp.name);
        self.check_text("description", &stamp.description);
        self.check_tags(&stamp.tags);
    }

    fn check_tags(&mut self, tags: &BTreeSet<String>) {
        self.check_count("tags", tags.len(), TAGS);
        for (position, tag) in tags.iter().enumerate() {
            let length = tag.chars().count();
            if !(1..=TAG).contains(&length) || tag.contains(['/', ',']) || tag.chars().any(char::is_control) {
                let reason =
                    format_args!("must have 1 to {TAG} characters, no comma, slash or control character");
                self.add(format_args!("tags.{position}"), reason);
            }
        }
    }
}
