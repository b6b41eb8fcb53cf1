//! What people said on GitHub: pull requests, their reviews, who pushed to them, and who is behind their commits.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Evidence, ForgeRead, GitCredential, OpenPullRequest};
use countersign_core::ports::secrets::Secrets;
use countersign_core::review::{Identity, PullRequest, Review, ReviewVerdict, Status};
use countersign_core::time::Timestamp;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use super::pushes::Activities;
use super::wire::{Pull, User};
use super::{Github, PAGE, pulls_of};
use crate::candidates::{AT_ONCE, Candidate, Candidates, MAX_COMMITS, distinct};
use crate::client::failure::Failure;
use crate::host::Token;
use crate::place::Place;
use crate::pushes::Trail;

/// The most pages of open pull requests that are looked through.
const MAX_OPEN_PAGES: usize = 10;

/// The most pages of one pull request's reviews and events.
const MAX_PAGES: usize = 50;

/// The pages of one pull request's commits: GitHub tells of 250.
const COMMIT_PAGES: usize = 3;

/// The most commits of one pull request that GitHub tells of.
const MAX_BROUGHT: usize = 250;

#[derive(Debug, Deserialize)]
struct WireReview {
    id: u64,
    user: Option<User>,
    state: String,
    commit_id: Option<String>,
    submitted_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct WireCommit {
    sha: CommitId,
    commit: GitCommit,
    author: Option<User>,
    committer: Option<User>,
}

#[derive(Debug, Deserialize)]
struct GitCommit {
    committer: Option<Committed>,
}

#[derive(Debug, Deserialize)]
struct Committed {
    date: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct TimelineEntry {
    dismissed_review: Option<Dismissed>,
}

#[derive(Debug, Deserialize)]
struct Dismissed {
    review_id: u64,
    state: String,
}

impl<S: Secrets + Send + Sync> ForgeRead for Github<S> {
    /// What opens the host's repositories to Git: the App's token for its installation, or the configured one.
    async fn git_credential(&self, _: &RepositoryId) -> Result<Option<GitCredential>, PortError> {
        let secret = self.token().await?.value().to_owned();
        Ok(Some(GitCredential::Token { user: "x-access-token".to_owned(), secret }))
    }

    fn git_denied(&self, _: &RepositoryId) {
        self.end_session();
    }

    async fn open_pull_requests(
        &self,
        repository: &RepositoryId,
    ) -> Result<Option<Vec<OpenPullRequest>>, PortError> {
        let place = Place::of(repository)?;
        let open = match self.open(&place).await {
            Err(failure) if self.forget_session(&failure) => self.open(&place).await?,
            other => other?,
        };
        Ok(Some(open))
    }

    async fn statuses(
        &self,
        repository: &RepositoryId,
        commit: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, PortError> {
        let place = Place::of(repository)?;
        Ok(match self.statuses_of(&place, commit, contexts).await {
            Err(failure) if self.forget_session(&failure) => {
                self.statuses_of(&place, commit, contexts).await?
            }
            other => other?,
        })
    }

    async fn evidence(
        &self,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, PortError> {
        let place = Place::of(repository)?;
        let pull_requests = match self.spoken(&place, base, commits).await {
            Err(failure) if self.forget_session(&failure) => self.spoken(&place, base, commits).await?,
            other => other?,
        };
        Ok(Evidence { pull_requests, statements: Vec::new() })
    }
}

impl<S: Secrets + Send + Sync> Github<S> {
    /// Open pull requests, those first that changed last.
    async fn open(&self, place: &Place<'_>) -> Result<Vec<OpenPullRequest>, Failure> {
        let token = self.token().await?;
        let call = place.call(&["pulls"]).with("state", "open").with("sort", "updated");
        let call = call.with("direction", "desc").with("per_page", PAGE);
        let open = self.client.list::<Pull>(&token, &call, MAX_OPEN_PAGES).await?;
        Ok(open.items.into_iter().filter_map(Pull::open).collect())
    }

    async fn spoken(
        &self,
        place: &Place<'_>,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Vec<PullRequest>, Failure> {
        let token = self.token().await?;
        let found = self.taking_part(&token, place, base, commits).await?;
        let complete: Vec<_> =
            found.into_iter().map(|(pull, branch)| self.with_people(&token, place, pull, branch)).collect();
        stream::iter(complete).buffered(AT_ONCE).try_collect().await
    }

    /// The pull requests that could have led to one of `commits`, each with the branch of its head.
    async fn taking_part(
        &self,
        token: &Token,
        place: &Place<'_>,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Vec<(PullRequest, String)>, Failure> {
        let Some(branch) = base.branch() else { return Ok(Vec::new()) };
        let (mut candidates, mut branches) = (Candidates::default(), BTreeMap::new());
        let mut add = |candidates: &mut Candidates, pulls: Vec<Pull>| {
            for pull in pulls.into_iter().filter(|pull| pull.base().as_ref() == Some(base)) {
                let (became, branch) = (pull.became(), pull.head.reference.clone());
                let Some(pull) = pull.evidence() else { continue };
                branches.insert(pull.id.clone(), branch);
                candidates.add([Candidate { pull, became }]);
            }
        };
        let list = |state| {
            let call = place.call(&["pulls"]).with("state", state).with("base", branch);
            call.with("sort", "updated").with("direction", "desc").with("per_page", PAGE)
        };
        let recent = self.client.list(token, &list("all"), 1).await?;
        add(&mut candidates, recent.items);
        if !recent.complete {
            let missing = candidates.unaccounted(commits).into_iter().take(MAX_COMMITS);
            let lookups: Vec<_> = missing.map(|commit| self.of_commit(token, place, commit)).collect();
            let found: Vec<_> = stream::iter(lookups).buffered(AT_ONCE).try_collect().await?;
            add(&mut candidates, found.into_iter().flatten().collect());
            if !candidates.account_for(commits) {
                add(&mut candidates, self.client.list(token, &list("open"), MAX_OPEN_PAGES).await?.items);
            }
        }
        let with_branch = |pull: PullRequest| {
            let branch = branches.remove(&pull.id).unwrap_or_default();
            (pull, branch)
        };
        Ok(candidates.take_part(commits).into_iter().map(with_branch).collect())
    }

    /// The pull requests that brought a commit; none where GitHub does not know it.
    async fn of_commit(
        &self,
        token: &Token,
        place: &Place<'_>,
        commit: &CommitId,
    ) -> Result<Vec<Pull>, Failure> {
        match self.client.list(token, &pulls_of(place, commit), 1).await {
            Ok(list) => Ok(list.items),
            Err(failure) if failure.is(404) || failure.is(409) || failure.is(422) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    /// A pull request with its reviews and everyone who took part in its commits.
    async fn with_people(
        &self,
        token: &Token,
        place: &Place<'_>,
        mut pull: PullRequest,
        branch: String,
    ) -> Result<PullRequest, Failure> {
        let reviews = place.call(&["pulls", &pull.id, "reviews"]).with("per_page", PAGE);
        let commits = place.call(&["pulls", &pull.id, "commits"]).with("per_page", PAGE);
        let (reviews, commits) = futures_util::future::try_join(
            self.client.all::<WireReview>(token, &reviews, MAX_PAGES),
            self.client.all::<WireCommit>(token, &commits, COMMIT_PAGES),
        )
        .await?;
        let dismissed = if reviews.iter().any(|review| review.state == "DISMISSED") {
            self.dismissed(token, place, &pull.id).await?
        } else {
            BTreeMap::new()
        };
        pull.reviews = reviews.into_iter().filter_map(|one| review(one, &pull.head, &dismissed)).collect();
        pull.reviews.sort_by_key(|review| (review.submitted, review.id.parse::<u64>().ok()));
        // Who pushed to a fork, which counts nowhere, is not asked for.
        if !pull.fork {
            pull.pushers = self.pushers(token, place, &pull.head, &branch, &commits).await?;
        }
        let people = commits.into_iter().flat_map(|commit| [commit.author, commit.committer]);
        pull.contributors = distinct(people.map(User::identity).filter(is_known));
        Ok(pull)
    }

    /// Everyone who pushed what a pull request brings.
    async fn pushers(
        &self,
        token: &Token,
        place: &Place<'_>,
        head: &CommitId,
        branch: &str,
        commits: &[WireCommit],
    ) -> Result<Vec<Identity>, Failure> {
        let whole = commits.len() < MAX_BROUGHT;
        let mut told = Activities::of(&self.client, token, place, branch, whole);
        let last = commits.iter().find(|commit| commit.sha == *head);
        let trail = Trail {
            brought: commits.iter().map(|commit| commit.sha.clone()).collect(),
            arrived: last.and_then(|commit| commit.commit.committer.as_ref()?.date),
            ..Trail::default()
        };
        trail.pushers(head, &mut told, self.client.now()).await
    }

    /// What dismissed reviews said before they were dismissed.
    async fn dismissed(
        &self,
        token: &Token,
        place: &Place<'_>,
        number: &str,
    ) -> Result<BTreeMap<u64, ReviewVerdict>, Failure> {
        let call = place.call(&["issues", number, "timeline"]).with("per_page", PAGE);
        let entries = self.client.all::<TimelineEntry>(token, &call, MAX_PAGES).await?;
        let dismissed = entries.into_iter().filter_map(|entry| entry.dismissed_review);
        Ok(dismissed.filter_map(|one| Some((one.review_id, verdict(&one.state)?))).collect())
    }
}

fn is_known(identity: &Identity) -> bool {
    identity.account.is_some()
}

/// What a state says, as reviews write it in capitals and the timeline in small letters.
fn verdict(state: &str) -> Option<ReviewVerdict> {
    match state.to_ascii_lowercase().as_str() {
        "approved" => Some(ReviewVerdict::Approved),
        "changes_requested" => Some(ReviewVerdict::ChangesRequested),
        "commented" => Some(ReviewVerdict::Commented),
        _ => None,
    }
}

/// A review as evidence; none where it is not submitted. A request for changes that is bound to no commit is
/// taken as one about the head; an approval that is bound to none counts nowhere.
fn review(found: WireReview, head: &CommitId, dismissed: &BTreeMap<u64, ReviewVerdict>) -> Option<Review> {
    let is_dismissed = found.state == "DISMISSED";
    let said = dismissed.get(&found.id).copied().unwrap_or(ReviewVerdict::Approved);
    let verdict = if is_dismissed { said } else { verdict(&found.state)? };
    let bound = found.commit_id.and_then(|commit| commit.parse().ok());
    let commit = bound.or_else(|| (verdict == ReviewVerdict::ChangesRequested).then(|| head.clone()))?;
    Some(Review {
        id: found.id.to_string(),
        reviewer: User::identity(found.user),
        verdict,
        commit,
        submitted: found.submitted_at?,
        dismissed: is_dismissed,
        official: None,
        signed: false,
    })
}
