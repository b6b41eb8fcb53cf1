//! What differs from what was seen, as events.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::digest::Digest;
use countersign_core::event::{EventKind, PullRequestAction};
use countersign_core::keys;
use countersign_core::names::{CommitId, FollowedRef, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{ForgeRead, OpenPullRequest};
use countersign_core::ports::queue::{Outgoing, Queue};
use countersign_core::ports::store::{self, Store};
use countersign_core::review::Status;
use countersign_core::statement::STATEMENTS;
use countersign_core::target::SeenTip;
use countersign_core::time::Timestamp;

use crate::ask::Tips;
use crate::state::Repository;
use crate::{Poller, message};

/// What is asked about of a repository.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The repository.
    pub repository: &'a RepositoryId,
    /// The references that are followed there.
    pub follows: &'a [Reference],
    /// What programs are asked to say of the head of a pull request.
    pub contexts: &'a BTreeSet<String>,
}

impl<S: Store, Q: Queue, F: ForgeRead> Poller<'_, S, Q, F> {
    /// Followed references that lead elsewhere than `gather` last saw.
    pub(crate) async fn moved(
        &self,
        asked: Asked<'_>,
        tips: &Tips,
        state: &mut Repository,
        now: Timestamp,
    ) -> Result<Vec<Outgoing>, PortError> {
        let mut hints = Vec::new();
        let Asked { repository, follows, contexts } = asked;
        for reference in follows {
            let tip = tips.get(reference.as_str()).and_then(|tip| tip.parse::<CommitId>().ok());
            let follows = FollowedRef { repository: repository.clone(), reference: reference.clone() };
            let seen: Option<SeenTip> = store::get_json(self.store, &keys::seen_tip(&follows)).await?;
            // A deleted branch removes nothing: there is nothing to look at.
            let before = seen.as_ref().map(|seen| seen.tip.clone());
            let Some(after) = tip.filter(|tip| before.as_ref() != Some(tip)) else {
                state.hinted.remove(reference);
                if let Some(seen) = seen {
                    hints.extend(self.said_late(&follows, contexts, &seen, state, now).await?);
                }
                continue;
            };
            if state.hint(reference, &after, now) {
                state.sent += 1;
                let id = format!("poll/{repository}/{reference}/{after}/{}", state.sent);
                // As its webhook would have told: where that one came after all, it says nothing new.
                let kind = EventKind::Pushed { reference: reference.clone(), before, after, forced: false };
                hints.push(message(id, now, repository.clone(), kind)?);
            }
        }
        Ok(hints)
    }

    /// Where a target waits: whether something was said of a pull request after it had ended, as an approval of what was
    /// merged without one.
    async fn said_late(
        &self,
        follows: &FollowedRef,
        contexts: &BTreeSet<String>,
        seen: &SeenTip,
        state: &mut Repository,
        now: Timestamp,
    ) -> Result<Option<Outgoing>, PortError> {
        let FollowedRef { repository, reference } = follows;
        let waits = !seen.ended.is_empty()
            && !self.store.list(&keys::unsettled_prefix(follows), None, 1).await?.is_empty();
        if !waits {
            state.ended.remove(reference);
            return Ok(None);
        }
        let mut news = match self.told_late(follows, contexts, seen).await {
            Ok(news) => news,
            Err(error) => {
                tracing::warn!(%repository, %error, "its merged pull requests cannot be read now");
                return Ok(None);
            }
        };
        news.sort_unstable();
        let digest = Digest::of_parts(&news.iter().map(String::as_str).collect::<Vec<_>>());
        if news.is_empty() || state.ended.insert(reference.clone(), digest) == Some(digest) {
            return Ok(None);
        }
        ref_due(repository, reference, &format!("ended/{}", digest.hex()), state, now).map(Some)
    }

    /// What is told by now of pull requests that ended, where that is not what was seen.
    async fn told_late(
        &self,
        follows: &FollowedRef,
        contexts: &BTreeSet<String>,
        seen: &SeenTip,
    ) -> Result<Vec<String>, PortError> {
        let FollowedRef { repository, reference } = follows;
        let heads: BTreeSet<_> = seen.ended.values().map(|ended| ended.head.clone()).collect();
        let heads: Vec<_> = heads.into_iter().collect();
        let mut news = Vec::new();
        for request in self.forge.evidence(repository, reference, &heads).await?.pull_requests {
            let Some(ended) = seen.ended.get(&request.id) else { continue };
            let told = request.fingerprint(&self.statuses(repository, &request.head, contexts).await?);
            news.extend((ended.told != told).then(|| told.hex()));
        }
        Ok(news)
    }

    /// Where statements came or went, whatever is followed is looked at again: they approve and take back.
    pub(crate) fn stated(
        &self,
        repository: &RepositoryId,
        follows: &[Reference],
        tips: &Tips,
        state: &mut Repository,
        now: Timestamp,
    ) -> Result<Vec<Outgoing>, PortError> {
        let names: Vec<_> =
            tips.keys().map(String::as_str).filter(|name| name.starts_with(STATEMENTS)).collect();
        let digest = Digest::of_parts(&names);
        let before = state.statements.replace(digest);
        if before.map_or(names.is_empty(), |before| before == digest) {
            return Ok(Vec::new());
        }
        follows.iter().map(|reference| ref_due(repository, reference, &digest.hex(), state, now)).collect()
    }

    /// Open pull requests that changed. Each is previewed, and its branch looked at: what it holds may have waited for
    /// what was said there, as after a push, or a way back, that is approved only then.
    pub(crate) async fn proposed(
        &self,
        asked: Asked<'_>,
        state: &mut Repository,
        now: Timestamp,
    ) -> Result<Vec<Outgoing>, PortError> {
        let Asked { repository, follows, .. } = asked;
        let open = match self.forge.open_pull_requests(repository).await {
            Ok(Some(open)) => open,
            Ok(None) => return Ok(Vec::new()),
            Err(error) => {
                tracing::warn!(%repository, %error, "its pull requests cannot be read now");
                return Ok(Vec::new());
            }
        };
        let mut known = std::mem::take(&mut state.pull_requests);
        let (mut hints, mut bases) = (Vec::new(), BTreeMap::new());
        for one in open.into_iter().filter(|one| follows.contains(&one.base)) {
            let before = known.remove(&one.id);
            match self.news(asked, &one, before.as_deref()).await {
                Ok((version, is_new)) => {
                    state.pull_requests.insert(one.id.clone(), version);
                    if !is_new {
                        continue;
                    }
                }
                Err(error) => {
                    tracing::warn!(%repository, %error, "its pull request cannot be read now");
                    state.pull_requests.extend(before.map(|version| (one.id, version)));
                    continue;
                }
            }
            state.sent += 1;
            bases.insert(one.base.clone(), one.id.clone());
            let id = format!("poll/{repository}/pull-request/{}/{}", one.id, state.sent);
            let kind = EventKind::PullRequest {
                action: PullRequestAction::Synchronized,
                pull_request: one.id,
                base: one.base,
                head: one.head,
                fork: one.fork,
            };
            hints.push(message(id, now, repository.clone(), kind)?);
        }
        for (base, id) in bases {
            hints.push(ref_due(repository, &base, &format!("pull-request/{id}"), state, now)?);
        }
        Ok(hints)
    }

    /// The version of a pull request, with what programs said of its head, and whether it tells anything that no webhook
    /// told.
    async fn news(
        &self,
        asked: Asked<'_>,
        one: &OpenPullRequest,
        before: Option<&str>,
    ) -> Result<(String, bool), PortError> {
        let statuses = self.statuses(asked.repository, &one.head, asked.contexts).await?;
        let mut said: Vec<_> = statuses
            .iter()
            .map(|status| format!("{} {} {}", status.context, status.id, status.said))
            .collect();
        said.sort_unstable();
        let version = std::iter::once(one.version.clone()).chain(said).collect::<Vec<_>>().join("\n");
        let is_new =
            before != Some(version.as_str()) && !self.was_previewed(asked.repository, one, &statuses).await?;
        Ok((version, is_new))
    }

    async fn statuses(
        &self,
        repository: &RepositoryId,
        head: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, PortError> {
        if contexts.is_empty() {
            return Ok(Vec::new());
        }
        self.forge.statuses(repository, head, contexts).await
    }

    /// Whether a webhook told of all that is told of a pull request now. Most versions that nobody heard of are our
    /// own comment's.
    async fn was_previewed(
        &self,
        repository: &RepositoryId,
        one: &OpenPullRequest,
        statuses: &[Status],
    ) -> Result<bool, PortError> {
        let key = keys::previewed(repository, &one.id);
        let Some(previewed) = store::get_json::<Digest>(self.store, &key).await? else { return Ok(false) };
        let evidence = self.forge.evidence(repository, &one.base, std::slice::from_ref(&one.head)).await?;
        let told = evidence.pull_requests.iter().find(|request| request.id == one.id);
        Ok(told.is_some_and(|request| request.fingerprint(statuses) == previewed))
    }
}

fn ref_due(
    repository: &RepositoryId,
    reference: &Reference,
    what: &str,
    state: &mut Repository,
    now: Timestamp,
) -> Result<Outgoing, PortError> {
    state.sent += 1;
    let id = format!("poll/{repository}/{reference}/{what}/{}", state.sent);
    let kind = EventKind::RefDue { reference: reference.clone(), every_target: false };
    message(id, now, repository.clone(), kind)
}
