//! Who owns the files that a head changes, as a CODEOWNERS file says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::CommitId;

/// Who owns what a head brings: by the CODEOWNERS file of the branch that it is brought to, and never by its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodeOwners {
    /// The head that was proposed.
    pub head: CommitId,
    /// The first-parent commit that it explains.
    pub commit: CommitId,
    /// The commit whose tree has the file: the one before. Where nothing is before, the commit itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<CommitId>,
    /// Where the file lies there; none where there is none, and so nothing is owned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What of the files that differ somebody owns.
    pub owned: Vec<OwnedFiles>,
    /// Why nobody can tell whose files these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Files that one line of a CODEOWNERS file says the owners of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnedFiles {
    /// The line, counted from 1.
    pub line: u32,
    /// GitLab's section that the line is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The owners as the file names them, as `@ada`, `@acme/sre` or `ada@example.com`.
    pub owners: Vec<String>,
    /// How many of them have to approve.
    pub approvals: u32,
    /// The first of the files that differ.
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: usize,
}
