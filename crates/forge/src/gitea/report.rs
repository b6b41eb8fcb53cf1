//! How people are told on Gitea and Forgejo: a commit status for each environment, and a comment on each pull
//! request of the commit.

use countersign_core::ports::PortError;
use countersign_core::ports::forge::{ForgeReport, Report};
use countersign_core::ports::secrets::Secrets;
use countersign_core::report::Standing;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::wire::{Pull, User};
use super::{Gitea, listed_statuses, pull_of, pulls};
use crate::client::Call;
use crate::client::failure::Failure;
use crate::comment::{Comment, Thread};
use crate::host::Token;
use crate::place::Place;
use crate::told::Told;

/// The most pages of pull requests in which those of a commit are looked for.
const MAX_PULL_PAGES: usize = 2;

/// The most pages of a commit's statuses, newest first, in which the last one of ours is looked for.
const MAX_STATUS_PAGES: usize = 4;

/// The most pages of a pull request's comments.
const MAX_COMMENT_PAGES: usize = 100;

/// The most bytes of a comment: what the largest report needs, a few environments deep.
const MAX_COMMENT: usize = 250_000;

/// The most characters of a status's description.
const MAX_DESCRIPTION: usize = 255;

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    status: String,
    #[serde(default)]
    context: String,
    #[serde(default)]
    description: String,
    creator: Option<User>,
}

#[derive(Debug, Deserialize)]
struct WireComment {
    id: u64,
    #[serde(default)]
    body: String,
    user: Option<User>,
}

impl<S: Secrets + Send + Sync> ForgeReport for Gitea<S> {
    async fn report(&self, report: &Report) -> Result<(), PortError> {
        let place = Place::of(&report.repository)?;
        let token = self.token().await?;
        let told = Told::of(report);
        let me: User = self.client.read(&token, &Call::get(&["user"])).await?;
        let pulls = self.pulls_of(&token, &place, &told).await?;
        let proposing = pulls.iter().filter(|pull| pull.head().as_ref() == Some(&report.commit));
        let told = told.in_light_of(proposing.map(Pull::is_open));
        self.set_status(&token, &place, report, &told, me.id).await?;
        for number in pulls.iter().map(|pull| pull.number) {
            let key = format!("{} pull request {number}", report.repository);
            let number = number.to_string();
            let thread = Comments { gitea: self, token: &token, place: &place, number: &number, me: me.id };
            self.writer.show(&key, &thread, &told.section).await?;
        }
        Ok(())
    }
}

impl<S: Secrets + Send + Sync> Gitea<S> {
    /// Sets the status of this environment, unless it stands there already: every one that is set is kept.
    async fn set_status(
        &self,
        token: &Token,
        place: &Place<'_>,
        report: &Report,
        told: &Told,
        me: i64,
    ) -> Result<(), Failure> {
        let state = state(told.standing);
        let description = told.description(MAX_DESCRIPTION);
        let call = listed_statuses(place, &report.commit);
        let known = self.client.list::<Status>(token, &call, MAX_STATUS_PAGES).await?.items;
        let ours = known.iter().filter(|status| status.context == told.context);
        let latest = ours.max_by_key(|status| status.id);
        let stands = latest.is_some_and(|status| {
            status.status == state
                && status.description == description
                && status.creator.as_ref().is_some_and(|creator| creator.id == me)
        });
        if stands {
            return Ok(());
        }
        let path = place.path(&["statuses", report.commit.as_str()]);
        let body = json!({ "context": told.context, "state": state, "description": description });
        self.client.run(token, &Call::send(Method::POST, &path, body)).await
    }

    /// The pull requests that this commit is the head of, that became it, or whose head its decision used.
    async fn pulls_of(&self, token: &Token, place: &Place<'_>, told: &Told) -> Result<Vec<Pull>, Failure> {
        let list = self.client.list::<Pull>(token, &pulls(place, "all"), MAX_PULL_PAGES).await?;
        let concerned =
            |pull: &Pull| told.concerns(pull.base().as_ref(), pull.head().as_ref(), pull.became().as_ref());
        let mut pulls = list.items;
        pulls.retain(concerned);
        if !list.complete {
            for commit in &told.commits {
                let merged = self.client.find::<Pull>(token, &pull_of(place, commit)).await?;
                pulls.extend(merged.filter(concerned));
            }
        }
        pulls.sort_by_key(|pull| pull.number);
        pulls.dedup_by_key(|pull| pull.number);
        Ok(pulls)
    }
}

/// The state of a commit status.
fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Denied | Standing::Abandoned => "failure",
        Standing::Failed => "error",
        Standing::Waiting | Standing::Checking | Standing::Allowed => "pending",
        Standing::WouldBeAllowed | Standing::Deployed => "success",
        Standing::Overtaken => "warning",
    }
}

/// The comments on one pull request.
struct Comments<'a, S> {
    gitea: &'a Gitea<S>,
    token: &'a Token,
    place: &'a Place<'a>,
    number: &'a str,
    me: i64,
}

impl<S: Secrets + Send + Sync> Thread for Comments<'_, S> {
    async fn own(&self) -> Result<Vec<Comment>, Failure> {
        let call = self.place.call(&["issues", self.number, "comments"]);
        let all = self.gitea.client.all::<WireComment>(self.token, &call, MAX_COMMENT_PAGES).await?;
        let mine = all.into_iter().filter(|one| one.user.as_ref().is_some_and(|user| user.id == self.me));
        Ok(mine.map(|one| Comment { id: one.id, body: one.body }).collect())
    }

    async fn create(&self, body: &str) -> Result<(), Failure> {
        let path = self.place.path(&["issues", self.number, "comments"]);
        self.gitea.client.run(self.token, &Call::send(Method::POST, &path, json!({ "body": body }))).await
    }

    async fn update(&self, id: u64, body: &str) -> Result<(), Failure> {
        let id = id.to_string();
        let path = self.place.path(&["issues", "comments", &id]);
        self.gitea.client.run(self.token, &Call::send(Method::PATCH, &path, json!({ "body": body }))).await
    }

    async fn delete(&self, id: u64) -> Result<(), Failure> {
        let id = id.to_string();
        let path = self.place.path(&["issues", "comments", &id]);
        self.gitea.client.remove(self.token, &path).await
    }

    fn limit(&self) -> usize {
        MAX_COMMENT
    }
}
