//! An answer, read whole within its limits, and what its status means.

use countersign_core::time::Timestamp;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, LINK};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::Failure;
use super::{because, limits};
use crate::host::Token;

/// The most characters of a forge's own words that a message quotes.
const MAX_QUOTE: usize = 200;

/// An answer.
#[derive(Clone)]
pub(crate) struct Answer {
    what: String,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    /// What names this state of what was asked for.
    pub(super) tag: Option<String>,
}

impl Answer {
    /// Reads the body of `response`; that of `known`, if nothing changed since.
    pub(super) async fn read(
        what: &str,
        mut response: Response,
        known: Option<Self>,
        limit: usize,
    ) -> Result<Self, Failure> {
        if response.status() == 304
            && let Some(known) = known
        {
            return Ok(known);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        let broken = |error| Failure::later(format!("{what}: {}: it is tried again", because(&error)));
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            body.extend_from_slice(&chunk);
            if body.len() > limit {
                return Err(Failure::Final(format!(
                    "{what}: the answer has more than {limit} bytes, which is not read: check that this is the forge's own interface"
                )));
            }
        }
        let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok(Self { what: what.to_owned(), status, headers, body, tag })
    }

    /// The answer, if it is a success. `permissions` says what the credential must be allowed.
    pub(super) fn judged(self, token: &Token, permissions: &str, now: Timestamp) -> Result<Self, Failure> {
        let (what, credential) = (&self.what, token.what());
        let words = self.words(token);
        // GitHub tells of some limits in words alone.
        let in_words = self.status == 403 && words.to_ascii_lowercase().contains("rate limit");
        let not_before = limits::not_before(self.status, &self.headers, now)
            .or_else(|| in_words.then(|| now.plus(limits::DEFAULT)));
        let status = self.status;
        if (200..300).contains(&status) {
            return Ok(self);
        }
        if not_before.is_some() {
            let why = format!("{what}: {status}, too many requests{words}");
            return Err(Failure::Later { why, not_before });
        }
        let why = match status {
            401 => format!(
                "{what}: 401, {credential} is not accepted{words}: it may have expired or been revoked; make a new one with {permissions}"
            ),
            403 => format!("{what}: 403, {credential} may not do this{words}: it needs {permissions}"),
            404 => format!(
                "{what}: 404, there is no such thing, or {credential} may not see it{words}: check the repository's path in countersign.yaml, and that the credential has {permissions}"
            ),
            400..=499 if !matches!(status, 408 | 425 | 429) => {
                format!("{what}: {status}, the forge does not take this{words}")
            }
            _ => return Err(Failure::later(format!("{what}: {status}{words}: it is tried again"))),
        };
        Err(Failure::Refused { status, why })
    }

    /// The body as JSON of the expected shape.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = &self.what;
            if error.classify() == serde_json::error::Category::Data {
                return Failure::Final(format!(
                    "{what}: the answer is not what this kind of forge sends ({error}): check the host's `kind` and `api` in countersign.yaml"
                ));
            }
            let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let kind = kind.unwrap_or("no content type");
            Failure::later(format!(
                "{what}: the answer is no whole JSON ({kind}): something between here and the forge may have answered; it is tried again"
            ))
        })
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `Link` header.
    pub(super) fn links(&self) -> Option<&str> {
        self.header(LINK.as_str())
    }

    /// What it answers.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// How many bytes it takes.
    pub(super) fn size(&self) -> usize {
        self.body.len() + self.what.len()
    }

    /// What the forge says itself, on one line, without the credential should it repeat it.
    fn words(&self, token: &Token) -> String {
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else { return String::new() };
        let text = ["message", "error_description", "error"].iter().find_map(|field| match &body[*field] {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            other => Some(other.to_string()),
        });
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return String::new() };
        let text = text.replace(token.value(), "…");
        let text: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_QUOTE).collect();
        format!(" (it says: {})", text.trim())
    }
}
