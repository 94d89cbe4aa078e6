//! JSON-RPC 1.0 messages: taken apart without touching what they carry, and put together.

use std::borrow::Cow;

use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A message as it came, its content still text.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    /// The peer asks and waits for an answer with the same id.
    Request { id: &'a RawValue, method: Cow<'a, str>, params: &'a RawValue },
    /// The peer tells.
    Notification { method: Cow<'a, str>, params: &'a RawValue },
    /// The answer to the request of ours with that id.
    Reply { id: u64, outcome: Outcome<'a> },
}

/// What a reply says; a null result is none.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    Result(Option<&'a RawValue>),
    Error(&'a RawValue),
}

impl<'a> Message<'a> {
    /// Takes a message apart.
    pub(crate) fn parse(frame: &'a [u8]) -> serde_json::Result<Self> {
        let wire: Wire<'a> = serde_json::from_slice(frame)?;
        let Some(method) = wire.method else {
            let id = wire.id.map_or(Err(missing("id")), |id| serde_json::from_str(id.get()))?;
            let outcome = match wire.error {
                Some(error) => Outcome::Error(error),
                None => Outcome::Result(wire.result),
            };
            return Ok(Message::Reply { id, outcome });
        };
        let params = wire.params.ok_or_else(|| missing("params"))?;
        match wire.id {
            Some(id) => Ok(Message::Request { id, method, params }),
            None => Ok(Message::Notification { method, params }),
        }
    }
}

/// Appends a request to what is to be sent.
pub(crate) fn write_request(out: &mut BytesMut, id: u64, method: &str, params: &RawValue) {
    append(out, &Request { id: Some(id), method, params });
}

/// Appends the notification that takes a request back (RFC 7047 section 4.1.4).
pub(crate) fn write_cancel(out: &mut BytesMut, id: u64) {
    append(out, &Request { id: None, method: "cancel", params: [id] });
}

/// Appends the answer to an echo of the peer.
pub(crate) fn write_reply(out: &mut BytesMut, id: &RawValue, result: &RawValue) {
    append(out, &Reply { id, result: Some(result), error: None });
}

/// Appends a refusal of a request that we don't serve.
pub(crate) fn write_unknown_method(out: &mut BytesMut, id: &RawValue) {
    append(out, &Reply { id, result: None, error: Some("unknown method") });
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Request<'a, P> {
    id: Option<u64>,
    method: &'a str,
    params: P,
}

#[derive(Serialize)]
struct Reply<'a> {
    id: &'a RawValue,
    result: Option<&'a RawValue>,
    error: Option<&'static str>,
}

fn append(out: &mut BytesMut, message: &impl Serialize) {
    let writer = bytes::BufMut::writer(&mut *out);
    serde_json::to_writer(writer, message).expect("numbers, strings and checked JSON always serialise");
}

fn missing(field: &'static str) -> serde_json::Error {
    <serde_json::Error as serde::de::Error>::missing_field(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_kinds_are_told_apart() {
        let parse = |text: &'static str| Message::parse(text.as_bytes()).expect(text);
        assert!(matches!(
            parse(r#"{"method":"echo","params":[],"id":"echo"}"#),
            Message::Request { id, .. } if id.get() == "\"echo\""
        ));
        assert!(matches!(
            parse(r#"{"id":null,"method":"update","params":[1]}"#),
            Message::Notification { params, .. } if params.get() == "[1]"
        ));
        assert!(matches!(
            parse(r#"{"id":3,"result":{"a":1},"error":null}"#),
            Message::Reply { id: 3, outcome: Outcome::Result(Some(_)) }
        ));
        assert!(matches!(
            parse(r#"{"id":3,"result":null,"error":"canceled"}"#),
            Message::Reply { id: 3, outcome: Outcome::Error(_) }
        ));
    }

    #[test]
    fn half_messages_are_refused() {
        for wrong in
            ["{}", r#"{"method":"echo","id":1}"#, r#"{"id":"x","result":1}"#, r#"{"id":null,"result":1}"#]
        {
            assert!(Message::parse(wrong.as_bytes()).is_err(), "{wrong} was read");
        }
    }
}
