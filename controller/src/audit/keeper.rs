//! The writing end of the audit log: entries go into the batch that they tell of, and the oldest out of the table.

use serde::Serialize;
use serde_json::Value;
use weft_model::{Change, Record, Revision, Timestamp};
use weft_store::{Batch, StoreError, Table};

use super::log::{key, numbers, time_of};
use super::{Bounds, Deed, SharedStore, Step, TABLE};
use crate::records;

/// From how many bytes on a request's entry is continued in a further one; well below the store's limit for a value.
const ENTRY_BYTES: usize = 256 * 1024;
/// A change whose records have more bytes than this together is told without them.
const CHANGE_BYTES: usize = 512 * 1024;
/// Which part of the log goes at once when it is full: one in so many. A delete beside its neighbours costs hardly more.
const SLACK: u64 = 64;
/// The most entries that one commit removes.
const DROPPED: u64 = 4096;
/// How long nobody looks at how old the oldest entries are, in seconds.
const AGE_PAUSE: u64 = 60;

/// What has to be known to go on with a log.
#[derive(Debug)]
pub(crate) struct Keeper {
    bounds: Bounds,
    /// The number of the oldest entry, if there is one, and of the next.
    oldest: u64,
    next: u64,
    /// When ages were looked at last.
    looked: Timestamp,
}

impl Keeper {
    /// Takes up a log where it stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn open(store: &SharedStore, bounds: Bounds) -> Result<Keeper, StoreError> {
        let numbers = numbers(store.snapshot()?.as_ref())?;
        Ok(Keeper { bounds, oldest: numbers.start, next: numbers.end, looked: Timestamp(0) })
    }

    /// Adds what a commit has to say to its batch, and what has to go for it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn write(
        &mut self,
        store: &SharedStore,
        batch: &mut Batch,
        (revision, deeds): (Revision, &[Deed]),
    ) -> Result<(), StoreError> {
        for deed in deeds {
            for entry in entries(revision, deed) {
                batch.put(Table(TABLE), key(self.next), entry);
                self.next += 1;
            }
        }
        let surplus = self.surplus();
        let aged = deeds.last().map_or(Ok(0), |deed| self.aged(store, deed.at))?;
        let until = self.oldest + surplus.max(aged).min(DROPPED);
        for number in self.oldest..until {
            batch.delete(Table(TABLE), key(number));
        }
        self.oldest = until;
        Ok(())
    }

    /// How many of the oldest are too many.
    fn surplus(&self) -> u64 {
        let (count, most) = (self.next - self.oldest, self.bounds.entries);
        if count > most { count - (most - most / SLACK) } else { 0 }
    }

    /// How many of the oldest are too old.
    fn aged(&mut self, store: &SharedStore, now: Timestamp) -> Result<u64, StoreError> {
        let Some(age) = self.bounds.age else { return Ok(0) };
        if now.0 < self.looked.0 + AGE_PAUSE {
            return Ok(0);
        }
        self.looked = now;
        let (stored, deadline) = (store.snapshot()?, now.0.saturating_sub(age.as_secs()));
        let mut count = 0;
        // What is in this batch already is not stored yet, nor is it old.
        while count < DROPPED
            && let Some(value) = stored.get(Table(TABLE), key(self.oldest + count).as_bytes())?
            && time_of(&value).is_some_and(|at| at.0 < deadline)
        {
            count += 1;
        }
        Ok(count)
    }
}

/// The front of an entry, as it stands in the store; `changes` follows.
#[derive(Serialize)]
struct Head<'a> {
    at: u64,
    revision: u64,
    request: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<std::net::IpAddr>,
}

/// What a request is told in: one entry nearly always.
fn entries(revision: Revision, deed: &Deed) -> Vec<Vec<u8>> {
    let author = &deed.author;
    let head = Head {
        at: deed.at.0,
        revision: revision.0,
        request: &author.request,
        role: &author.role,
        token: author.token.as_deref(),
        user: author.user.as_deref(),
        project: author.project.as_ref().map(|project| project.as_str()),
        address: author.address,
    };
    let mut front = serde_json::to_vec(&head).expect("texts and numbers always serialise");
    // The records are written already: they go in as they are, instead of through a tree of values.
    front.pop();
    front.extend_from_slice(br#","changes":["#);
    let (mut entries, mut entry) = (Vec::new(), front.clone());
    for step in &deed.steps {
        let change = told(step);
        if entry.len() > front.len() && entry.len() + change.len() > ENTRY_BYTES {
            entry.extend_from_slice(b"]}");
            entries.push(std::mem::replace(&mut entry, front.clone()));
        }
        if entry.len() > front.len() {
            entry.push(b',');
        }
        entry.extend_from_slice(&change);
    }
    if entry.len() > front.len() {
        entry.extend_from_slice(b"]}");
        entries.push(entry);
    }
    entries
}

#[derive(Serialize)]
struct ChangeHead<'a> {
    kind: &'a str,
    id: &'a str,
    verb: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
}

/// One change, as it stands in an entry.
fn told(step: &Step) -> Vec<u8> {
    let (kind, id) = records::place(&step.change.key());
    let after = match &step.change {
        Change::Put(record) => Some(record),
        Change::Delete(_) => None,
    };
    let verb = match (&step.before, after) {
        (None, _) => "create",
        (Some(_), Some(_)) => "update",
        (Some(_), None) => "delete",
    };
    let owner = step.owner.as_ref().map(|owner| owner.as_str());
    let head = ChangeHead { kind, id: &id, verb, owner };
    let mut text = serde_json::to_vec(&head).expect("texts always serialise");
    text.pop();
    let bare = text.len();
    for (name, record) in [("before", step.before.as_ref()), ("after", after)] {
        let Some(record) = record else { continue };
        text.extend_from_slice(format!(",\"{name}\":").as_bytes());
        text.extend_from_slice(&shown(record));
    }
    if text.len() > CHANGE_BYTES {
        text.truncate(bare);
    }
    text.push(b'}');
    text
}

/// A record as the log shows it: as it is stored, without what proves who somebody is.
fn shown(record: &Record) -> Vec<u8> {
    let stored = records::encode(record);
    match record {
        Record::Counters(_)
        | Record::Tenant(_)
        | Record::Quota(_)
        | Record::Host(_)
        | Record::PhysicalNetwork(_)
        | Record::Network(_)
        | Record::Subnet(_)
        | Record::Port(_)
        | Record::Binding(_)
        | Record::Router(_)
        | Record::FloatingIp(_)
        | Record::PortForwarding(_)
        | Record::SecurityGroup(_)
        | Record::SecurityRule(_)
        | Record::AddressGroup(_)
        | Record::Policy(_)
        | Record::Trunk(_)
        | Record::QosPolicy(_)
        | Record::SubnetPool(_)
        | Record::AddressScope(_)
        | Record::RbacPolicy(_)
        | Record::SegmentRange(_) => stored,
        // Tokens, and every kind of which nobody has said that it holds no secrets.
        _ => without_secrets(&stored),
    }
}

/// Takes away what is a secret or can be compared with one, by the names that such fields have.
fn without_secrets(stored: &[u8]) -> Vec<u8> {
    let cleaned = serde_json::from_slice(stored).map(|mut record: Value| {
        strip(&mut record);
        record.to_string().into_bytes()
    });
    cleaned.unwrap_or_else(|_| b"null".to_vec())
}

fn strip(value: &mut Value) {
    const SECRETS: [&str; 5] = ["digest", "hash", "password", "salt", "secret"];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !SECRETS.iter().any(|secret| name.contains(secret)));
            fields.values_mut().for_each(strip);
        }
        Value::Array(entries) => entries.iter_mut().for_each(strip),
        _ => {}
    }
}
