//! Proves that who asks too much is told to wait, in the words of the API, and that nobody else is.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;

use super::{Answer, Lab, Rates};
use crate::desk::Desk;

async fn lab(rates: Rates) -> Lab {
    Lab::with(Desk::ephemeral().unwrap(), rates).await
}

async fn get_from(lab: &Lab, address: &str, token: &str, path: &str) -> Answer {
    let address: SocketAddr = address.parse().unwrap();
    let request = Request::builder().uri(path).header("x-auth-token", token);
    lab.send(request.extension(ConnectInfo(address)).body(Body::empty()).unwrap()).await
}

/// Asks until there is an answer of 429; how often the answer was as it should be before.
async fn until_refused(ask: impl AsyncFn() -> Answer, usual: u16) -> (usize, Answer) {
    for count in 0..1000 {
        let answer = ask().await;
        if answer.status == 429 {
            return (count, answer);
        }
        assert_eq!(answer.status, usual, "{}", answer.text);
    }
    panic!("a thousand answers, and no limit");
}

#[tokio::test]
async fn a_caller_has_a_limit_of_its_own() {
    let lab = lab(Rates { caller: 1, ..Rates::default() }).await;
    for path in ["/v2.0/networks", "/v1/whoami"] {
        let (good, answer) = until_refused(async || lab.get("red", path).await, 200).await;
        assert!(good < 50, "{good} requests in no time");
        assert_eq!(answer.kind(), "HTTPTooManyRequests", "{path}");
        answer.check_problem(path);
        let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=2).contains(&seconds));
    }
    assert_eq!(lab.get("blue", "/v2.0/networks").await.status, 200);
    assert_eq!(lab.get("", "/healthz").await.status, 200);
}

#[tokio::test]
async fn an_address_that_guesses_tokens_is_not_listened_to() {
    let lab = lab(Rates { refused: 1, ..Rates::default() }).await;
    let guess = async || get_from(&lab, "192.0.2.1:5", "guess", "/v2.0/networks").await;
    let (guesses, _) = until_refused(guess, 401).await;
    assert!((10..50).contains(&guesses), "{guesses}");
    let late = get_from(&lab, "192.0.2.1:6", "red", "/v2.0/networks").await;
    assert_eq!(late.status, 429, "{}", late.text);
    late.check_problem("/v2.0/networks");
    assert_eq!(get_from(&lab, "192.0.2.2:5", "red", "/v2.0/networks").await.status, 200);
    // Good requests cost nothing.
    for _ in 0..50 {
        assert_eq!(get_from(&lab, "192.0.2.3:5", "red", "/v2.0/networks").await.status, 200);
    }
}

#[tokio::test]
async fn an_address_has_a_limit_whoever_it_says_it_is() {
    let lab = lab(Rates { address: 2, ..Rates::default() }).await;
    let from =
        async |address: &str, token: &str| get_from(&lab, address, token, "/v2.0/networks").await.status;
    let (good, _) =
        until_refused(async || get_from(&lab, "[2001:db8::1]:5", "red", "/v2.0/networks").await, 200).await;
    assert!(good >= 4, "{good}");
    assert_eq!(from("[2001:db8::2]:5", "nobody").await, 429, "the same site");
    assert_eq!(from("[2001:db8:0:1::1]:5", "blue").await, 200);
}
