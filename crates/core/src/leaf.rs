//! Leaves: what the append-only log holds. Small JSON records that cite blobs by digest.

use serde::{Deserialize, Serialize};

use crate::decision::{ExplainedHead, Verdict};
use crate::digest::Digest;
use crate::facts::{Hold, Operation};
use crate::names::{AttemptId, CommitId, FollowedRef, Target, TreeId};
use crate::outcome::OutcomeResult;
use crate::ports::signer::PublicKey;
use crate::time::Timestamp;

/// The version of the leaves that this release writes.
pub const LEAF_VERSION: u32 = 1;

/// The most bytes that a leaf may have: entry tiles give its length in 16 bits.
pub const MAX_LEAF: usize = 65_535;

/// One entry of the log. Its canonical JSON is what is hashed and proven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leaf {
    /// [`LEAF_VERSION`].
    pub v: u32,
    /// When `record` appended it.
    pub time: Timestamp,
    /// What is recorded.
    pub record: Record,
}

/// What a leaf records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Record {
    /// The first leaf: the root-signed beginning of everything.
    Genesis(GenesisRecord),
    /// A decision.
    Decision(Box<DecisionRecord>),
    /// What became of an authorization.
    Outcome(OutcomeRecord),
    /// A message that could not be taken, so that it holds up nothing and is not lost.
    Rejected(RejectedRecord),
    /// The next epoch: the keys that sign from here on, announced under the key that signed so far.
    Rotation(RotationRecord),
}

/// The beginning: keys, hosts and the first bundle, as the root key signed them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenesisRecord {
    /// The blob of `genesis.json`.
    pub genesis: Digest,
    /// The first active bundle.
    pub bundle: Digest,
    /// The commit of the control repository that it was compiled from.
    pub commit: CommitId,
    /// The log's origin.
    pub origin: String,
}

/// A decision, and what followed from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// The attempt.
    pub attempt: AttemptId,
    /// The trace from webhook to outcome, as the logs of every stage name it.
    pub trace: String,
    /// The target.
    pub target: Target,
    /// What it follows.
    pub follows: FollowedRef,
    /// When the look began.
    pub began: Timestamp,
    /// What the decision says.
    pub verdict: Verdict,
    /// What `record` made of it.
    pub disposition: Disposition,
    /// Why, in one sentence.
    pub reason: String,
    /// What was asked for.
    pub operation: Operation,
    /// The commit.
    pub commit: CommitId,
    /// Its root tree.
    pub tree: TreeId,
    /// What the target's inputs hash to.
    pub closure: Digest,
    /// The manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// The bundle under which it was made.
    pub bundle: Digest,
    /// For `activate`: the bundle that is active from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_bundle: Option<Digest>,
    /// For `hold`: what the target is held with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The facts' blob.
    pub facts: Digest,
    /// The decision's blob.
    pub decision: Digest,
    /// The engine and its version.
    pub engine: String,
    /// Heads used, each with the commit that it explains.
    pub explained: Vec<ExplainedHead>,
    /// Those whose approvals count, by pseudonym.
    pub approvers: Vec<String>,
    /// Rules that failed.
    pub failed: Vec<String>,
    /// For a command: names what it spends, the nonce under the key that signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Digest>,
    /// For a command that was superseded before: the first leaf of it, which says where it stands among others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
}

/// What `record` made of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Disposition {
    /// An authorization follows from it, or, for a bundle, a hold or a release, it took effect.
    Authorized,
    /// It is allowed, and what it asks for runs already.
    Unchanged,
    /// Nothing follows: it denies.
    Refused,
    /// It only previews.
    Preview,
    /// The bundle or the target moved since it was made; another look was asked for.
    Superseded,
}

/// What became of an authorization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeRecord {
    /// Names this report for ever, so that it is recorded once.
    pub id: Digest,
    /// The attempt that was authorized.
    pub attempt: AttemptId,
    /// The target.
    pub target: Target,
    /// The sequence of the authorization; none if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The result.
    pub result: OutcomeResult,
    /// The blob with the details.
    pub details: Digest,
}

/// A message that could not be taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedRecord {
    /// Names the message for ever, so that it is recorded once.
    pub id: Digest,
    /// The queue that it came by.
    pub queue: String,
    /// Why it could not be taken.
    pub reason: String,
    /// The digest of its bytes.
    pub body: Digest,
    /// The attempt that it was about, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptId>,
    /// The target that it was about, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// The keys of the next epoch, as the root key signed them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationRecord {
    /// The blob that the root key signed.
    pub rotation: Digest,
    /// The epoch that begins with this leaf.
    pub epoch: u32,
    /// Signs checkpoints from here on.
    pub log_key: PublicKey,
    /// Signs authorizations from here on.
    pub authorization_key: PublicKey,
}

impl Record {
    /// What names this record for ever: the same name is appended once.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Genesis(_) => "genesis".to_owned(),
            Self::Decision(record) => format!("decision-{}", record.attempt),
            Self::Outcome(record) => format!("outcome-{}", record.id.hex()),
            Self::Rejected(record) => format!("rejected-{}", record.id.hex()),
            Self::Rotation(record) => format!("rotation-{}", record.epoch),
        }
    }
}
