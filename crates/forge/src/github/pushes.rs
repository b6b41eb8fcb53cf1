//! Pushes to a branch, as GitHub's activities tell of them.

use countersign_core::names::CommitId;
use serde::Deserialize;

use super::PAGE;
use super::wire::User;
use crate::client::Client;
use crate::client::failure::Failure;
use crate::host::Token;
use crate::place::Place;
use crate::pushes::{Feed, Push, Told};

/// The most pages of activities that are read for one pull request.
const MAX_PAGES: usize = 20;

#[derive(Debug, Deserialize)]
struct Activity {
    before: Option<String>,
    after: Option<String>,
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    activity_type: String,
    actor: Option<User>,
}

impl Activity {
    /// As a push; none where it deleted the branch.
    fn push(&self) -> Option<Push> {
        let only_adds = matches!(self.activity_type.as_str(), "push" | "pr_merge" | "merge_queue_merge");
        let by = User::identity(self.actor.clone());
        Push::of(by, self.before.as_deref(), self.after.as_deref(), only_adds)
    }
}

/// What GitHub tells of the pushes to one branch.
pub(super) struct Activities<'a> {
    reference: String,
    /// Whether all commits of the pull request are known.
    whole: bool,
    of_branch: Feed<'a, Activity>,
    /// Of all branches. It is not said whether GitHub tells of a branch alone that was deleted, as after a merge.
    of_all: Feed<'a, Activity>,
}

impl<'a> Activities<'a> {
    /// Those of `branch`, for a pull request all of whose commits are known, or not.
    pub(super) fn of(
        client: &'a Client,
        token: &'a Token,
        place: &Place<'a>,
        branch: &str,
        whole: bool,
    ) -> Self {
        let reference = format!("refs/heads/{branch}");
        let all = place.call(&["activity"]).with("per_page", PAGE);
        let of_branch = all.clone().with("ref", &reference);
        Self {
            of_branch: Feed::new(client.pages(token, of_branch), MAX_PAGES),
            of_all: Feed::new(client.pages(token, all), MAX_PAGES),
            reference,
            whole,
        }
    }
}

impl Told for Activities<'_> {
    fn pushes(&self) -> Vec<Push> {
        let told = self.of_branch.told.iter().chain(&self.of_all.told);
        let here = told.filter(|activity| activity.reference == self.reference);
        let pushes = here.filter_map(Activity::push);
        pushes.map(|push| Push { only_adds: push.only_adds && self.whole, ..push }).collect()
    }

    async fn read_on(&mut self) -> Result<bool, Failure> {
        if self.of_branch.read_on().await? {
            return Ok(true);
        }
        Ok(self.of_branch.told.is_empty() && self.of_all.read_on().await?)
    }

    /// Never asked: GitHub says which pushes only added to the branch.
    async fn base_has(&self, _: &CommitId) -> Result<bool, Failure> {
        Ok(false)
    }
}
