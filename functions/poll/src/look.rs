//! Finds what no webhook brought: tips that nobody looked at, statements and pull requests that changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use countersign_core::active::BundleConfiguration;
use countersign_core::keys;
use countersign_core::message::QueueName;
use countersign_core::names::{Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::ForgeRead;
use countersign_core::ports::queue::Queue;
use countersign_core::ports::store::{self, Store};
use countersign_core::statement::STATEMENTS;
use countersign_core::time::Timestamp;
use countersign_git::error::GitError;
use countersign_git::mirror::Source;

use crate::ask::{self, Question, Tips};
use crate::hints::Asked;
use crate::state::Repository;
use crate::{Polled, Poller};

/// How often is looked, where the host says nothing else.
const PERIOD: Duration = Duration::from_secs(60);

/// A repository that is due, with what is followed there.
struct Due {
    state: Repository,
    period: Duration,
    follows: Vec<Reference>,
    /// What programs are asked to say of a head.
    contexts: BTreeSet<String>,
}

impl<S: Store, Q: Queue, F: ForgeRead> Poller<'_, S, Q, F> {
    /// Asks about every repository whose period is over, one request each, and makes looks due at what differs
    /// from what was looked at. A server that fails is asked again later, ever more rarely, and hinders no other.
    ///
    /// # Errors
    /// When the store or the queue fails.
    pub async fn look(&self, now: Timestamp) -> Result<Polled, PortError> {
        let mut polled = Polled { hints: 0, next: now.plus(PERIOD) };
        let Some(active) = self.configurations.active(self.store).await? else { return Ok(polled) };
        let mut due = BTreeMap::new();
        let mut questions = Vec::new();
        for (repository, follows) in followed(&active) {
            let period = period(&active, &repository);
            let key = keys::polled(&repository);
            let Some(state) = store::get_json::<Repository>(self.store, &key).await? else {
                store::put_json(self.store, &key, &Repository::new(now, period)).await?;
                continue;
            };
            if !state.is_due(now, period) {
                polled.next = polled.next.min(state.next);
                continue;
            }
            match self.question(&active, &repository, &follows).await {
                Ok(question) => questions.extend(question),
                Err(error) => tracing::warn!(%repository, %error, "cannot be asked about now"),
            }
            let contexts = active.configuration.status_contexts_of(&repository);
            due.insert(repository, Due { state, period, follows, contexts });
        }
        let mut answers = ask::all(self.repositories, &questions, self.deadline);
        for (repository, due) in due {
            let tips = match answers.remove(&repository) {
                Some(Ok(tips)) => Some(tips),
                Some(Err(error)) => {
                    if matches!(error, GitError::Denied(_)) {
                        self.forge.git_denied(&repository);
                    }
                    tracing::warn!(%repository, %error, failures = due.state.failures, "is asked again later");
                    None
                }
                None => None,
            };
            polled.hints += self.conclude(&repository, due, tips, now).await?;
        }
        Ok(polled)
    }

    /// What is asked about a repository; nothing where its host is not configured.
    async fn question(
        &self,
        active: &BundleConfiguration,
        repository: &RepositoryId,
        follows: &[Reference],
    ) -> Result<Option<Question>, PortError> {
        let Some(url) = active.configuration.git_url(repository) else { return Ok(None) };
        let credential = self.forge.git_credential(repository).await?;
        let mut prefixes: Vec<String> = follows.iter().map(ToString::to_string).collect();
        prefixes.push(STATEMENTS.to_owned());
        let source = Source { url, credential, also: Vec::new() };
        Ok(Some(Question { repository: repository.clone(), source, prefixes }))
    }

    /// Sends what is to be hinted at, and only then remembers that it was: a crash in between sends it twice, and
    /// it is dropped as a repeat.
    async fn conclude(
        &self,
        repository: &RepositoryId,
        due: Due,
        tips: Option<Tips>,
        now: Timestamp,
    ) -> Result<usize, PortError> {
        let Due { mut state, period, follows, contexts } = due;
        let asked = Asked { repository, follows: &follows, contexts: &contexts };
        let mut messages = Vec::new();
        match tips {
            Some(tips) => {
                state.answered(now, period);
                messages.extend(self.moved(asked, &tips, &mut state, now).await?);
                messages.extend(self.stated(repository, &follows, &tips, &mut state, now)?);
                messages.extend(self.proposed(asked, &mut state, now).await?);
            }
            None => state.failed(now, period),
        }
        if !messages.is_empty() {
            tracing::info!(%repository, hints = messages.len(), "no webhook brought this");
            self.queue.send(&QueueName::Events, &messages).await?;
        }
        store::put_json(self.store, &keys::polled(repository), &state).await?;
        Ok(messages.len())
    }
}

/// The references that are followed in each repository.
fn followed(active: &BundleConfiguration) -> BTreeMap<RepositoryId, Vec<Reference>> {
    let mut followed: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for follows in active.configuration.followed_refs() {
        followed.entry(follows.repository).or_default().push(follows.reference);
    }
    followed
}

fn period(active: &BundleConfiguration, repository: &RepositoryId) -> Duration {
    let host = active.configuration.hosts.get(&repository.host);
    let seconds = host.and_then(|host| host.poll_seconds);
    seconds.map_or(PERIOD, |seconds| Duration::from_secs(seconds.max(1).into()))
}
