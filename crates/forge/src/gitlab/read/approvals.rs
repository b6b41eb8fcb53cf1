//! Approvals of GitLab, which are of a merge request: each is bound here to the head that the merge request had
//! when it was given, by its times and those of the versions. Where the time is not known, it is bound to the first
//! version, so that it counts only if there never was another.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::names::CommitId;
use countersign_core::review::{Review, ReviewVerdict};
use countersign_core::time::Timestamp;
use serde::Deserialize;

use crate::gitlab::wire::{Note, User};

/// What GitLab notes when someone approves.
const APPROVED: &str = "approved this merge request";

/// What GitLab notes when someone requests changes.
const REQUESTED_CHANGES: &str = "requested changes";

/// Who approves a merge request now.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Approvals {
    #[serde(default)]
    approved_by: Vec<Approver>,
}

#[derive(Clone, Debug, Deserialize)]
struct Approver {
    user: User,
    /// Told by newer releases.
    approved_at: Option<Timestamp>,
}

/// Who was asked to review, and what came of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Reviewer {
    user: User,
    state: String,
    created_at: Option<Timestamp>,
}

/// A state of the merge request between two pushes.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Version {
    pub(super) head_commit_sha: String,
    /// The commit that the head has in common with its target.
    pub(super) base_commit_sha: Option<CommitId>,
    pub(super) created_at: Timestamp,
}

/// What was said about a merge request.
pub(super) struct Said {
    pub(super) approvals: Approvals,
    pub(super) reviewers: Vec<Reviewer>,
    pub(super) versions: Vec<Version>,
    pub(super) notes: Vec<Note>,
    /// When it was opened.
    pub(super) opened: Timestamp,
}

impl Said {
    /// The approvals that stand, those that were taken back, and requests for changes, oldest first.
    pub(super) fn reviews(&self, head: &CommitId) -> Vec<Review> {
        let approved = self.noted(APPROVED);
        let mut reviews = Vec::new();
        let mut stands = BTreeMap::new();
        for approver in &self.approvals.approved_by {
            let noted = approved.get(&approver.user.id).map(|(time, _)| *time);
            let time = approver.approved_at.or(noted);
            stands.insert(approver.user.id, time.unwrap_or(self.opened));
            reviews.extend(self.review(&approver.user, ReviewVerdict::Approved, time, false));
        }
        for (time, user) in approved.values().filter(|(_, user)| !stands.contains_key(&user.id)) {
            reviews.extend(self.review(user, ReviewVerdict::Approved, Some(*time), true));
        }
        let requested = self.noted(REQUESTED_CHANGES);
        for reviewer in self.reviewers.iter().filter(|reviewer| reviewer.state == "requested_changes") {
            let noted = requested.get(&reviewer.user.id).map(|(time, _)| *time);
            let time = noted.or(reviewer.created_at).unwrap_or(self.opened);
            // It is what they say now, whatever they said before.
            let after = stands.get(&reviewer.user.id).map(|time| time.plus(Duration::from_millis(1)));
            let time = after.map_or(time, |after| after.max(time));
            let review = self.review(&reviewer.user, ReviewVerdict::ChangesRequested, Some(time), false);
            reviews.extend(review.map(|review| Review { commit: head.clone(), ..review }));
        }
        reviews.sort_by(|a, b| (a.submitted, &a.id).cmp(&(b.submitted, &b.id)));
        reviews
    }

    /// The latest time that GitLab noted this of each user.
    fn noted(&self, what: &str) -> BTreeMap<u64, (Timestamp, &User)> {
        let notes = self.notes.iter().filter(|note| note.system && note.body.trim() == what);
        let mut noted = BTreeMap::new();
        for (user, time) in notes.filter_map(|note| Some((note.author.as_ref()?, note.created_at))) {
            let latest = noted.entry(user.id).or_insert((time, user));
            if latest.0 < time {
                *latest = (time, user);
            }
        }
        noted
    }

    fn review(
        &self,
        user: &User,
        verdict: ReviewVerdict,
        time: Option<Timestamp>,
        dismissed: bool,
    ) -> Option<Review> {
        let word = if verdict == ReviewVerdict::Approved { "approval" } else { "changes" };
        Some(Review {
            id: format!("{word}-{}", user.id),
            reviewer: User::identity(Some(user.clone())),
            verdict,
            commit: self.head_at(time)?,
            submitted: time.unwrap_or(self.opened),
            dismissed,
            official: None,
            signed: false,
        })
    }

    /// The head at a time; without one, the first.
    fn head_at(&self, time: Option<Timestamp>) -> Option<CommitId> {
        let first = self.versions.iter().min_by_key(|version| version.created_at)?;
        let then = time.and_then(|time| {
            let before = self.versions.iter().filter(|version| version.created_at <= time);
            before.max_by_key(|version| version.created_at)
        });
        then.unwrap_or(first).head_commit_sha.parse().ok()
    }
}
