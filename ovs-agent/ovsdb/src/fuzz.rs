//! What a fuzzer calls: everything that a peer's bytes can reach, without a connection. It must return, whatever comes.

use std::sync::Arc;

use bytes::BytesMut;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::codec::Decoder;

use crate::conversation::{Command, Conversation, Event, MonitorMethod, Purpose};
use crate::framing::Framing;
use crate::mirror::{Mirror, MonitorId};
use crate::plan::Plan;
use crate::replica::Replica;
use crate::schema::Schema;
use crate::transaction::Committed;

const MESSAGE_LIMIT: usize = 1 << 16;
const ROW_LIMIT: usize = 100;
/// Requests 1 to 3 start a monitor each, by each method; request 4 is any other.
const METHODS: [MonitorMethod; 3] = [MonitorMethod::CondSince, MonitorMethod::Cond, MonitorMethod::Plain];

crate::ovsdb_table! {
    /// A table with a column of each shape.
    pub struct Shapes in "Shapes" {
        /// A scalar.
        must one: String,
        /// None or one.
        must maybe: Option<i64>,
        /// A set.
        must many: std::collections::BTreeSet<uuid::Uuid>,
        /// A map.
        must pairs: std::collections::BTreeMap<String, String>,
    }
}

/// The schema of [`Shapes`].
pub const SCHEMA: &str = r#"{"name": "Fuzz", "version": "1.0.0", "tables": {"Shapes": {"columns": {
    "one": {"type": "string"},
    "maybe": {"type": {"key": "integer", "min": 0}},
    "many": {"type": {"key": "uuid", "min": 0, "max": "unlimited"}},
    "pairs": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}}}}}"#;

/// Takes bytes as a session takes them from its peer, and as each decoder takes its part of a message.
pub fn survive(bytes: &[u8]) {
    let schema: Schema = serde_json::from_str(SCHEMA).expect("the schema above is one");
    let plan = Plan::of(&schema).table::<Shapes>().expect("the schema has this table").build();
    let mut mirrors = METHODS.map(|_| Mirror::new(Arc::clone(&plan)));
    let mut conversation = expectant(&mirrors);
    let (mut framing, mut buffer) = (Framing::new(MESSAGE_LIMIT), BytesMut::from(bytes));
    while let Ok(Some(frame)) = framing.decode(&mut buffer) {
        let goes_on = conversation.handle_message(&frame).is_ok();
        while let Some(event) = conversation.poll_event() {
            show(&mut mirrors, &event);
        }
        if !goes_on {
            break;
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = serde_json::from_str::<Schema>(text);
        let _ = text.parse::<crate::Address>();
        if let Ok(raw) = RawValue::from_string(text.to_owned()) {
            let _ = Committed::read(&raw, 2);
        }
    }
}

/// A conversation in which something has been asked, so that answers have somewhere to go.
fn expectant(mirrors: &[Mirror; 3]) -> Conversation {
    let permits = Arc::new(Semaphore::new(METHODS.len() + 1));
    let mut conversation = Conversation::default();
    let mut ask = |id, method, purpose| {
        let permit = Arc::clone(&permits).try_acquire_owned().expect("there is one for each request");
        let params = RawValue::from_string("[]".to_owned()).expect("an empty array is JSON");
        conversation.handle_command(Command::Request { id, method, params, purpose, permit });
    };
    for ((id, method), mirror) in (1..).zip(METHODS).zip(mirrors) {
        let replica = Box::new(Replica::from_mirror(mirror, ROW_LIMIT));
        ask(
            id,
            "monitor",
            Purpose::Monitor { id: MonitorId(id), replica, method, answer: oneshot::channel().0 },
        );
    }
    ask(4, "transact", Purpose::Call(oneshot::channel().0));
    conversation
}

fn show(mirrors: &mut [Mirror; 3], event: &Event) {
    let Event::Changed(batch) = event else { return };
    let index = usize::try_from(batch.monitor.0 - 1).expect("a small number");
    mirrors[index].apply(batch);
    assert!(mirrors[index].rows::<Shapes>().count() <= ROW_LIMIT + 1, "the limit ends the session at once");
    assert!(batch.of::<Shapes>().all(|change| change.before != change.after));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROW: &str = "00000000-0000-0000-0000-000000000001";

    /// What a server could say, for a fuzzer to start from.
    fn seeds() -> Vec<String> {
        let columns = r#"{"one":"x","maybe":7,"many":["set",[["uuid","ROW"]]],"pairs":["map",[["k","v"]]]}"#;
        let texts = [
            r#"{"id":1,"result":[true,"ROW",{"Shapes":{"ROW":{"initial":COLUMNS}}}],"error":null}"#,
            r#"{"id":2,"result":{"Shapes":{"ROW":{"initial":COLUMNS}}},"error":null}"#,
            r#"{"id":3,"result":{"Shapes":{"ROW":{"new":COLUMNS}}},"error":null}"#,
            r#"{"id":null,"method":"update3","params":[1,"ROW",{"Shapes":{"ROW":{"modify":COLUMNS}}}]}"#,
            r#"{"id":null,"method":"update2","params":[2,{"Shapes":{"ROW":{"delete":null}}}]}"#,
            r#"{"id":null,"method":"update","params":[3,{"Shapes":{"ROW":{"old":COLUMNS,"new":COLUMNS}}}]}"#,
            r#"{"id":4,"result":[{"uuid":["uuid","ROW"]},{"count":1},{"rows":[COLUMNS]}],"error":null}"#,
            r#"{"id":4,"result":null,"error":{"error":"unknown method","details":"x"}}"#,
            r#"{"id":"echo","method":"echo","params":[]}"#,
            r#"{"id":null,"method":"locked","params":["l"]}"#,
            r#"{"id":null,"method":"monitor_canceled","params":[1]}"#,
        ];
        texts.iter().map(|text| text.replace("COLUMNS", columns).replace("ROW", ROW)).collect()
    }

    /// The seeds are what they are meant to be: all of them are understood.
    #[test]
    fn the_seeds_are_understood() {
        let schema: Schema = serde_json::from_str(SCHEMA).expect("a schema");
        let plan = Plan::of(&schema).table::<Shapes>().expect("a table").build();
        let mirrors = METHODS.map(|_| Mirror::new(Arc::clone(&plan)));
        let mut conversation = expectant(&mirrors);
        let (last, seeds) = (seeds().len() - 1, seeds());
        for (index, seed) in seeds.iter().enumerate() {
            let understood = conversation.handle_message(seed.as_bytes());
            assert_eq!(understood.is_ok(), index < last, "{seed}: {understood:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            survive(&bytes);
        }

        /// What a server says, in any order, with some bytes replaced, doubled or left out.
        #[test]
        fn mutated_messages_are_survived(
            order in prop::collection::vec(0usize..11, 1..12),
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..3, any::<u8>()), 0..6),
        ) {
            let seeds = seeds();
            let mut bytes: Vec<u8> = order.iter().flat_map(|index| seeds[*index].bytes()).collect();
            for (at, edit, byte) in edits {
                let at = at.index(bytes.len());
                match edit {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, b"{}[]\",:0"[usize::from(byte % 8)]),
                    _ => drop(bytes.remove(at)),
                }
            }
            survive(&bytes);
        }
    }
}
