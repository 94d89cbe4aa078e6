//! The client against a socket that answers with canned bytes: what is sent, and how answers are read.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use weft_api::NetworkCreate;

use crate::{Client, ClientError};

/// Answers one request with that status line, headers and body, and hands back what was sent.
fn answering(head: &'static str, body: &'static str) -> (String, JoinHandle<String>) {
    answering_each(vec![(head, body)])
}

/// Answers one request after the other; hands back all that was sent.
fn answering_each(answers: Vec<(&'static str, &'static str)>) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |(head, body): (&str, &str)| {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        while !is_complete(&seen) {
            let count = stream.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..count]);
        }
        let length = body.len();
        write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        String::from_utf8(seen).unwrap()
    };
    let server = std::thread::spawn(move || answers.into_iter().map(answer).collect());
    (endpoint, server)
}

fn is_complete(seen: &[u8]) -> bool {
    let text = String::from_utf8_lossy(seen).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
}

#[tokio::test]
async fn a_creation_sends_the_envelope_and_the_token_and_reads_value_and_revision() {
    let (endpoint, server) = answering(
        "201 Created\r\nWeft-Revision: 42",
        "{\"network\": {\"id\": \"n1\", \"mtu\": 1450, \"from_the_future\": 7}}",
    );
    let client = Client::new(&endpoint, Some("weft_abc")).unwrap();
    let new = NetworkCreate { name: Some("blue".into()), ..NetworkCreate::default() };
    let answer = client.networks().create(&new).await.unwrap();
    assert_eq!((answer.revision, answer.value.id.as_str(), answer.value.mtu), (42, "n1", 1450));
    let seen = server.join().unwrap();
    assert!(seen.starts_with("POST /v2.0/networks HTTP/1.1\r\n"), "{seen}");
    assert!(seen.to_ascii_lowercase().contains("authorization: bearer weft_abc"), "{seen}");
    assert!(seen.ends_with("{\"network\":{\"name\":\"blue\"}}"), "{seen}");
}

#[tokio::test]
async fn a_refusal_carries_status_kind_message_and_fields() {
    let (endpoint, server) = answering(
        "400 Bad Request",
        "{\"NeutronError\": {\"type\": \"InvalidInput\", \"message\": \"wrong\", \"detail\": \"\"}, \"type\": \"InvalidInput\",\
         \"title\": \"Bad Request\", \"status\": 400, \"detail\": \"wrong\", \"errors\": [{\"field\": \"mtu\", \"reason\": \"is odd\"}]}",
    );
    let client = Client::new(&endpoint, None).unwrap();
    let error = client.ports().delete("a/b c").await.unwrap_err();
    let refusal = error.refusal().expect("a refusal");
    assert_eq!(
        (refusal.status, refusal.kind.as_str(), refusal.message.as_str()),
        (400, "InvalidInput", "wrong")
    );
    assert_eq!(refusal.errors[0].field, "mtu");
    assert!(error.to_string().contains("mtu is odd"), "{error}");
    let seen = server.join().unwrap();
    assert!(seen.starts_with("DELETE /v2.0/ports/a%2Fb%20c HTTP/1.1\r\n"), "{seen}");
    assert!(!seen.to_ascii_lowercase().contains("authorization"), "{seen}");
}

#[tokio::test]
async fn a_list_that_comes_in_pages_is_put_together() {
    let (endpoint, server) = answering_each(vec![
        (
            "200 OK",
            r#"{"ports": [{"id": "a"}, {"id": "b"}], "ports_links": [{"rel": "next", "href": "http://x"}]}"#,
        ),
        ("200 OK", r#"{"ports": [{"id": "c"}], "ports_links": [{"rel": "previous", "href": "http://x"}]}"#),
    ]);
    let client = Client::new(&endpoint, None).unwrap();
    let ports = client.ports().list(&[("name", "p q")]).await.unwrap().value;
    assert_eq!(ports.iter().map(|port| port.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let seen = server.join().unwrap();
    assert!(seen.contains("GET /v2.0/ports?name=p+q&marker=b HTTP/1.1"), "{seen}");
}

#[tokio::test]
async fn something_else_at_the_address_is_said_to_be_so() {
    let (endpoint, server) = answering("404 Not Found", "<html>");
    let client = Client::new(&endpoint, None).unwrap();
    let error = client.tenants().show("t").await.unwrap_err();
    assert!(matches!(error, ClientError::Body { status: 404, .. }), "{error}");
    assert!(!error.is_not_found());
    server.join().unwrap();
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before() {
    for endpoint in ["", "127.0.0.1:9696", "ftp://x", "https://x"] {
        assert!(matches!(Client::new(endpoint, None), Err(ClientError::Endpoint { .. })), "{endpoint}");
    }
    assert!(matches!(Client::new("http://x", Some("a\nb")), Err(ClientError::Token)));
    let client = Client::new("http://127.0.0.1:1", None).unwrap();
    assert!(matches!(client.networks().show("..").await, Err(ClientError::Id { .. })));
    let error = client.networks().show("x").await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
}
