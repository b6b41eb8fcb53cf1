//! Gitea and Forgejo, by their REST interface (version 1).

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

use countersign_core::configuration::Host;
use countersign_core::names::{CommitId, HostName};
use countersign_core::ports::PortError;
use countersign_core::ports::secrets::Secrets;

use crate::client::failure::Failure;
use crate::client::{Call, Client, Dialect};
use crate::host::{Clock, Token, api_base, token};
use crate::place::Place;

/// Items of a page: what a server gives at most, unless it is configured otherwise.
const PAGE: usize = 50;

const DIALECT: Dialect = Dialect {
    accept: "application/json",
    headers: &[],
    permissions: "the scopes read:user, read:repository (write:repository to report) and read:issue (write:issue to report), of an account that may write to the repository",
};

/// A Gitea or Forgejo server.
pub struct Gitea<S> {
    name: HostName,
    host: Host,
    secrets: S,
    client: Client,
    #[cfg(feature = "report")]
    writer: crate::comment::Writer,
}

impl<S: Secrets + Send + Sync> Gitea<S> {
    /// The server that `host`, named `name`, describes. It keeps connections and what was answered: make one
    /// and use it for all of the host's repositories, as long as its configuration is the same.
    ///
    /// # Errors
    /// When the host's address is none.
    pub fn new(name: &HostName, host: &Host, secrets: S, clock: Clock) -> Result<Self, PortError> {
        Ok(Self {
            name: name.clone(),
            host: host.clone(),
            secrets,
            client: Client::new(&api_base(host, "/api/v1"), DIALECT, clock)?,
            #[cfg(feature = "report")]
            writer: crate::comment::Writer::default(),
        })
    }

    async fn token(&self) -> Result<Token, Failure> {
        token(&self.name, &self.host, &self.secrets).await
    }
}

/// Pull requests, those first that changed last.
fn pulls<'a>(place: &Place<'a>, state: &str) -> Call<'a> {
    place.call(&["pulls"]).with("state", state).with("sort", "recentupdate").with("limit", PAGE)
}

/// The statuses of a commit, those first that were set last. Those of one second come in any order, and Gitea 1.26 has
/// its orders by index the wrong way round: which is the newest is told by the ids.
fn listed_statuses<'a>(place: &Place<'a>, commit: &'a CommitId) -> Call<'a> {
    place.call(&["statuses", commit.as_str()]).with("sort", "recentupdate").with("limit", PAGE)
}

/// The pull request whose merging made `commit`.
fn pull_of<'a>(place: &Place<'a>, commit: &'a CommitId) -> Call<'a> {
    place.call(&["commits", commit.as_str(), "pull"])
}

#[cfg(all(test, feature = "read", feature = "report"))]
mod tests;
