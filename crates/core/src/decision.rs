//! Decisions: the result of every rule, total and replayable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::facts::{Hold, ObjectKey, Operation, Position};
use crate::names::{AttemptId, CommitId, FollowedRef, PersonName, StatusName, Target, TreeId};
use crate::review::StatusState;
use crate::statement::SignedStatement;
use crate::time::Timestamp;

/// The version of the decisions that this release writes.
pub const DECISION_VERSION: u32 = 1;

/// A decision on one attempt. Facts, bundle and engine give the same decision again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// [`DECISION_VERSION`].
    pub v: u32,
    /// The attempt decided on.
    pub attempt: AttemptId,
    /// The target.
    pub target: Target,
    /// What it follows.
    pub follows: FollowedRef,
    /// When the look began: the cause's receive time.
    pub began: Timestamp,
    /// The index of the authorization that the facts measured from: `record` marks the decision as
    /// superseded when the target has moved on since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub based_on: Option<u64>,
    /// Whether it only previews a pull request.
    pub preview: bool,
    /// What was asked for.
    pub operation: Operation,
    /// The commit that was asked for.
    pub commit: CommitId,
    /// Its root tree.
    pub tree: TreeId,
    /// What the target's inputs hash to at that commit.
    pub closure: Digest,
    /// The manifest, if one was rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// The objects of the manifest.
    pub objects: Vec<ObjectKey>,
    /// Namespaces that the authorization may name.
    pub namespaces: Vec<String>,
    /// Cluster-scoped kinds that the authorization may name.
    pub cluster_kinds: Vec<String>,
    /// Whether existing objects may be taken over.
    pub adopt: bool,
    /// The facts that it was made from.
    pub facts: Digest,
    /// The bundle under which it was made.
    pub bundle: Digest,
    /// For `activate`: the bundle that becomes active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_bundle: Option<Digest>,
    /// For `hold`: what the target is held with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The command that asked for it, as signed; its nonce is spent in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<SignedStatement>,
    /// The engine and its version, as `regorus 0.14.1`.
    pub engine: String,
    /// Allowed, denied or pending.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The result of every rule, in the order of their names.
    pub rules: Vec<RuleResult>,
    /// Who approved, and whether it counts.
    pub approvals: Vec<Approval>,
    /// What programs said of the reviewed heads, and whether it counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<WeighedStatus>,
    /// Reviewed heads that explain the way to the commit, each with the commit that it explains.
    pub explained: Vec<ExplainedHead>,
}

/// The rule that denies every change of a held target: it is judged only where one is held.
const HOLD: &str = "countersign.hold";

impl Decision {
    /// Whether the target was held when the facts were gathered.
    #[must_use]
    pub fn found_held(&self) -> bool {
        self.rules.iter().any(|result| result.rule == HOLD)
    }
}

/// What a decision says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Policy has countersigned the change.
    Allowed,
    /// It has not.
    Denied,
    /// Only rules fail that need what cannot exist yet: in a preview reviews, anywhere statuses. It authorizes
    /// nothing.
    Pending,
}

/// What a rule cannot pass without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Needs {
    /// Reviews by people.
    Review,
    /// Statuses that other programs set.
    Status,
}

/// How one rule answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleResult {
    /// The rule's package, as `images.pinned`.
    pub rule: String,
    /// Its title.
    pub title: String,
    /// Why it exists.
    pub description: String,
    /// What to do when it fails.
    pub remedy: String,
    /// `error` denies; `warning` is shown.
    pub severity: Severity,
    /// Controls of standards that it serves, as `SOC2 CC8.1`.
    pub controls: Vec<String>,
    /// What came out.
    pub outcome: RuleOutcome,
    /// What it waits for, while it is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Needs>,
    /// What it found.
    pub violations: Vec<Violation>,
}

/// How heavy a failing rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It denies.
    Error,
    /// It is shown, and denies nothing.
    Warning,
}

/// What came out of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RuleOutcome {
    /// It found nothing.
    Passed,
    /// It found violations.
    Failed,
    /// All that it found is waived.
    Waived,
    /// It needs reviews or statuses, and they cannot exist yet.
    Pending,
    /// It did not answer: an error, a panic, an undefined or wrong answer. Denies.
    Errored,
    /// It did more work than its budget allows. Denies.
    OverBudget,
}

/// One thing that a rule found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// What is wrong.
    pub message: String,
    /// The object at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectKey>,
    /// The JSON pointer of the field at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Where the cause is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Position>,
    /// The waiver that excuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<String>,
}

/// One approval, and whether it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The forge's id of the review, or the digest of the statement.
    pub id: String,
    /// The person, if the evidence names one in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// What the evidence says of them, for people: a login or a key's fingerprint.
    pub shown_as: String,
    /// The head that it is bound to.
    pub head: CommitId,
    /// Whether it was signed with the person's own key.
    pub signed: bool,
    /// Whether it counts.
    pub counts: bool,
    /// Why, or why not.
    pub reason: String,
}

/// What a program said of a reviewed head, and whether it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WeighedStatus {
    /// The name by which the environment asks for it.
    pub name: StatusName,
    /// The forge's id.
    pub id: String,
    /// The status's context or the check run's name.
    pub context: String,
    /// The head that it was set on.
    pub head: CommitId,
    /// What it says.
    pub state: StatusState,
    /// What the evidence says of who set it, for people.
    pub shown_as: String,
    /// Whether it is the word of the application that is expected to say it. A failure that counts counts too.
    pub counts: bool,
    /// What was said by whom, and why it does not count.
    pub reason: String,
}

/// A reviewed head, and the commit that it explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedHead {
    /// The head that was reviewed.
    pub head: CommitId,
    /// The first-parent commit that it explains.
    pub commit: CommitId,
}
