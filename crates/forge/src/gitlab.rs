//! GitLab, by its REST interface (version 4).

#[cfg(feature = "read")]
mod pushes;
#[cfg(feature = "read")]
mod read;
#[cfg(feature = "report")]
mod report;
#[cfg(feature = "read")]
mod statuses;
#[cfg_attr(
    not(all(feature = "read", feature = "report")),
    expect(dead_code, reason = "reading and reporting each need a part of it")
)]
mod wire;

use countersign_core::configuration::Host;
use countersign_core::names::{CommitId, HostName, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::secrets::Secrets;

use crate::client::failure::Failure;
use crate::client::{Call, Client, Dialect};
use crate::host::{Clock, Token, api_base, token};

/// Items of a page: the most that are given.
const PAGE: usize = 100;

const DIALECT: Dialect = Dialect {
    accept: "application/json",
    headers: &[],
    permissions: "the scope read_api (api to report), and at least the role Reporter in the project (Developer to report)",
};

/// A GitLab server.
pub struct Gitlab<S> {
    name: HostName,
    host: Host,
    secrets: S,
    client: Client,
    #[cfg(feature = "report")]
    writer: crate::comment::Writer,
}

impl<S: Secrets + Send + Sync> Gitlab<S> {
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
            client: Client::new(&api_base(host, "/api/v4"), DIALECT, clock)?,
            #[cfg(feature = "report")]
            writer: crate::comment::Writer::default(),
        })
    }

    async fn token(&self) -> Result<Token, Failure> {
        token(&self.name, &self.host, &self.secrets).await
    }
}

/// A path below a project, which its own path names as one segment.
fn path<'a>(repository: &'a RepositoryId, below: &[&'a str]) -> Vec<&'a str> {
    [&["projects", repository.path.as_str()], below].concat()
}

/// Reads a list below a project.
fn list<'a>(repository: &'a RepositoryId, below: &[&'a str]) -> Call<'a> {
    Call::get(&path(repository, below)).with("per_page", PAGE)
}

/// The merge requests that brought `commit`, or have it.
fn merge_requests_of<'a>(repository: &'a RepositoryId, commit: &'a CommitId) -> Call<'a> {
    list(repository, &["repository", "commits", commit.as_str(), "merge_requests"])
}

#[cfg(all(test, feature = "read", feature = "report"))]
mod tests;
