//! A small client for the REST interfaces of forges: what every request needs, and nothing of any one forge.
//!
//! A credential goes to the configured host and nowhere else; a body has a largest size and a request a longest
//! time; what the forge says about its limits holds for every later request until it ends.

mod answer;
mod cache;
pub(crate) mod failure;
mod limits;
pub(crate) mod pages;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_core::time::Timestamp;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH, LOCATION, USER_AGENT,
};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::host::{Clock, Token};
use answer::Answer;
use cache::Cache;
use failure::Failure;

/// How long a request may take, its body included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of a body.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// How often a request is sent on to another address of the same host.
const MAX_REDIRECTS: usize = 3;

/// What one forge needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// What answers are asked for.
    pub(crate) accept: &'static str,
    /// Further headers, as names and values.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// What to do when the credential is refused or may not do something.
    pub(crate) permissions: &'static str,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    method: Method,
    path: Vec<&'a str>,
    query: Vec<(&'a str, String)>,
    body: Option<Value>,
}

impl<'a> Call<'a> {
    /// Reads what is at `path`, whose segments are encoded here.
    pub(crate) fn get(path: &[&'a str]) -> Self {
        Self { method: Method::GET, path: path.to_vec(), query: Vec::new(), body: None }
    }

    /// Sends `body` to `path`.
    pub(crate) fn send(method: Method, path: &[&'a str], body: Value) -> Self {
        Self { method, path: path.to_vec(), query: Vec::new(), body: Some(body) }
    }

    /// With one more parameter.
    #[must_use]
    pub(crate) fn with(mut self, name: &'a str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }
}

/// Speaks to one forge.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    dialect: Dialect,
    clock: Clock,
    not_before: Mutex<Option<Timestamp>>,
    cache: Mutex<Cache>,
}

impl Client {
    /// For the interface at `base`.
    ///
    /// # Errors
    /// When `base` is no HTTP address, or no HTTP client can be made.
    pub(crate) fn new(base: &str, dialect: Dialect, clock: Clock) -> Result<Self, Failure> {
        let base = Url::parse(base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Failure::Final(format!(
                    "{base:?} is no address of a forge: write the host's `url` or `api` as https://git.example.com"
                ))
            })?;
        let builder = reqwest::Client::builder().timeout(TIMEOUT).redirect(Policy::none());
        // A proxy of the surroundings cannot reach this machine's own servers.
        let builder = if is_this_machine(&base) { builder.no_proxy() } else { builder };
        let http = builder
            .build()
            .map_err(|error| Failure::Final(format!("no HTTP client can be made: {error}")))?;
        let (not_before, cache) = (Mutex::new(None), Mutex::new(Cache::default()));
        Ok(Self { http, base, dialect, clock, not_before, cache })
    }

    /// The address that paths are below.
    #[cfg(test)]
    pub(crate) fn base(&self) -> &str {
        self.base.as_str()
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Sends a call and reads its answer.
    ///
    /// # Errors
    /// When the forge refuses, is not there, or answers something else.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        token: &Token,
        call: &Call<'_>,
    ) -> Result<T, Failure> {
        self.answer(token, call, None).await?.json()
    }

    /// As [`Self::read`]; none where there is no such thing.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        token: &Token,
        call: &Call<'_>,
    ) -> Result<Option<T>, Failure> {
        match self.read(token, call).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is(404) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Sends a call whose answer says nothing.
    ///
    /// # Errors
    /// As [`Self::read`].
    #[cfg(feature = "report")]
    pub(crate) async fn run(&self, token: &Token, call: &Call<'_>) -> Result<(), Failure> {
        self.answer(token, call, None).await.map(|_| ())
    }

    /// Deletes what is at `path`, if it is still there: another writer may have been first.
    ///
    /// # Errors
    /// As [`Self::read`].
    #[cfg(feature = "report")]
    pub(crate) async fn remove(&self, token: &Token, path: &[&str]) -> Result<(), Failure> {
        let call = Call { method: Method::DELETE, path: path.to_vec(), query: Vec::new(), body: None };
        match self.answer(token, &call, None).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is(404) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Sends a call; `query` replaces the call's own, as a page's link does.
    async fn answer(&self, token: &Token, call: &Call<'_>, query: Option<&str>) -> Result<Answer, Failure> {
        self.wait_is_over()?;
        let mut url = self.url(call, query);
        let what = format!("{} {}", call.method, shown(&url));
        let key = url.to_string();
        let known = (call.method == Method::GET).then(|| self.cached(&key)).flatten();
        for _ in 0..=MAX_REDIRECTS {
            let response = self
                .send(token, call, &url, known.as_ref())
                .await
                .map_err(|error| Failure::later(format!("{what}: {}: it is tried again", because(&error))))?;
            if response.status().is_redirection() && response.status() != 304 {
                url = self.redirected(&what, call, &url, &response)?;
                continue;
            }
            self.heed(&response);
            let answer = Answer::read(&what, response, known, MAX_BODY).await?;
            let judged = answer.judged(token, self.dialect.permissions, self.now());
            match &judged {
                Ok(answer) => self.keep(&key, call, answer),
                Err(failure) => self.wait_until(failure.not_before()),
            }
            return judged;
        }
        Err(Failure::Final(format!(
            "{what}: redirected more than {MAX_REDIRECTS} times: check the host's `api` in countersign.yaml"
        )))
    }

    async fn send(
        &self,
        token: &Token,
        call: &Call<'_>,
        url: &Url,
        known: Option<&Answer>,
    ) -> Result<Response, reqwest::Error> {
        let mut request = self
            .http
            .request(call.method.clone(), url.clone())
            .header(USER_AGENT, "countersign")
            .header(ACCEPT, self.dialect.accept);
        for (name, value) in self.dialect.headers {
            request = request.header(*name, *value);
        }
        if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.value())) {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(tag) = known.and_then(|answer| answer.tag.clone()) {
            request = request.header(IF_NONE_MATCH, tag);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        request.send().await
    }

    fn url(&self, call: &Call<'_>, query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        // A base with a host has a path, so this cannot fail.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&call.path);
        }
        match query {
            Some(query) => url.set_query(Some(query)),
            None if call.query.is_empty() => {}
            None => {
                url.query_pairs_mut().extend_pairs(&call.query);
            }
        }
        url
    }

    /// Where a redirect leads, if that is the same host: a credential goes nowhere else.
    fn redirected(
        &self,
        what: &str,
        call: &Call<'_>,
        from: &Url,
        response: &Response,
    ) -> Result<Url, Failure> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(url) = location.and_then(|location| from.join(location).ok()) else {
            return Err(Failure::later(format!("{what}: redirected to nowhere: it is tried again")));
        };
        if url.origin() != self.base.origin() {
            return Err(Failure::Final(format!(
                "{what}: redirected to {}, where no credential is sent: write that address as the host's `url` or `api` in countersign.yaml if it is the forge's",
                url.origin().ascii_serialization()
            )));
        }
        let keeps_method = matches!(response.status().as_u16(), 307 | 308);
        if call.method != Method::GET && !keeps_method {
            return Err(Failure::Final(format!(
                "{what}: redirected to {}, where it cannot be sent: if the repository was renamed, write its new path in countersign.yaml",
                shown(&url)
            )));
        }
        Ok(url)
    }

    /// Refuses while the forge takes no requests, without asking it.
    fn wait_is_over(&self) -> Result<(), Failure> {
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        match *not_before {
            Some(time) if self.now() < time => Err(Failure::Later {
                why: format!("{}: the forge limits how often it is asked", shown(&self.base)),
                not_before: Some(time),
            }),
            _ => {
                *not_before = None;
                Ok(())
            }
        }
    }

    fn heed(&self, response: &Response) {
        self.wait_until(limits::not_before(response.status().as_u16(), response.headers(), self.now()));
    }

    fn wait_until(&self, time: Option<Timestamp>) {
        if time.is_some() {
            *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) = time;
        }
    }

    fn cached(&self, key: &str) -> Option<Answer> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(key)
    }

    fn keep(&self, key: &str, call: &Call<'_>, answer: &Answer) {
        if call.method == Method::GET && answer.tag.is_some() {
            self.cache.lock().unwrap_or_else(PoisonError::into_inner).put(key, answer.clone());
        }
    }
}

/// An address as messages show it: queries may hold much, and say little.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// What was wrong, without the address, which the message names already.
fn because(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no whole answer within {} s", TIMEOUT.as_secs());
    }
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    if error.is_connect() { format!("not reachable: {source}") } else { format!("broken off: {source}") }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests;
