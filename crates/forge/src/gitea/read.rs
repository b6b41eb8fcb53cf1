//! What people said on Gitea and Forgejo: pull requests, their reviews, and who pushed to them.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Evidence, ForgeRead, OpenPullRequest};
use countersign_core::ports::secrets::Secrets;
use countersign_core::review::{PullRequest, Review, ReviewVerdict, Status};
use countersign_core::time::Timestamp;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use super::pushes::{self, Pushes};
use super::wire::{Origin, Pull, User};
use super::{Gitea, PAGE, pull_of, pulls};
use crate::candidates::{AT_ONCE, Candidate, Candidates, MAX_COMMITS, distinct};
use crate::client::failure::Failure;
use crate::host::Token;
use crate::place::Place;
use crate::pushes::{MAX_QUESTIONS, Trail};

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
    created_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct WireCommit {
    sha: CommitId,
}

/// What tells who pushed to a pull request.
struct Pushed {
    branch: Option<String>,
    base: Option<CommitId>,
    trail: Trail,
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
        let found = self.taking_part(&token, &place, base, commits).await?;
        let complete: Vec<_> =
            found.into_iter().map(|(pull, origin)| self.with_people(&token, &place, pull, origin)).collect();
        let complete: Vec<_> = stream::iter(complete).buffered(AT_ONCE).try_collect().await?;
        let mut activities = pushes::activities(&self.client, &token, &place);
        let mut pull_requests = Vec::new();
        for (mut pull, Pushed { branch, base, trail }) in complete {
            // Who pushed to a fork, which counts nowhere, is not asked for.
            if let Some(branch) = branch.filter(|_| !pull.fork) {
                let (client, token, activities) = (&self.client, &token, &mut activities);
                let mut told = Pushes { client, token, place: &place, branch, base, activities };
                let pushers = trail.pushers(&pull.head, &mut told, client.now()).await?;
                pull.pushers = distinct(pull.pushers.into_iter().chain(pushers));
            }
            pull_requests.push(pull);
        }
        Ok(Evidence { pull_requests, statements: Vec::new() })
    }
}

impl<S: Secrets + Send + Sync> Gitea<S> {
    /// The pull requests that could have led to one of `commits`, each with where its commits come from.
    async fn taking_part(
        &self,
        token: &Token,
        place: &Place<'_>,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Vec<(PullRequest, Origin)>, Failure> {
        let Some(branch) = base.branch() else { return Ok(Vec::new()) };
        let (mut candidates, mut origins) = (Candidates::default(), BTreeMap::new());
        let mut add = |candidates: &mut Candidates, found: Vec<(Candidate, Origin)>| {
            for (candidate, origin) in found.into_iter().filter(|(candidate, _)| candidate.pull.base == *base)
            {
                origins.entry(candidate.pull.id.clone()).or_insert(origin);
                candidates.add([candidate]);
            }
        };
        let listed = |pulls: Vec<Pull>| pulls.into_iter().filter_map(candidate).collect();
        let recent = self.client.list(token, &pulls(place, "all").with("base_branch", branch), 1).await?;
        add(&mut candidates, listed(recent.items));
        if !recent.complete {
            let missing = candidates.unaccounted(commits).into_iter().take(MAX_COMMITS);
            let lookups: Vec<_> = missing.map(|commit| self.merged_as(token, place, commit)).collect();
            let merged: Vec<_> = stream::iter(lookups).buffered(AT_ONCE).try_collect().await?;
            add(&mut candidates, merged.into_iter().flatten().collect());
            if !candidates.account_for(commits) {
                let call = pulls(place, "open").with("base_branch", branch);
                let open = self.client.list(token, &call, MAX_OPEN_PAGES).await?;
                add(&mut candidates, listed(open.items));
            }
        }
        let kept = candidates.take_part(commits).into_iter();
        Ok(kept.filter_map(|pull| origins.remove(&pull.id).map(|origin| (pull, origin))).collect())
    }

    /// The pull request whose merging made `commit`. Asked for singly, its head is the tip of its branch, which
    /// may have moved on since: the forge's own reference of it is what was merged.
    async fn merged_as(
        &self,
        token: &Token,
        place: &Place<'_>,
        commit: &CommitId,
    ) -> Result<Option<(Candidate, Origin)>, Failure> {
        let Some(pull) = self.client.find::<Pull>(token, &pull_of(place, commit)).await? else {
            return Ok(None);
        };
        let number = pull.number.to_string();
        let call = place.call(&["git", "refs", "pull", &number, "head"]);
        let found = match self.client.find::<GitReferences>(token, &call).await? {
            Some(GitReferences::One(found)) => Some(found),
            Some(GitReferences::Many(found)) => found.into_iter().next(),
            None => None,
        };
        let (head, found) = (found.map(|found| found.object.sha), candidate(pull));
        Ok(found.zip(head).map(|((mut candidate, origin), head)| {
            candidate.pull.head = head;
            (candidate, origin)
        }))
    }

    /// A pull request with its reviews, with those who pushed to it while it was open, and with what tells of everyone
    /// else who did.
    async fn with_people(
        &self,
        token: &Token,
        place: &Place<'_>,
        mut pull: PullRequest,
        origin: Origin,
    ) -> Result<(PullRequest, Pushed), Failure> {
        let reviews = place.call(&["pulls", &pull.id, "reviews"]).with("limit", PAGE);
        let timeline = place.call(&["issues", &pull.id, "timeline"]).with("limit", PAGE);
        let (reviews, timeline, brought) = futures_util::future::try_join3(
            self.client.all::<WireReview>(token, &reviews, MAX_PAGES),
            self.client.all::<TimelineEntry>(token, &timeline, MAX_PAGES),
            self.brought(token, place, &pull.id),
        )
        .await?;
        pull.reviews = reviews.into_iter().filter_map(|found| review(found, &pull.head)).collect();
        pull.reviews.sort_by_key(|review| (review.submitted, review.id.parse::<u64>().ok()));
        let pushes: Vec<_> = timeline.into_iter().filter(|entry| entry.kind == "pull_push").collect();
        let trail = Trail {
            brought,
            base: origin.base.iter().cloned().collect(),
            arrived: pushes.iter().filter_map(|push| push.created_at).max().max(origin.opened),
            questions: MAX_QUESTIONS,
            ..Trail::default()
        };
        pull.pushers = distinct(pushes.into_iter().map(|entry| User::identity(entry.user)));
        Ok((pull, Pushed { branch: origin.branch, base: origin.base, trail }))
    }

    /// The commits that a pull request brings; none where its base is gone.
    async fn brought(
        &self,
        token: &Token,
        place: &Place<'_>,
        number: &str,
    ) -> Result<BTreeSet<CommitId>, Failure> {
        let call = place.call(&["pulls", number, "commits"]).with("limit", PAGE);
        let call = call.with("verification", false).with("files", false);
        match self.client.list::<WireCommit>(token, &call, MAX_PAGES).await {
            Ok(list) => Ok(list.items.into_iter().map(|commit| commit.sha).collect()),
            Err(failure) if failure.is(404) => Ok(BTreeSet::new()),
            Err(failure) => Err(failure),
        }
    }
}

/// A pull request that may take part, with where its commits come from; none where it has no head.
fn candidate(pull: Pull) -> Option<(Candidate, Origin)> {
    let (became, origin) = (pull.became(), pull.origin());
    Some((Candidate { became, pull: pull.evidence()? }, origin))
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
