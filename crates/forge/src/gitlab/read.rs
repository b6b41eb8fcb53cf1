//! What people said on GitLab: merge requests, approvals, requests for changes, and who pushed.

mod approvals;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::names::{CommitId, Reference, RepositoryId};
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{Evidence, ForgeRead, OpenPullRequest};
use countersign_core::ports::secrets::Secrets;
use countersign_core::review::{PullRequest, Status};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use super::pushes::{self, Pushes};
use super::wire::{MergeRequest, Note};
use super::{Gitlab, list, merge_requests_of, path};
use crate::candidates::{AT_ONCE, Candidate, Candidates, MAX_COMMITS};
use crate::client::Call;
use crate::client::failure::Failure;
use crate::host::Token;
use crate::pushes::{MAX_QUESTIONS, Trail};
use approvals::{Approvals, Said, Version};

/// The most pages of open merge requests that are looked through.
const MAX_OPEN_PAGES: usize = 10;

/// The most pages of one merge request's notes, versions and commits.
const MAX_PAGES: usize = 50;

#[derive(Debug, Deserialize)]
struct Commit {
    id: CommitId,
}

/// What tells who pushed to a merge request.
struct Pushed {
    branch: String,
    /// The commit that its latest version is compared with.
    base: Option<CommitId>,
    trail: Trail,
}

impl<S: Secrets + Send + Sync> ForgeRead for Gitlab<S> {
    async fn open_pull_requests(
        &self,
        repository: &RepositoryId,
    ) -> Result<Option<Vec<OpenPullRequest>>, PortError> {
        let token = self.token().await?;
        let call = list(repository, &["merge_requests"]).with("state", "opened");
        let call = call.with("order_by", "updated_at").with("sort", "desc");
        let open = self.client.list::<MergeRequest>(&token, &call, MAX_OPEN_PAGES).await?;
        Ok(Some(open.items.into_iter().filter_map(MergeRequest::open).collect()))
    }

    async fn statuses(
        &self,
        repository: &RepositoryId,
        commit: &CommitId,
        contexts: &BTreeSet<String>,
    ) -> Result<Vec<Status>, PortError> {
        Ok(self.statuses_of(repository, commit, contexts).await?)
    }

    async fn evidence(
        &self,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Evidence, PortError> {
        let token = self.token().await?;
        let found = self.taking_part(&token, repository, base, commits).await?;
        let complete: Vec<_> = found
            .into_iter()
            .map(|(pull, request)| self.with_people(&token, repository, pull, request))
            .collect();
        let complete: Vec<_> = stream::iter(complete).buffered(AT_ONCE).try_collect().await?;
        let mut events = pushes::events(&self.client, &token, repository);
        let mut pull_requests = Vec::new();
        for (mut pull, Pushed { branch, base, trail }) in complete {
            // Who pushed to a fork, which counts nowhere, is not asked for.
            if !pull.fork {
                let (client, token, events) = (&self.client, &token, &mut events);
                let mut told = Pushes { client, token, repository, branch, base, events };
                pull.pushers = trail.pushers(&pull.head, &mut told, client.now()).await?;
            }
            pull_requests.push(pull);
        }
        Ok(Evidence { pull_requests, statements: Vec::new() })
    }
}

impl<S: Secrets + Send + Sync> Gitlab<S> {
    /// The merge requests that could have led to one of `commits`.
    async fn taking_part(
        &self,
        token: &Token,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> Result<Vec<(PullRequest, MergeRequest)>, Failure> {
        let Some(branch) = base.branch() else { return Ok(Vec::new()) };
        let (mut candidates, mut requests) = (Candidates::default(), BTreeMap::new());
        let mut add = |candidates: &mut Candidates, found: Vec<MergeRequest>| {
            for request in found.into_iter().filter(|request| request.target_branch == branch) {
                let Some(pull) = request.evidence() else { continue };
                let became = request.became();
                requests.insert(pull.id.clone(), request);
                candidates.add([Candidate { pull, became }]);
            }
        };
        let listed = |state| {
            let call =
                list(repository, &["merge_requests"]).with("state", state).with("target_branch", branch);
            call.with("order_by", "updated_at").with("sort", "desc")
        };
        let recent = self.client.list(token, &listed("all"), 1).await?;
        add(&mut candidates, recent.items);
        if !recent.complete {
            let missing = candidates.unaccounted(commits).into_iter().take(MAX_COMMITS);
            let lookups: Vec<_> = missing.map(|commit| self.of_commit(token, repository, commit)).collect();
            let found: Vec<_> = stream::iter(lookups).buffered(AT_ONCE).try_collect().await?;
            add(&mut candidates, found.into_iter().flatten().collect());
            if !candidates.account_for(commits) {
                add(&mut candidates, self.client.list(token, &listed("opened"), MAX_OPEN_PAGES).await?.items);
            }
        }
        let kept = candidates.take_part(commits).into_iter();
        Ok(kept.filter_map(|pull| requests.remove(&pull.id).map(|request| (pull, request))).collect())
    }

    async fn of_commit(
        &self,
        token: &Token,
        repository: &RepositoryId,
        commit: &CommitId,
    ) -> Result<Vec<MergeRequest>, Failure> {
        match self.client.list(token, &merge_requests_of(repository, commit), 1).await {
            Ok(list) => Ok(list.items),
            Err(failure) if failure.is(404) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    /// A merge request with its approvals, each bound to the head that it had then, and what tells of its pushers.
    async fn with_people(
        &self,
        token: &Token,
        repository: &RepositoryId,
        mut pull: PullRequest,
        request: MergeRequest,
    ) -> Result<(PullRequest, Pushed), Failure> {
        let below = |what| ["merge_requests", pull.id.as_str(), what];
        let approvals = Call::get(&path(repository, &below("approvals")));
        let reviewers = list(repository, &below("reviewers"));
        let versions = list(repository, &below("versions"));
        let commits = list(repository, &below("commits"));
        let notes = list(repository, &below("notes")).with("sort", "asc").with("order_by", "created_at");
        let (approvals, reviewers, versions, commits, notes) = futures_util::future::try_join5(
            self.client.read::<Approvals>(token, &approvals),
            self.client.all(token, &reviewers, MAX_PAGES),
            self.client.all::<Version>(token, &versions, MAX_PAGES),
            self.client.all::<Commit>(token, &commits, MAX_PAGES),
            self.client.all::<Note>(token, &notes, MAX_PAGES),
        )
        .await?;
        let pushed = pushed(&request, &versions, commits);
        let said = Said { approvals, reviewers, versions, notes, opened: request.created_at };
        pull.reviews = said.reviews(&pull.head);
        Ok((pull, pushed))
    }
}

/// What tells who pushed to a merge request that brings these commits.
fn pushed(request: &MergeRequest, versions: &[Version], commits: Vec<Commit>) -> Pushed {
    let latest = versions.iter().max_by_key(|version| version.created_at);
    let base = latest.and_then(|version| version.base_commit_sha.clone());
    let heads = versions.iter().filter_map(|version| version.head_commit_sha.parse().ok());
    let trail = Trail {
        brought: commits.into_iter().map(|commit| commit.id).collect(),
        base: base.iter().cloned().collect(),
        beside: heads.collect(),
        arrived: latest.map(|version| version.created_at),
        questions: MAX_QUESTIONS,
    };
    Pushed { branch: request.source_branch.clone(), base, trail }
}
