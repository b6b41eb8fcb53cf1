//! What people said on Gitea and Forgejo: pull requests, their reviews, and who pushed to them.

use std::collections::BTreeSet;

use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Evidence, ForgeRead, OpenPullRequest};
use countersign_core::ports::secrets::Secrets;
use countersign_core::review::{PullRequest, Review, ReviewVerdict, Status};
use countersign_core::time::Timestamp;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use super::wire::{Pull, User};
use super::{Gitea, PAGE, pull_of, pulls};
use crate::candidates::{AT_ONCE, Candidate, Candidates, MAX_COMMITS, distinct};
use crate::client::failure::Failure;
use crate::host::Token;
use crate::place::Place;

/// The most pages of open pull requests that are looked through.
const MAX_OPEN_PAGES: usize = 20;

/// The most pages of one pull request's reviews and events.
const MAX_PAGES: usize = 100;

#[derive(Debug, Deserialize)]
struct WireReview {
    id: u64,
    user: Option<User>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    commit_id: String,
    submitted_at: Timestamp,
    #[serde(default)]
    dismissed: bool,
    official: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct TimelineEntry {
    #[serde(rename = "type", default)]
    kind: String,
    user: Option<User>,
}

/// A reference that was asked for exactly comes by itself, or in a list of all that begin so.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum GitReferences {
    One(GitReference),
    Many(Vec<GitReference>),
}

#[derive(Debug, Deserialize)]
struct GitReference {
    object: GitObject,
}

#[derive(Debug, Deserialize)]
struct GitObject {
    sha: CommitId,
}

impl<S: Secrets + Send + Sync> ForgeRead for Gitea<S> {
    async fn open_pull_requests(
        &self,
        repository: &RepositoryId,
    ) -> Result<Option<Vec<OpenPullRequest>>, PortError> {
        let place = Place::of(repository)?;
        let token = self.token().await?;
        let open = self.client.list::<Pull>(&token, &pulls(&place, "open"), MAX_OPEN_PAGES).await?;
        Ok(Some(open.items.into_iter().filter_map(Pull::open).collect()))
    }

    async fn statuses(
        &self,
        repository: &RepositoryId,
        commit: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, PortError> {
        let place = Place::of(repository)?;
        Ok(self.statuses_of(&place, commit, contexts).await?)
    }

    async fn evidence(
        &self,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, PortError> {
        let place = Place::of(repository)?;
        let token = self.token().await?;
        let pulls = self.taking_part(&token, &place, base, commits).await?;
        let complete: Vec<_> = pulls.into_iter().map(|pull| self.with_people(&token, &place, pull)).collect();
        let pull_requests = stream::iter(complete).buffered(AT_ONCE).try_collect().await?;
        Ok(Evidence { pull_requests, statements: Vec::new() })
    }
}

impl<S: Secrets + Send + Sync> Gitea<S> {
    /// The pull requests that could have led to one of `commits`.
    async fn taking_part(
        &self,
        token: &Token,
        place: &Place<'_>,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Vec<PullRequest>, Failure> {
        let mut candidates = Candidates::default();
        let Some(branch) = base.branch() else { return Ok(Vec::new()) };
        let listed = |pulls: Vec<Pull>| {
            let on_base = pulls.into_iter().filter(|pull| pull.base().as_ref() == Some(base));
            on_base.filter_map(|pull| Some(Candidate { became: pull.became(), pull: pull.evidence()? }))
        };
        let recent = self.client.list(token, &pulls(place, "all").with("base_branch", branch), 1).await?;
        candidates.add(listed(recent.items));
        if recent.complete {
            return Ok(candidates.take_part(commits));
        }
        let missing = candidates.unaccounted(commits).into_iter().take(MAX_COMMITS);
        let lookups: Vec<_> = missing.map(|commit| self.merged_as(token, place, commit)).collect();
        let merged: Vec<_> = stream::iter(lookups).buffered(AT_ONCE).try_collect().await?;
        candidates.add(merged.into_iter().flatten().filter(|candidate| candidate.pull.base == *base));
        if !candidates.account_for(commits) {
            let call = pulls(place, "open").with("base_branch", branch);
            let open = self.client.list(token, &call, MAX_OPEN_PAGES).await?;
            candidates.add(listed(open.items));
        }
        Ok(candidates.take_part(commits))
    }

    /// The pull request whose merging made `commit`. Asked for singly, its head is the tip of its branch, which
    /// may have moved on since: the forge's own reference of it is what was merged.
    async fn merged_as(
        &self,
        token: &Token,
        place: &Place<'_>,
        commit: &CommitId,
    ) -> Result<Option<Candidate>, Failure> {
        let Some(pull) = self.client.find::<Pull>(token, &pull_of(place, commit)).await? else {
            return Ok(None);
        };
        let (number, became) = (pull.number.to_string(), pull.became());
        let call = place.call(&["git", "refs", "pull", &number, "head"]);
        let found = match self.client.find::<GitReferences>(token, &call).await? {
            Some(GitReferences::One(found)) => Some(found),
            Some(GitReferences::Many(found)) => found.into_iter().next(),
            None => None,
        };
        let head = found.map(|found| found.object.sha);
        let evidence = pull.evidence().zip(head).map(|(evidence, head)| PullRequest { head, ..evidence });
        Ok(evidence.map(|pull| Candidate { pull, became }))
    }

    /// A pull request with its reviews, and with those who pushed to it while it was open.
    async fn with_people(
        &self,
        token: &Token,
        place: &Place<'_>,
        mut pull: PullRequest,
    ) -> Result<PullRequest, Failure> {
        let reviews = place.call(&["pulls", &pull.id, "reviews"]).with("limit", PAGE);
        let timeline = place.call(&["issues", &pull.id, "timeline"]).with("limit", PAGE);
        let (reviews, timeline) = futures_util::future::try_join(
            self.client.all::<WireReview>(token, &reviews, MAX_PAGES),
            self.client.all::<TimelineEntry>(token, &timeline, MAX_PAGES),
        )
        .await?;
        pull.reviews = reviews.into_iter().filter_map(|found| review(found, &pull.head)).collect();
        pull.reviews.sort_by_key(|review| (review.submitted, review.id.parse::<u64>().ok()));
        let pushes = timeline.into_iter().filter(|entry| entry.kind == "pull_push");
        pull.pushers = distinct(pushes.map(|entry| User::identity(entry.user)));
        Ok(pull)
    }
}

/// A review as evidence; none where it says nothing yet. A request for changes that is bound to no commit is
/// taken as one about the head; an approval that is bound to none counts nowhere.
fn review(found: WireReview, head: &CommitId) -> Option<Review> {
    let verdict = match found.state.as_str() {
        "APPROVED" => ReviewVerdict::Approved,
        "REQUEST_CHANGES" => ReviewVerdict::ChangesRequested,
        "COMMENT" => ReviewVerdict::Commented,
        _ => return None,
    };
    let bound = found.commit_id.parse().ok();
    let commit = bound.or_else(|| (verdict == ReviewVerdict::ChangesRequested).then(|| head.clone()))?;
    Some(Review {
        id: found.id.to_string(),
        reviewer: User::identity(found.user),
        verdict,
        commit,
        submitted: found.submitted_at,
        dismissed: found.dismissed,
        official: found.official,
        signed: false,
    })
}
