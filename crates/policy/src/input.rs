//! The document that policies see as `input`: the facts, and what is computed from their evidence of people.
//!
//! Its shape is published as a JSON Schema and versioned with the facts. Every name that a policy writes
//! after `input.` is checked against it when a bundle is compiled.

use std::collections::BTreeMap;

use countersign_core::configuration::Configuration;
use countersign_core::decision::{Approval, WeighedStatus};
use countersign_core::digest::Digest;
use countersign_core::facts::{
    Cause, Change, Conflict, Explanation, Facts, FileChange, History, ImageFacts, ObjectDiff, ObjectFacts,
    Relation, Render, TargetFacts,
};
use countersign_core::names::{CommitId, PersonName};
use countersign_core::review::CommitFacts;
use countersign_core::signatures::VerifiedSignatures;
use countersign_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::approval::proposals::Proposal;
use crate::approval::{Evidence, Requirement};
use crate::owners::{Handles, Owned};
use crate::path::Path;

/// All that policies see of a change; `data` is all that they see besides.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input<'a> {
    /// The version of the facts.
    pub v: u32,
    /// What caused the look.
    pub cause: &'a Cause,
    /// Now, for every rule: when the cause was received, per RFC 3339 in UTC.
    pub time: Timestamp,
    /// The target, and what the configuration says of it.
    pub target: &'a TargetFacts,
    /// The bundle under which the decision is made.
    pub bundle: Digest,
    /// Whether this only previews a pull request.
    pub preview: bool,
    /// What is asked for: the operation and the commit.
    pub change: &'a Change,
    /// The way from what was last authorized to the commit, and what explains it.
    pub range: InputRange<'a>,
    /// Files that differ below the target's path.
    pub files: &'a [FileChange],
    /// Pull requests of the forge and signed proposals of plain Git, in one shape.
    pub pull_requests: &'a [Proposal],
    /// Every approval that was ever given for a head that takes part, whether it counts, and why.
    pub approvals: &'a [Approval],
    /// What programs said of the heads that take part, under the contexts of the statuses that are required;
    /// whether it is the word of whom it is expected from, and why not.
    pub statuses: &'a [WeighedStatus],
    /// What a change of this target needs.
    pub required: &'a Requirement,
    /// Commits of the proposals, by the head that they lead to.
    pub proposed: &'a BTreeMap<CommitId, Vec<CommitFacts>>,
    /// Who signed each commit whose signature is good.
    pub signatures: BTreeMap<&'a CommitId, CommitSignatory<'a>>,
    /// What came of rendering.
    pub render: &'a Render,
    /// The objects as they will be applied, values of Secrets masked.
    pub objects: &'a [ObjectFacts],
    /// Every container image that an object names.
    pub images: &'a [ImageFacts],
    /// What differs from what runs, values of Secrets masked.
    pub diff: &'a [ObjectDiff],
    /// Objects that another target owns already.
    pub conflicts: &'a [Conflict],
    /// The digest of the manifest, if one was rendered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// What the log says of this target.
    pub history: &'a History,
}

/// The way from what was last authorized to the commit, and what explains it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputRange<'a> {
    /// Where it begins: what was last authorized, or the configured baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'a CommitId>,
    /// How the commit stands to that.
    pub relation: Relation,
    /// The first-parent path after `from`, oldest first.
    pub commits: &'a [CommitFacts],
    /// Those of them that alter the target's inputs.
    pub altering: &'a [CommitId],
    /// Whether the repository no longer has the commit where it begins; absent if it has.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_gone: bool,
    /// Every run of commits that a proposed head explains, also those that are not used.
    pub explanations: &'a [Explanation],
    /// The reviewed heads that carry the change, oldest first: each needs the approvals that are required.
    pub heads: Vec<InputHead<'a>>,
    /// Altering commits that no reviewed head explains: they ride along.
    pub unexplained: &'a [CommitId],
}

/// A head that carries a part of the change.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InputHead<'a> {
    /// The head that was proposed.
    pub head: &'a CommitId,
    /// The first-parent commit that it explains.
    pub commit: &'a CommitId,
    /// People whose approval of this head counts.
    pub approvers: Vec<&'a PersonName>,
    /// People whose approval of this head would count, and who have not given it.
    pub could_approve: Vec<&'a PersonName>,
    /// What of the files that it brings somebody owns, where their owners are asked for.
    pub owned: Vec<Owned<'a>>,
    /// Why nobody can tell whose files they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owners_problem: Option<&'a str>,
}

/// Who signed a commit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommitSignatory<'a> {
    /// The key's fingerprint, as `SHA256:…`.
    pub key: &'a str,
    /// The person whose key it is, if the control repository knows one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<&'a PersonName>,
}

/// The JSON Schema of [`Input`].
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<Input<'static>>().to_value()
}

impl<'a> Input<'a> {
    /// What policies see of `facts`.
    #[must_use]
    pub fn of(
        configuration: &'a Configuration,
        facts: &'a Facts,
        signatures: &'a VerifiedSignatures,
        requirement: &'a Requirement,
        evidence: &'a Evidence,
        path: &'a Path,
    ) -> Self {
        let signatory = |by: &'a countersign_core::signatures::Signatory| CommitSignatory {
            key: &by.fingerprint,
            person: by.person.as_ref(),
        };
        Self {
            v: facts.v,
            cause: &facts.cause,
            time: facts.time,
            target: &facts.target,
            bundle: facts.bundle,
            preview: facts.preview,
            change: &facts.change,
            range: InputRange {
                from: facts.range.from.as_ref(),
                relation: facts.range.relation,
                commits: &facts.range.commits,
                altering: &facts.range.altering,
                from_gone: facts.range.from_gone,
                explanations: &facts.range.explanations,
                heads: heads(configuration, facts, requirement, evidence, path),
                unexplained: &path.unexplained,
            },
            files: &facts.files,
            pull_requests: &evidence.proposals,
            approvals: &evidence.approvals,
            statuses: &evidence.statuses,
            required: requirement,
            proposed: &facts.proposed,
            signatures: signatures.commits.iter().map(|(commit, by)| (commit, signatory(by))).collect(),
            render: &facts.render,
            objects: &facts.objects,
            images: &facts.images,
            diff: &facts.diff,
            conflicts: &facts.conflicts,
            manifest: facts.manifest,
            history: &facts.history,
        }
    }
}

fn heads<'a>(
    configuration: &'a Configuration,
    facts: &'a Facts,
    requirement: &'a Requirement,
    evidence: &'a Evidence,
    path: &'a Path,
) -> Vec<InputHead<'a>> {
    let handles = requirement.code_owners.then(|| Handles::of(configuration));
    let head = |used: &'a countersign_core::decision::ExplainedHead| {
        let approvers = evidence.approvers(&used.head);
        let involved = evidence.involved.get(&used.head);
        let free = |person: &&PersonName| {
            let out = involved
                .is_none_or(|involved| involved.unknown.is_some() || involved.people.contains_key(*person));
            !out && !approvers.contains(*person)
        };
        let could_approve: Vec<_> = requirement.people(configuration).into_iter().filter(free).collect();
        let approvers: Vec<_> = approvers.into_iter().collect();
        let owned = handles
            .as_ref()
            .map(|handles| handles.owned(facts, &used.head, &used.commit, &approvers, &could_approve));
        let (owned, owners_problem) = match owned.unwrap_or(Ok(Vec::new())) {
            Ok(owned) => (owned, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let (head, commit) = (&used.head, &used.commit);
        InputHead { head, commit, approvers, could_approve, owned, owners_problem }
    };
    path.heads.iter().map(head).collect()
}
