//! Commands that were pushed to plain repositories while nobody listened.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::bail;
use countersign_core::configuration::{Configuration, HostKind};
use countersign_core::keys;
use countersign_core::names::RepositoryId;
use countersign_core::ports::store::Store as _;
use countersign_core::statement::{Says, SignedStatement};
use countersign_core::time::Timestamp;
use countersign_git::repository::Repository;

use super::http::receiver;
use super::node::Node;
use crate::installation::now;

/// The names of the statements of each plain repository that were looked at.
#[derive(Debug, Default)]
pub struct Unheard(BTreeMap<RepositoryId, BTreeSet<String>>);

impl Unheard {
    /// Takes each command that no hook told of, as if one had told of it now. Other statements are read by every look.
    ///
    /// # Errors
    /// When the store cannot be read, or a command cannot be taken now.
    pub async fn take(&mut self, node: &Node) -> anyhow::Result<()> {
        let Some(active) = node.configurations.active(&node.store).await? else { return Ok(()) };
        for repository in plain(&active.configuration) {
            let url = active.configuration.git_url(&repository).unwrap_or_default();
            let place = Path::new(url.strip_prefix("file://").unwrap_or(&url));
            let known = self.0.entry(repository.clone()).or_default();
            let read = Repository::open(place).and_then(|found| found.new_statements(&repository, known));
            let found = read.unwrap_or_else(|error| {
                tracing::warn!(%repository, %error, "commands that nobody told of cannot be looked for");
                Vec::new()
            });
            for statement in found.iter().filter(|statement| is_command(statement, now())) {
                let key = format!("{}{}", keys::statements(&repository), statement.id().hex());
                if node.store.get(&key).await?.is_some() {
                    continue;
                }
                tracing::info!(%repository, statement = %statement.id(), "no hook told of this command");
                let answer = receiver(node).statement(&statement.to_bytes(), now()).await;
                if answer.status >= 500 {
                    // It is looked for again, with all others.
                    self.0.remove(&repository);
                    bail!(
                        "statement {} of {repository} cannot be taken now: {}",
                        statement.id(),
                        answer.text
                    );
                }
            }
        }
        Ok(())
    }
}

/// The repositories that are followed on plain hosts.
fn plain(configuration: &Configuration) -> BTreeSet<RepositoryId> {
    let followed = configuration.followed_refs().into_iter().map(|follows| follows.repository);
    let is_plain = |id: &RepositoryId| {
        configuration.hosts.get(&id.host).is_some_and(|host| host.kind == HostKind::Plain)
    };
    followed.filter(is_plain).collect()
}

/// Whether somebody asks for something that can still be done.
fn is_command(statement: &SignedStatement, now: Timestamp) -> bool {
    let says = statement.claims().map(|claims| claims.says);
    matches!(says, Ok(Says::Command { expires, .. }) if now <= expires)
}
