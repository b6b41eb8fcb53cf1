//! How people are told on GitLab: a commit status for each environment, and a note on each merge request of the
//! commit.

use countersign_core::names::RepositoryId;
use countersign_core::ports::PortError;
use countersign_core::ports::forge::{ForgeReport, Report};
use countersign_core::ports::secrets::Secrets;
use countersign_core::report::Standing;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::wire::{MergeRequest, Note, User};
use super::{Gitlab, list, merge_requests_of, path};
use crate::client::Call;
use crate::client::failure::Failure;
use crate::comment::{Comment, Section, Thread};
use crate::host::Token;
use crate::told::Told;

/// The most pages of a merge request's notes.
const MAX_NOTE_PAGES: usize = 50;

/// The most bytes of a note; GitLab takes 1,000,000 characters.
const MAX_NOTE: usize = 250_000;

/// The most characters of a status's description.
const MAX_DESCRIPTION: usize = 255;

#[derive(Debug, Deserialize)]
struct Status {
    id: u64,
    name: String,
    status: String,
    description: Option<String>,
}

impl<S: Secrets + Send + Sync> ForgeReport for Gitlab<S> {
    async fn report(&self, report: &Report) -> Result<(), PortError> {
        let repository = &report.repository;
        let token = self.token().await?;
        let told = Told::of(report);
        let requests = self.told_requests(&token, repository, &told).await?;
        let proposing = requests.iter().filter(|request| request.head().as_ref() == Some(&report.commit));
        let told = told.in_light_of(proposing.map(MergeRequest::is_open));
        let section = Section { text: without_actions(&told.section.text), ..told.section.clone() };
        self.set_status(&token, report, &told).await?;
        let me: User = self.client.read(&token, &Call::get(&["user"])).await?;
        for number in requests.iter().map(|request| request.iid) {
            let key = format!("{repository} merge request {number}");
            let number = number.to_string();
            let thread = Notes { gitlab: self, token: &token, repository, number: &number, me: me.id };
            self.writer.show(&key, &thread, &section).await?;
        }
        Ok(())
    }
}

impl<S: Secrets + Send + Sync> Gitlab<S> {
    /// Sets the status of this environment, unless it stands there already. GitLab refuses to set one that
    /// waits to waiting again, even for another description.
    async fn set_status(&self, token: &Token, report: &Report, told: &Told) -> Result<(), Failure> {
        let state = state(told.standing);
        let description = told.description(MAX_DESCRIPTION);
        let commit = report.commit.as_str();
        let known = list(&report.repository, &["repository", "commits", commit, "statuses"]);
        let known: Vec<Status> = self.client.read(token, &known.with("name", &told.context)).await?;
        let latest = known.into_iter().filter(|one| one.name == told.context).max_by_key(|one| one.id);
        let stands = latest.is_some_and(|status| {
            status.status == state
                && (state == "pending" || status.description.as_deref() == Some(description.as_str()))
        });
        if stands {
            return Ok(());
        }
        let body = json!({ "name": told.context, "state": state, "description": description });
        let path = path(&report.repository, &["statuses", commit]);
        self.client.run(token, &Call::send(Method::POST, &path, body)).await
    }

    /// The merge requests that this commit is the head of, that became it, or whose head its decision used.
    async fn told_requests(
        &self,
        token: &Token,
        repository: &RepositoryId,
        told: &Told,
    ) -> Result<Vec<MergeRequest>, Failure> {
        let concerned = |request: &MergeRequest| {
            told.concerns(request.base().as_ref(), request.head().as_ref(), request.became().as_ref())
        };
        let mut requests = Vec::new();
        for commit in &told.commits {
            let found: Option<Vec<MergeRequest>> =
                self.client.find(token, &merge_requests_of(repository, commit)).await?;
            requests.extend(found.into_iter().flatten().filter(concerned));
        }
        requests.sort_by_key(|request| request.iid);
        requests.dedup_by_key(|request| request.iid);
        Ok(requests)
    }
}

/// A line that begins with a slash would be carried out as a command of whoever writes the note.
fn without_actions(text: &str) -> String {
    let harmless = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        match line.get(indent..) {
            Some(rest) if rest.starts_with('/') => {
                format!("{}\\{rest}", line.get(..indent).unwrap_or_default())
            }
            _ => line.to_owned(),
        }
    };
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// The state of a commit status.
fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Denied | Standing::Abandoned | Standing::Failed => "failed",
        Standing::Waiting | Standing::Checking | Standing::Allowed => "pending",
        Standing::WouldBeAllowed | Standing::Deployed => "success",
        Standing::Overtaken => "canceled",
    }
}

/// The notes on one merge request.
struct Notes<'a, S> {
    gitlab: &'a Gitlab<S>,
    token: &'a Token,
    repository: &'a RepositoryId,
    number: &'a str,
    me: u64,
}

impl<S> Notes<'_, S> {
    fn one<'b>(&'b self, id: &'b str) -> Vec<&'b str> {
        path(self.repository, &["merge_requests", self.number, "notes", id])
    }
}

impl<S: Secrets + Send + Sync> Thread for Notes<'_, S> {
    async fn own(&self) -> Result<Vec<Comment>, Failure> {
        let call = list(self.repository, &["merge_requests", self.number, "notes"]);
        let all = self.gitlab.client.all::<Note>(self.token, &call, MAX_NOTE_PAGES).await?;
        let mine = all
            .into_iter()
            .filter(|note| !note.system && note.author.as_ref().is_some_and(|author| author.id == self.me));
        Ok(mine.map(|note| Comment { id: note.id, body: note.body }).collect())
    }

    async fn create(&self, body: &str) -> Result<(), Failure> {
        let path = path(self.repository, &["merge_requests", self.number, "notes"]);
        self.gitlab.client.run(self.token, &Call::send(Method::POST, &path, json!({ "body": body }))).await
    }

    async fn update(&self, id: u64, body: &str) -> Result<(), Failure> {
        let id = id.to_string();
        let call = Call::send(Method::PUT, &self.one(&id), json!({ "body": body }));
        self.gitlab.client.run(self.token, &call).await
    }

    async fn delete(&self, id: u64) -> Result<(), Failure> {
        let id = id.to_string();
        self.gitlab.client.remove(self.token, &self.one(&id)).await
    }

    fn limit(&self) -> usize {
        MAX_NOTE
    }
}
