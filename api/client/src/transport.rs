//! One request and its answer: addresses, headers, time limits, errors.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use weft_api::REVISION_HEADER;

use crate::error::{ClientError, Refusal};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the controller answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The body, out of its envelope.
    pub value: T,
    /// The store's revision that the answer reflects, or that the write made.
    pub revision: u64,
}

impl<T> Answer<T> {
    /// The same answer with its value turned into something else.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: change(self.value), revision: self.revision }
    }
}

/// Where requests go and in whose name.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    base: Arc<Url>,
    run: Run,
}

/// Whether writes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Real,
    Dry,
}

impl Transport {
    pub(crate) fn new(endpoint: &str, token: Option<&str>) -> Result<Transport, ClientError> {
        let malformed = || ClientError::Endpoint { endpoint: endpoint.to_owned() };
        let base = Url::parse(endpoint).map_err(|_| malformed())?;
        if base.scheme() != "http" || !base.has_host() {
            return Err(malformed());
        }
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(|_| ClientError::Token)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // A proxy of the environment would see tokens and has no way into namespaces: the way to the controller is direct.
        let http = reqwest::Client::builder().no_proxy().default_headers(headers).connect_timeout(CONNECT);
        Ok(Transport {
            http: http.build().map_err(ClientError::SetUp)?,
            base: Arc::new(base),
            run: Run::Real,
        })
    }

    /// The same, but writes only ask what they would do.
    pub(crate) fn dry(self) -> Transport {
        Transport { run: Run::Dry, ..self }
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    pub(crate) fn get(&self, path: &[&str], query: &[(&str, String)]) -> Request {
        self.request(Method::GET, path, query)
    }

    pub(crate) fn request(&self, method: Method, path: &[&str], query: &[(&str, String)]) -> Request {
        let mut url = Url::clone(&self.base);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let run = if method == Method::GET { Run::Real } else { self.run };
        if run == Run::Dry {
            url.query_pairs_mut().append_pair("dry_run", "true");
        }
        let bad = path.iter().find(|segment| matches!(**segment, "" | "." | ".."));
        let bad = bad.map(|id| ClientError::Id { id: (*id).to_owned() });
        let builder = self.http.request(method.clone(), url.clone()).timeout(PATIENCE);
        Request { method, url, builder, bad, run }
    }
}

/// The answer to a write that is not made.
#[derive(serde::Deserialize)]
struct Planned {
    plan: weft_api::Plan,
}

/// A request that is not sent yet.
pub(crate) struct Request {
    method: Method,
    url: Url,
    builder: reqwest::RequestBuilder,
    bad: Option<ClientError>,
    run: Run,
}

impl Request {
    /// Waits that long for the answer.
    pub(crate) fn patience(mut self, limit: Duration) -> Request {
        self.builder = self.builder.timeout(limit);
        self
    }

    /// Sends a JSON body.
    pub(crate) fn body(mut self, body: &impl Serialize) -> Request {
        self.builder = self.builder.json(body);
        self
    }

    /// Asks for the object to have that revision number still.
    pub(crate) fn if_number(mut self, number: Option<u64>) -> Request {
        if let Some(number) = number {
            self.builder = self.builder.header(IF_MATCH, format!("revision_number={number}"));
        }
        self
    }

    /// Sends the request and reads the answer's body.
    pub(crate) async fn send<T: DeserializeOwned>(self) -> Result<Answer<T>, ClientError> {
        let (method, url) = (self.method.clone(), self.url.to_string());
        let (status, revision, body) = self.exchange().await?;
        let value = serde_json::from_slice(&body);
        let value = value.map_err(|e| ClientError::Body { method, url, status, reason: e.to_string() })?;
        Ok(Answer { value, revision })
    }

    /// Sends the request; the answer has no body worth reading.
    pub(crate) async fn send_for_nothing(self) -> Result<Answer<()>, ClientError> {
        let (_, revision, _) = self.exchange().await?;
        Ok(Answer { value: (), revision })
    }

    async fn exchange(self) -> Result<(u16, u64, Vec<u8>), ClientError> {
        let (method, url) = (self.method.clone(), self.url.to_string());
        let failed = |source| ClientError::Send { method, url, source };
        let run = self.run;
        let (revision, response) = self.open().await?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(failed)?;
        // What is not a plan is an answer to what nobody plans, like a trace.
        match serde_json::from_slice::<Planned>(&body) {
            Ok(Planned { plan }) if run == Run::Dry => Err(ClientError::Planned(Box::new(plan))),
            _ => Ok((status, revision, body.into())),
        }
    }

    /// Sends the request, and leaves the body of a good answer for the caller to read.
    pub(crate) async fn open(self) -> Result<(u64, reqwest::Response), ClientError> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        let (method, url) = (self.method, self.url.to_string());
        let failed = |source| ClientError::Send { method: method.clone(), url: url.clone(), source };
        let response = self.builder.send().await.map_err(failed)?;
        let status = response.status();
        let revision = response.headers().get(REVISION_HEADER).and_then(|value| value.to_str().ok());
        let revision = revision.and_then(|text| text.parse().ok()).unwrap_or(0);
        if status.is_success() {
            return Ok((revision, response));
        }
        let body = response.bytes().await.map_err(failed)?;
        match Refusal::read(status.as_u16(), &body) {
            Some(refusal) => Err(refusal.into()),
            None => {
                let reason = "no problem details".to_owned();
                Err(ClientError::Body { method, url, status: status.as_u16(), reason })
            }
        }
    }
}
