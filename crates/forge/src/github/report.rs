//! How people are told on GitHub: a check run (as a GitHub App that may set one) or a commit status for each
//! environment, and a comment on each pull request of the commit.

use std::sync::PoisonError;

use countersign_core::ports::PortError;
use countersign_core::ports::forge::{ForgeReport, Report};
use countersign_core::ports::secrets::Secrets;
use countersign_core::report::Standing;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::wire::{Pull, User};
use super::{Github, PAGE, pulls_of};
use crate::client::Call;
use crate::client::failure::Failure;
use crate::comment::{Comment, Thread};
use crate::host::Token;
use crate::place::Place;
use crate::told::Told;

/// The most pages of a commit's statuses, newest first, in which the last one of ours is looked for.
const MAX_STATUS_PAGES: usize = 4;

/// The most pages of a pull request's comments.
const MAX_COMMENT_PAGES: usize = 50;

/// The most bytes of a comment; GitHub takes 65,536 characters.
const MAX_COMMENT: usize = 65_000;

/// The most characters of a status's description.
const MAX_DESCRIPTION: usize = 140;

#[derive(Debug, Deserialize)]
struct Status {
    state: String,
    context: String,
    description: Option<String>,
    creator: Option<User>,
}

impl Status {
    fn set_by(&self) -> Option<u64> {
        self.creator.as_ref()?.id
    }
}

#[derive(Debug, Deserialize)]
struct WireComment {
    id: u64,
    #[serde(default)]
    body: String,
    user: Option<User>,
    performed_via_github_app: Option<App>,
}

#[derive(Debug, Deserialize)]
struct App {
    id: u64,
}

/// As whom is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Me {
    App(u64),
    Account(Option<u64>),
}

impl<S: Secrets + Send + Sync> ForgeReport for Github<S> {
    async fn report(&self, report: &Report) -> Result<(), PortError> {
        match self.tell(report).await {
            Err(failure) if self.forget_session(&failure) => self.tell(report).await?,
            other => other?,
        }
        Ok(())
    }
}

impl<S: Secrets + Send + Sync> Github<S> {
    async fn tell(&self, report: &Report) -> Result<(), Failure> {
        let place = Place::of(&report.repository)?;
        let token = self.token().await?;
        let told = Told::of(report);
        let pulls = self.told_pulls(&token, &place, &told).await?;
        let proposing = pulls.iter().filter(|pull| pull.head().as_ref() == Some(&report.commit));
        let told = told.in_light_of(proposing.map(Pull::is_open));
        let me = match &self.host.app {
            Some(app) => {
                match self.set_check(&token, &place, report, &told, app.id).await {
                    // It was not granted check runs. It may have been granted commit statuses.
                    Err(failure) if failure.is(403) => {
                        self.set_status_as_app(&token, &place, report, &told).await?;
                    }
                    other => other?,
                }
                Me::App(app.id)
            }
            None => {
                let me: User = self.client.read(&token, &Call::get(&["user"])).await?;
                self.set_status(&token, &place, report, &told, me.id).await?;
                Me::Account(me.id)
            }
        };
        for number in pulls.iter().map(|pull| pull.number) {
            let key = format!("{} pull request {number}", report.repository);
            let number = number.to_string();
            let thread = Comments { github: self, token: &token, place: &place, number: &number, me };
            self.writer.show(&key, &thread, &told.section).await?;
        }
        Ok(())
    }

    /// As [`Self::set_status`], by the account of the App, which GitHub tells only of what it has set.
    async fn set_status_as_app(
        &self,
        token: &Token,
        place: &Place<'_>,
        report: &Report,
        told: &Told,
    ) -> Result<(), Failure> {
        let me = *self.bot.lock().unwrap_or_else(PoisonError::into_inner);
        let set_by = self.set_status(token, place, report, told, me).await?;
        if set_by.is_some() {
            *self.bot.lock().unwrap_or_else(PoisonError::into_inner) = set_by;
        }
        Ok(())
    }

    /// Sets the status of this environment, unless `me` set it so already: a commit takes 1,000 of a context. Returns
    /// the account that it was set by, if it was.
    async fn set_status(
        &self,
        token: &Token,
        place: &Place<'_>,
        report: &Report,
        told: &Told,
        me: Option<u64>,
    ) -> Result<Option<u64>, Failure> {
        let state = state(told.standing);
        let description = told.description(MAX_DESCRIPTION);
        let list = place.call(&["commits", report.commit.as_str(), "statuses"]).with("per_page", PAGE);
        let known = self.client.list::<Status>(token, &list, MAX_STATUS_PAGES).await?.items;
        let latest = known.iter().find(|status| status.context == told.context);
        let stands = latest.is_some_and(|status| {
            status.state == state
                && status.description.as_deref() == Some(description.as_str())
                && me.is_some()
                && status.set_by() == me
        });
        if stands {
            return Ok(None);
        }
        let body = json!({ "context": told.context, "state": state, "description": description });
        let path = place.path(&["statuses", report.commit.as_str()]);
        let set: Status = self.client.read(token, &Call::send(Method::POST, &path, body)).await?;
        Ok(set.set_by())
    }

    /// The pull requests that this commit is the head of, that became it, or whose head its decision used.
    async fn told_pulls(&self, token: &Token, place: &Place<'_>, told: &Told) -> Result<Vec<Pull>, Failure> {
        let concerned =
            |pull: &Pull| told.concerns(pull.base().as_ref(), pull.head().as_ref(), pull.became().as_ref());
        let mut found = Vec::new();
        for commit in &told.commits {
            let mut pulls = match self.client.list::<Pull>(token, &pulls_of(place, commit), 1).await {
                Ok(list) => list.items,
                // A head that was squashed away may be gone.
                Err(failure) if failure.is(404) || failure.is(422) => Vec::new(),
                Err(failure) => return Err(failure),
            };
            pulls.retain(concerned);
            found.append(&mut pulls);
        }
        if found.is_empty() {
            // The head of a fork may be known as one by its pull request alone.
            let list = place.call(&["pulls"]).with("state", "open").with("sort", "updated");
            let list = list.with("direction", "desc").with("per_page", PAGE);
            found = self.client.list::<Pull>(token, &list, 1).await?.items;
            found.retain(concerned);
        }
        found.sort_by_key(|pull| pull.number);
        found.dedup_by_key(|pull| pull.number);
        Ok(found)
    }
}

/// The state of a commit status. There is none for what was overtaken: nothing is left to do about it.
fn state(standing: Standing) -> &'static str {
    match standing {
        Standing::Denied | Standing::Abandoned => "failure",
        Standing::Failed => "error",
        Standing::Waiting | Standing::Checking | Standing::Allowed => "pending",
        Standing::WouldBeAllowed | Standing::Deployed | Standing::Overtaken => "success",
    }
}

/// The comments on one pull request.
struct Comments<'a, S> {
    github: &'a Github<S>,
    token: &'a Token,
    place: &'a Place<'a>,
    number: &'a str,
    me: Me,
}

impl<S: Secrets + Send + Sync> Thread for Comments<'_, S> {
    async fn own(&self) -> Result<Vec<Comment>, Failure> {
        let call = self.place.call(&["issues", self.number, "comments"]).with("per_page", PAGE);
        let all = self.github.client.all::<WireComment>(self.token, &call, MAX_COMMENT_PAGES).await?;
        let by_me = |one: &WireComment| match self.me {
            Me::App(id) => one.performed_via_github_app.as_ref().is_some_and(|app| app.id == id),
            Me::Account(id) => id.is_some() && one.user.as_ref().is_some_and(|user| user.id == id),
        };
        let mine = all.into_iter().filter(by_me);
        Ok(mine.map(|one| Comment { id: one.id, body: one.body }).collect())
    }

    async fn create(&self, body: &str) -> Result<(), Failure> {
        let path = self.place.path(&["issues", self.number, "comments"]);
        self.github.client.run(self.token, &Call::send(Method::POST, &path, json!({ "body": body }))).await
    }

    async fn update(&self, id: u64, body: &str) -> Result<(), Failure> {
        let id = id.to_string();
        let path = self.place.path(&["issues", "comments", &id]);
        self.github.client.run(self.token, &Call::send(Method::PATCH, &path, json!({ "body": body }))).await
    }

    async fn delete(&self, id: u64) -> Result<(), Failure> {
        let id = id.to_string();
        self.github.client.remove(self.token, &self.place.path(&["issues", "comments", &id])).await
    }

    fn limit(&self) -> usize {
        MAX_COMMENT
    }
}
