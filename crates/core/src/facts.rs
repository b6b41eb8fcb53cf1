//! Facts: all that policy may see of a change, as one document of a published, versioned schema.
//!
//! Facts are stored put-if-absent under their attempt. They are what a decision is replayed from, so
//! they hold raw evidence (reviews, identities, signed statements), never a conclusion drawn from it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::names::{AttemptId, CommitId, FollowedRef, Target, TreeId};
use crate::owners::CodeOwners;
use crate::review::{CommitFacts, PullRequest, Status};
use crate::statement::SignedStatement;
use crate::time::Timestamp;

/// The version of the facts that this release writes.
pub const FACTS_VERSION: u32 = 1;

/// Everything that one decision is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// [`FACTS_VERSION`].
    pub v: u32,
    /// The attempt that these facts were gathered for.
    pub attempt: AttemptId,
    /// What caused the look.
    pub cause: Cause,
    /// The time that every rule sees.
    pub time: Timestamp,
    /// The target, and what the configuration says of it.
    pub target: TargetFacts,
    /// The bundle whose configuration was used, and under which the decision is made.
    pub bundle: Digest,
    /// Whether this only previews a pull request: recorded, never authorized.
    pub preview: bool,
    /// What is asked for.
    pub change: Change,
    /// From what was last authorized to the commit, and how the way between is explained.
    pub range: Range,
    /// Files that differ between the two ends of the range, below the target's path.
    pub files: Vec<FileChange>,
    /// Pull requests of this repository whose heads take part, as the forge told of them.
    pub pull_requests: Vec<PullRequest>,
    /// Signed statements that speak of a commit that takes part. Unverified.
    pub statements: Vec<SignedStatement>,
    /// What programs said of the heads that take part, under the contexts that the environment asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<Status>,
    /// Who owns what the heads that take part bring, where their owners are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<CodeOwners>,
    /// Commits of the pull requests and proposals, by the head that they lead to.
    pub proposed: BTreeMap<CommitId, Vec<CommitFacts>>,
    /// What came of rendering.
    pub render: Render,
    /// The objects, values of Secrets masked.
    pub objects: Vec<ObjectFacts>,
    /// Every container image that an object names.
    pub images: Vec<ImageFacts>,
    /// What differs from what runs, values of Secrets masked.
    pub diff: Vec<ObjectDiff>,
    /// Objects that another target owns already.
    pub conflicts: Vec<Conflict>,
    /// The blob of the objects as they will be applied, byte for byte; none if nothing was rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// In an `exact` environment: the manifest of each head that could explain the commit; none if it has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reviewed: BTreeMap<CommitId, Option<Digest>>,
    /// What the log says of this target.
    pub history: History,
}

/// What caused a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The event's id.
    pub event: String,
    /// The event's kind, as `pushed`.
    pub kind: String,
    /// Who the forge says caused it. Evidence for a reader, never for a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// The target as configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetFacts {
    /// Its names.
    #[serde(flatten)]
    pub target: Target,
    /// What it follows.
    pub follows: FollowedRef,
    /// The folder or file of its manifests.
    pub path: String,
    /// The namespaces that its objects may live in.
    pub namespaces: Vec<String>,
    /// The cluster-scoped kinds that it may hold, as `group/Kind`, or `Kind` in the core group.
    pub cluster_kinds: Vec<String>,
    /// Whether existing objects may be taken over.
    pub adopt: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The operation.
    pub operation: Operation,
    /// The commit that is to run.
    pub commit: CommitId,
    /// That commit's root tree.
    pub tree: TreeId,
    /// What the target's inputs hash to at that commit: equal closures give equal manifests.
    pub closure: Digest,
    /// For `activate`: the bundle that would become active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_bundle: Option<Digest>,
    /// For `hold`, `release` and a recovery: the statement that asks for it, by its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Digest>,
}

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Apply a commit that descends from what was last authorized.
    Deploy,
    /// Apply a commit that does not descend from what was last authorized.
    Rollback,
    /// Delete everything that the target owns.
    Remove,
    /// Make another bundle the active one.
    Activate,
    /// Take no change until released.
    Hold,
    /// Take changes again.
    Release,
}

/// The way from what was last authorized to the commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// Where it begins: what was last authorized, or the configured baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<CommitId>,
    /// Whether the repository no longer has that commit: its branch was rewritten, and the server forgot it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_gone: bool,
    /// How the commit stands to that.
    pub relation: Relation,
    /// The first-parent path after `from`, oldest first.
    pub commits: Vec<CommitFacts>,
    /// Those of them that alter the target's inputs.
    pub altering: Vec<CommitId>,
    /// Every run that a proposed head explains.
    pub explanations: Vec<Explanation>,
}

impl Range {
    /// Whether no authorized state leads to the tip, so that only an approval of that very commit explains it.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.from.is_none() || matches!(self.relation, Relation::Initial | Relation::Diverges)
    }
}

/// How a commit stands to what was last authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Relation {
    /// Nothing was ever authorized and no baseline is configured.
    Initial,
    /// The same commit, or one with the same inputs of this target.
    Same,
    /// It descends from what was last authorized.
    Descends,
    /// It does not: a rollback, or rewritten history.
    Diverges,
}

/// A run of first-parent commits that a head explains: the tree of `to` equals the conflict-free merge
/// of `after` and `head`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The commit before the run.
    pub after: CommitId,
    /// The run's last commit.
    pub to: CommitId,
    /// The proposed head.
    pub head: CommitId,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileChange {
    /// Its path from the repository's root.
    pub path: String,
    /// What happened to it.
    pub change: ChangeKind,
}

/// What happened to a file, an object or a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It differs.
    Changed,
    /// It is gone.
    Removed,
}

/// What came of rendering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "camelCase")]
pub enum Render {
    /// Nothing had to be rendered: a removal or a command.
    None,
    /// The objects are in the facts.
    Rendered,
    /// It failed; the decision is a denial that shows these.
    Failed {
        /// What was wrong, where.
        problems: Vec<Problem>,
    },
}

/// Something wrong in a file, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where.
    #[serde(flatten)]
    pub at: Position,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// The path from the repository's root.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What names an object on a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectKey {
    /// The API version, as `apps/v1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace; none for a cluster-scoped kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

/// An object with where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectFacts {
    /// What names it.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// Where it begins.
    pub origin: Position,
    /// Where its fields begin, by JSON pointer, as `/spec/replicas`.
    pub lines: BTreeMap<String, u32>,
    /// The file of each of those lines that is not in the object's own file: a patch, or a kustomization.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// The object itself, values of Secrets masked.
    pub object: serde_json::Value,
}

/// A container image that an object names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    /// As written, as `registry.example.com/shop/web:1.2@sha256:…`.
    pub reference: String,
    /// The registry's host; `docker.io` where none is written.
    pub registry: String,
    /// The repository on that registry.
    pub repository: String,
    /// The tag, if one is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest, if one is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The object that names it.
    pub object: ObjectKey,
    /// The JSON pointer of the field in that object.
    pub field: String,
}

/// How one object differs from what runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDiff {
    /// What names it.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// What happens to it.
    pub change: ChangeKind,
    /// For a changed object: its fields that differ.
    pub fields: Vec<FieldDiff>,
}

/// How one field differs. Values of Secrets are masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldDiff {
    /// The JSON pointer.
    pub field: String,
    /// What was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<serde_json::Value>,
    /// What would be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<serde_json::Value>,
}

/// An object that another target owns already.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// What names it.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// Who owns it.
    pub owner: Target,
}

/// What the log says of a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The newest allowed decision's commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorized: Option<CommitId>,
    /// That decision's index in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Since when that commit has been asked for: when the first look at it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorized_at: Option<Timestamp>,
    /// The commit that outcomes last said to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<CommitId>,
    /// The manifest that outcomes last said to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_manifest: Option<Digest>,
    /// Heads that an authorization on this ref has used, with the commit that each explained.
    pub used_heads: BTreeMap<CommitId, CommitId>,
    /// Why the target is held, if it is, and by whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// A target takes no change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Why, for people.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}
