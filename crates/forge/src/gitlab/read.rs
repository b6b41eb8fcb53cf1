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

use super::wire::{MergeRequest, Note, User};
use super::{Gitlab, list, merge_requests_of, path};
use crate::candidates::{AT_ONCE, Candidate, Candidates, MAX_COMMITS, distinct};
use crate::client::Call;
use crate::client::failure::Failure;
use crate::host::Token;
use approvals::{Approvals, Said, Version};

/// The most pages of open merge requests that are looked through.
const MAX_OPEN_PAGES: usize = 10;

/// The most pages of one merge request's notes, versions and commits.
const MAX_PAGES: usize = 50;

/// The most pages of a project's pushes, newest first.
const MAX_PUSH_PAGES: usize = 3;

#[derive(Debug, Deserialize)]
struct Commit {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Push {
    author: Option<User>,
    push_data: Option<PushData>,
}

#[derive(Debug, Deserialize)]
struct PushData {
    #[serde(rename = "ref")]
    reference: Option<String>,
    commit_to: Option<String>,
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
        let pull_requests = stream::iter(complete).buffered(AT_ONCE).try_collect().await?;
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

    /// A merge request with its approvals, each bound to the head that it had then, and with its pushers.
    async fn with_people(
        &self,
        token: &Token,
        repository: &RepositoryId,
        mut pull: PullRequest,
        request: MergeRequest,
    ) -> Result<PullRequest, Failure> {
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
        let brought = commits.into_iter().map(|commit| commit.id);
        let brought: BTreeSet<_> =
            brought.chain(versions.iter().map(|version| version.head_commit_sha.clone())).collect();
        let said = Said { approvals, reviewers, versions, notes, opened: request.created_at };
        pull.reviews = said.reviews(&pull.head);
        if !pull.fork {
            let list = list(repository, &["events"]).with("action", "pushed");
            let pushes = self.client.list::<Push>(token, &list, MAX_PUSH_PAGES).await?.items;
            let to_it = pushes.into_iter().filter(|push| {
                push.push_data.as_ref().is_some_and(|data| {
                    data.reference.as_deref() == Some(request.source_branch.as_str())
                        && data.commit_to.as_ref().is_some_and(|commit| brought.contains(commit))
                })
            });
            pull.pushers = distinct(to_it.map(|push| User::identity(push.author)));
        }
        Ok(pull)
    }
}
