//! Pushes to a repository, as Gitea's feed of activities tells of them.

use countersign_core::names::CommitId;
use countersign_core::review::Identity;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::PAGE;
use super::wire::User;
use crate::client::Client;
use crate::client::failure::Failure;
use crate::host::Token;
use crate::place::Place;
use crate::pushes::{Feed, Push, Told};

/// The most pages of activities in a repository that are read for all pull requests together.
const MAX_PAGES: usize = 50;

/// Something that somebody did.
#[derive(Debug, Deserialize)]
pub(super) struct Activity {
    id: u64,
    #[serde(default)]
    op_type: String,
    act_user: Option<User>,
    #[serde(default)]
    ref_name: String,
    #[serde(default)]
    content: String,
}

/// What is told of a push.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    head_commit: Option<HeadCommit>,
    /// As `acme/shop/compare/BEFORE...AFTER`. Of a new branch it is compared with something else, or with nothing.
    #[serde(rename = "CompareURL", default)]
    compare_url: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HeadCommit {
    sha1: String,
}

impl Activity {
    /// As a push, which created the branch or not; none where Gitea does not tell what was pushed.
    fn push(&self, by: Identity, created: bool) -> Option<Push> {
        let content: Content = serde_json::from_str(&self.content).ok()?;
        let after = content.head_commit?.sha1;
        let before = if created {
            None
        } else {
            let (path, _) = content.compare_url.rsplit_once("...")?;
            Some(path.rsplit('/').next()?)
        };
        Push::of(by, before, Some(&after), false)
    }
}

/// What is told of the pushes to a branch. Of a new branch Gitea tells first that it was created, and by whom, and then
/// what was pushed.
fn pushes(told: &[Activity], branch: &str) -> Vec<Push> {
    let reference = format!("refs/heads/{branch}");
    let is_here = |one: &&Activity| one.op_type == "commit_repo" && one.ref_name == reference;
    let mut here: Vec<_> = told.iter().filter(is_here).collect();
    here.sort_by_key(|one| one.id);
    let (mut creator, mut pushes) = (None, Vec::new());
    for activity in here {
        let by = User::identity(activity.act_user.clone());
        if activity.content.is_empty() {
            creator = Some(by);
            continue;
        }
        let created = creator.take().as_ref() == Some(&by);
        pushes.extend(activity.push(by, created));
    }
    pushes
}

/// What happened in a repository, newest first.
pub(super) fn activities<'a>(client: &'a Client, token: &'a Token, place: &Place<'a>) -> Feed<'a, Activity> {
    let call = place.call(&["activities", "feeds"]).with("limit", PAGE);
    Feed::new(client.pages(token, call), MAX_PAGES)
}

/// What Gitea tells of the pushes to one pull request's branch.
pub(super) struct Pushes<'a, 'f> {
    pub(super) client: &'a Client,
    pub(super) token: &'a Token,
    pub(super) place: &'f Place<'a>,
    pub(super) branch: String,
    /// The commit that the pull request has in common with its base.
    pub(super) base: Option<CommitId>,
    pub(super) activities: &'f mut Feed<'a, Activity>,
}

impl Told for Pushes<'_, '_> {
    fn pushes(&self) -> Vec<Push> {
        pushes(&self.activities.told, &self.branch)
    }

    async fn read_on(&mut self) -> Result<bool, Failure> {
        self.activities.read_on().await
    }

    async fn base_has(&self, commit: &CommitId) -> Result<bool, Failure> {
        let Some(base) = &self.base else { return Ok(false) };
        let call = self.place.call(&["commits"]).with("sha", commit).with("not", base).with("limit", 1);
        let call = call.with("stat", false).with("verification", false).with("files", false);
        let beside = self.client.find::<Option<Vec<IgnoredAny>>>(self.token, &call).await?;
        // What was taken away may be gone.
        Ok(beside.is_some_and(|commits| commits.unwrap_or_default().is_empty()))
    }
}
