//! Outcomes: what became of an authorization on its cluster.

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, canonical_json};
use crate::facts::ObjectKey;
use crate::names::{AttemptId, Target};
use crate::time::Timestamp;

/// What became of one authorization, as `apply`, `observe` or `drift` reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The attempt that was authorized.
    pub attempt: AttemptId,
    /// The target.
    pub target: Target,
    /// The index of the decision's leaf; none if the authorization could not be believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// When.
    pub time: Timestamp,
    /// The result.
    pub result: OutcomeResult,
    /// In one sentence, for people.
    pub summary: String,
    /// What was done to each object, where something was.
    pub objects: Vec<ObjectOutcome>,
}

impl Outcome {
    /// What names this report for ever: what was said of which attempt, not when it was said.
    #[must_use]
    pub fn id(&self) -> Digest {
        let result = canonical_json(&self.result).unwrap_or_default();
        let sequence = self.sequence.map_or_else(String::new, |index| index.to_string());
        Digest::of_parts(&[
            "outcome",
            &self.attempt.hex(),
            &self.target.key(),
            &sequence,
            &String::from_utf8_lossy(&result),
        ])
    }
}

/// How it ended, or stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum OutcomeResult {
    /// Every object was written; health is still to come.
    Applied,
    /// Everything is healthy, and what is no longer wanted was pruned.
    Healthy,
    /// The rollout came to a bad end, or to none in time.
    Unhealthy,
    /// Everything that the target owned is deleted.
    Removed,
    /// `apply` refused the authorization: nothing was written.
    Refused {
        /// Which check failed.
        check: Check,
    },
    /// It could not be done now. Another attempt will be made.
    Failed,
    /// A newer authorization took over before this one was done.
    Overtaken,
    /// What runs is not what was authorized: somebody changed it. No failure of the attempt.
    Drifted {
        /// The number of this report among those of drift from this authorization, from 1.
        report: u32,
        /// The digest of how it differs.
        differs: Digest,
    },
    /// What runs is what was authorized again.
    Restored {
        /// As of [`OutcomeResult::Drifted`].
        report: u32,
    },
}

impl OutcomeResult {
    /// Whether nothing more can become of the attempt.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Healthy | Self::Removed | Self::Overtaken)
    }

    /// Whether it tells how what runs compares with what was authorized, which is told at any later time.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self, Self::Drifted { .. } | Self::Restored { .. })
    }
}

/// The checks of `apply`, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Check {
    /// The envelope, statement or proof is not of its shape.
    Shape,
    /// The envelope's signature.
    Signature,
    /// The payload's and the predicate's type.
    Type,
    /// The cluster's UID.
    Audience,
    /// Not before, not after.
    Time,
    /// The sequence, against what the inventory holds.
    Sequence,
    /// The leaf is a decision, allowed, for this very change.
    Leaf,
    /// The leaf is in the log.
    Inclusion,
    /// The checkpoint's signature, and its witnesses where they are demanded.
    Checkpoint,
    /// The checkpoint and the one kept on the cluster are of one history.
    Consistency,
    /// The manifest's digest.
    Manifest,
    /// The objects are in the namespaces, and of the kinds, that are authorized.
    Scope,
    /// The objects belong to this target, or to nobody.
    Ownership,
}

/// What was done to one object, or how it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectOutcome {
    /// What names it.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// What was done.
    pub action: Action,
    /// How it is, or what was wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What was done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It did not exist.
    Created,
    /// It was changed.
    Configured,
    /// It was as wanted.
    Unchanged,
    /// It was deleted.
    Deleted,
    /// It was left alone, for the reason in the message.
    Skipped,
    /// Its health was read.
    Observed,
}
