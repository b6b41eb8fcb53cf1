//! Git's protocol over HTTP. Connections are kept between requests; nothing follows a server to another host.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::Trouble;

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a name or a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How many redirects within one host are followed.
const REDIRECTS: usize = 3;

/// Agents that are at rest. Each is used by one at a time, so that it can be interrupted alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agents(Arc<Mutex<Vec<Agent>>>);

impl Agents {
    /// An agent, with the connections that it kept.
    pub(crate) fn take(&self) -> Agent {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(agent)
    }

    /// Keeps an agent that was not interrupted.
    pub(crate) fn keep(&self, agent: Agent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(agent);
    }
}

fn agent() -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("git/countersign")
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(SILENCE))
        .timeout_per_write(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .build()
        .new_agent()
}

/// A repository behind HTTP.
pub(crate) struct Http {
    agent: Agent,
    base: String,
    authorization: Option<String>,
}

impl Http {
    /// The repository at `url`, with a user's name and password or token.
    pub(crate) fn new(agent: Agent, url: &str, credential: Option<(&str, &str)>) -> Self {
        let authorization =
            credential.map(|(user, secret)| format!("Basic {}", STANDARD.encode(format!("{user}:{secret}"))));
        Self { agent, base: url.trim_end_matches('/').to_owned(), authorization }
    }

    /// The server's greeting. A repository that moved on its host is followed there.
    pub(crate) fn greeting(&mut self) -> Result<impl Read + use<>, Trouble> {
        for _ in 0..=REDIRECTS {
            let request = self.agent.get(format!("{}/info/refs?service=git-upload-pack", self.base));
            let answer = self.headed(request).call().map_err(|error| failed(&error))?;
            if !answer.status().is_redirection() {
                let answer = accepted(answer, "application/x-git-upload-pack-advertisement")?;
                return Ok(answer.into_body().into_reader());
            }
            self.base = self.moved(&answer)?;
        }
        Err(Trouble::Elsewhere(format!("more than {REDIRECTS} redirects")))
    }

    /// The answer to a request.
    pub(crate) fn ask(&self, request: &[u8]) -> Result<impl Read + use<>, Trouble> {
        let post = self
            .agent
            .post(format!("{}/git-upload-pack", self.base))
            .header("Content-Type", "application/x-git-upload-pack-request")
            .header("Accept", "application/x-git-upload-pack-result");
        let answer = self.headed(post).send(request).map_err(|error| failed(&error))?;
        Ok(accepted(answer, "application/x-git-upload-pack-result")?.into_body().into_reader())
    }

    fn headed<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        let request = request.header("Git-Protocol", "version=2");
        match &self.authorization {
            Some(authorization) => request.header("Authorization", authorization),
            None => request,
        }
    }

    /// Where a redirect leads, if that is on the same host.
    fn moved(&self, answer: &Response<Body>) -> Result<String, Trouble> {
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let location = location.unwrap_or_default();
        let here: Uri = self.base.parse().map_err(|_| Trouble::Garbage("not a URL".to_owned()))?;
        let to: Uri =
            location.parse().map_err(|_| Trouble::Garbage("it redirects to what is no URL".to_owned()))?;
        let same =
            to.authority().is_none_or(|_| to.host() == here.host() && to.port_u16() == here.port_u16())
                && to.scheme().is_none_or(|scheme| Some(scheme) == here.scheme());
        if !same {
            return Err(Trouble::Elsewhere(format!("to {}", to.host().unwrap_or_default())));
        }
        let path = to
            .path()
            .strip_suffix("/info/refs")
            .ok_or_else(|| Trouble::Garbage("it redirects to a page: is this a login?".to_owned()))?;
        let (scheme, authority) = (here.scheme_str().unwrap_or_default(), here.authority());
        Ok(format!("{scheme}://{}{path}", authority.map_or("", |authority| authority.as_str())))
    }
}

/// An answer that is what was asked for.
fn accepted(answer: Response<Body>, wanted: &str) -> Result<Response<Body>, Trouble> {
    let status = answer.status();
    let text = format!("status {}", status.as_u16());
    match status.as_u16() {
        200 => {}
        401 | 403 => return Err(Trouble::Credential(text)),
        404 | 410 => return Err(Trouble::Missing(text)),
        300..=399 => return Err(Trouble::Elsewhere(text)),
        408 | 425 | 429 | 500..=599 => return Err(Trouble::Busy(text)),
        _ => return Err(Trouble::Garbage(text)),
    }
    let kind = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
    match kind.map(|kind| kind.split(';').next().unwrap_or(kind).trim()) {
        Some(kind) if kind == wanted => Ok(answer),
        _ => Err(Trouble::Garbage("it answers with a page, not with Git's protocol".to_owned())),
    }
}

fn failed(error: &ureq::Error) -> Trouble {
    let text = error.to_string();
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => Trouble::Missing(text),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => Trouble::Garbage(text),
        _ if text.to_lowercase().contains("certificate") => Trouble::Identity(text),
        _ => Trouble::Busy(text),
    }
}
