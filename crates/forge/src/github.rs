//! GitHub and GitHub Enterprise Server, by their REST interface (2022-11-28), as a GitHub App or by token.

#[cfg(feature = "report")]
mod annotations;
mod app;
#[cfg(feature = "report")]
mod checks;
#[cfg(feature = "read")]
mod pushes;
#[cfg(feature = "read")]
mod read;
#[cfg(feature = "report")]
mod report;
#[cfg(feature = "read")]
mod statuses;
#[cfg_attr(not(feature = "read"), expect(dead_code, reason = "reading and reporting each need a part of it"))]
mod wire;

use std::sync::{Mutex, PoisonError};

use countersign_core::configuration::Host;
use countersign_core::names::{CommitId, HostName};
use countersign_core::ports::PortError;
use countersign_core::ports::secrets::Secrets;

use crate::client::failure::Failure;
use crate::client::{Call, Client, Dialect};
use crate::host::{Clock, Token, api_base, token};
use crate::place::Place;
use app::Session;

/// Items of a page: the most that are given.
const PAGE: usize = 100;

const DIALECT: Dialect = Dialect {
    accept: "application/vnd.github+json",
    headers: &[("x-github-api-version", "2022-11-28")],
    permissions: "the repository permissions contents: read, pull requests: read (write to report), and checks: write (or else commit statuses: write) as a GitHub App, with commit statuses: read where statuses are asked for, or commit statuses: write by token",
};

/// GitHub, or a GitHub Enterprise Server.
pub struct Github<S> {
    name: HostName,
    host: Host,
    secrets: S,
    client: Client,
    session: Mutex<Option<Session>>,
    /// The account that sets the App's commit statuses, once it set one.
    #[cfg(feature = "report")]
    bot: Mutex<Option<u64>>,
    #[cfg(feature = "report")]
    writer: crate::comment::Writer,
}

impl<S: Secrets + Send + Sync> Github<S> {
    /// The server that `host`, named `name`, describes. It keeps connections, the App's session and what was
    /// answered: make one and use it for all of the host's repositories, as long as its configuration is the same.
    ///
    /// # Errors
    /// When the host's address is none.
    pub fn new(name: &HostName, host: &Host, secrets: S, clock: Clock) -> Result<Self, PortError> {
        let base = match host.url.trim_end_matches('/') {
            "https://github.com" => {
                api_base(host, "").replace("https://github.com", "https://api.github.com")
            }
            _ => api_base(host, "/api/v3"),
        };
        Ok(Self {
            name: name.clone(),
            host: host.clone(),
            secrets,
            client: Client::new(&base, DIALECT, clock)?,
            session: Mutex::new(None),
            #[cfg(feature = "report")]
            bot: Mutex::new(None),
            #[cfg(feature = "report")]
            writer: crate::comment::Writer::default(),
        })
    }

    /// The credential for requests: the configured token, or the App's for its installation.
    async fn token(&self) -> Result<Token, Failure> {
        let Some(app) = &self.host.app else {
            return token(&self.name, &self.host, &self.secrets).await;
        };
        let kept = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let session = match kept.filter(|session| session.is_good(self.client.now())) {
            Some(session) => session,
            None => {
                let new = app::begin(&self.client, &self.secrets, app).await?;
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(new.clone());
                new
            }
        };
        Ok(session.token(app))
    }

    /// Whether a refusal may be about a session that ended early, which is forgotten then.
    fn forget_session(&self, failure: &Failure) -> bool {
        failure.is(401) && self.end_session()
    }

    /// Forgets the App's session; whether there was one.
    fn end_session(&self) -> bool {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

/// The pull requests that brought `commit`, or have it.
fn pulls_of<'a>(place: &Place<'a>, commit: &'a CommitId) -> Call<'a> {
    place.call(&["commits", commit.as_str(), "pulls"]).with("per_page", PAGE)
}

#[cfg(all(test, feature = "read", feature = "report"))]
mod tests;
