//! The state of a target and of a commit's reports: folds over the log that `record` alone writes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::decision::Verdict;
use crate::digest::Digest;
use crate::facts::{Hold, Operation};
use crate::leaf::Disposition;
use crate::names::{AttemptId, CommitId, FollowedRef, RepositoryId, Target};
use crate::outcome::OutcomeResult;
use crate::time::Timestamp;

/// What the log says of one target, up to a leaf.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetState {
    /// The target.
    pub target: Target,
    /// What it followed when it was last looked at.
    pub follows: FollowedRef,
    /// Leaves below this index are folded in: folding one again changes nothing.
    pub as_of: u64,
    /// The newest decision that was not a preview.
    pub latest: Look,
    /// The newest allowed decision: what is to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Authorized>,
    /// What outcomes last said to have been applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Authorized>,
    /// What outcomes last said of what is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<LatestOutcome>,
    /// How what runs differs from what was authorized, while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<LatestDrift>,
    /// The target takes no change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The first leaf of the hold or release that was carried out last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commanded: Option<u64>,
    /// Attempts at what is wanted that failed in a row.
    pub failures: u32,
    /// Looks in a row that found the same commit waiting for statuses.
    #[serde(default)]
    pub waits: u32,
    /// When another look is due, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

impl TargetState {
    /// Whether what is wanted runs, and the newest decision asked for nothing else.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let runs = match (&self.wanted, &self.running) {
            (Some(wanted), Some(running)) => wanted.sequence == running.sequence,
            (None, None) => true,
            _ => false,
        };
        runs && self.latest.verdict == Verdict::Allowed && self.latest.disposition != Disposition::Superseded
    }

    /// Whether what was authorized last is of this commit and bundle, and its cluster has not told yet how it ended:
    /// nothing that is said meanwhile makes it more allowed, and if it fails, another look is made due.
    #[must_use]
    pub fn is_on_its_way(&self, commit: &CommitId, bundle: &Digest) -> bool {
        let latest = &self.latest;
        let told = self.outcome.as_ref().filter(|outcome| outcome.attempt == latest.attempt);
        latest.disposition == Disposition::Authorized
            && (&latest.commit, &latest.bundle) == (commit, bundle)
            && told.is_none_or(|outcome| outcome.result == OutcomeResult::Applied)
    }
}

/// A decision as a target's state keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// The attempt.
    pub attempt: AttemptId,
    /// When the look began.
    pub began: Timestamp,
    /// The leaf's index.
    pub index: u64,
    /// The commit that was looked at.
    pub commit: CommitId,
    /// What the target's inputs hash to there.
    pub closure: Digest,
    /// The bundle under which it was decided.
    pub bundle: Digest,
    /// What was decided.
    pub verdict: Verdict,
    /// What `record` made of it.
    pub disposition: Disposition,
    /// Why, in one sentence.
    pub reason: String,
    /// The decision's blob.
    pub decision: Digest,
}

/// An authorization as a target's state keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorized {
    /// The attempt.
    pub attempt: AttemptId,
    /// The leaf's index.
    pub sequence: u64,
    /// What was authorized.
    pub operation: Operation,
    /// The commit.
    pub commit: CommitId,
    /// What the target's inputs hash to there.
    pub closure: Digest,
    /// The manifest; none for a removal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// The decision's blob, which lists the objects.
    pub decision: Digest,
    /// When it was authorized.
    pub time: Timestamp,
    /// When the first look at this commit began that led here; an authorization of it once more, as a retry, leaves it
    /// as it is. None where an earlier release wrote this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Authorized {
    /// Since when this commit has been asked for, as far as that is known.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.since.unwrap_or(self.time)
    }
}

/// What was last reported of an authorization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatestOutcome {
    /// The attempt that it is about.
    pub attempt: AttemptId,
    /// The result.
    pub result: OutcomeResult,
    /// The blob with the details.
    pub details: Digest,
    /// When it was recorded.
    pub time: Timestamp,
}

/// What was last reported of how what runs differs from what was authorized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatestDrift {
    /// The blob with the details.
    pub details: Digest,
    /// Since when it was known to differ in some way.
    pub since: Timestamp,
}

/// What is to be reported of one commit in one environment: the latest of each target there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommitReport {
    /// The repository.
    pub repository: RepositoryId,
    /// The commit.
    pub commit: CommitId,
    /// Leaves below this index are folded in.
    pub as_of: u64,
    /// The latest of each target, by the target's name.
    pub targets: BTreeMap<String, TargetReport>,
}

/// What is to be reported of one target at one commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// The attempt.
    pub attempt: AttemptId,
    /// The leaf's index.
    pub index: u64,
    /// When the look began.
    #[serde(default)]
    pub began: Timestamp,
    /// Whether it only previews.
    pub preview: bool,
    /// What was decided.
    pub verdict: Verdict,
    /// What `record` made of it.
    pub disposition: Disposition,
    /// Why, in one sentence.
    pub reason: String,
    /// The decision's blob.
    pub decision: Digest,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<LatestOutcome>,
}

impl TargetReport {
    /// Whether it was allowed and the cluster does not run it as it should.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        let result = self.outcome.as_ref().map(|outcome| &outcome.result);
        matches!(
            result,
            Some(OutcomeResult::Unhealthy | OutcomeResult::Failed | OutcomeResult::Refused { .. })
        )
    }
}

/// What `gather` last saw of a ref: everything that this tip touches was looked at under this bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenTip {
    /// The tip.
    pub tip: CommitId,
    /// The bundle.
    pub bundle: Digest,
    /// The targets that were looked at there. Until `record` has what came of it, their state is an older one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub looked: BTreeSet<Target>,
    /// The pull requests that had ended by then, by number, as the forge told of them: what is said of one later may
    /// allow what waits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ended: BTreeMap<String, Ended>,
}

/// A pull request that was merged or closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its head.
    pub head: CommitId,
    /// What names everything that was told of it.
    pub told: Digest,
}

/// The active bundle, as the log last said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveBundle {
    /// The bundle.
    pub bundle: Digest,
    /// The index of the leaf that activated it.
    pub index: u64,
    /// The commit of the control repository that it was compiled from.
    pub commit: CommitId,
}
