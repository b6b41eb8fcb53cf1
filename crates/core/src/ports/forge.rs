//! Forges: what people said about commits, and where results are told.

use std::future::Future;

use super::PortError;
use crate::decision::{Decision, Verdict};
use crate::names::{CommitId, EnvironmentName, Reference, RepositoryId, Target};
use crate::outcome::Outcome;
use crate::review::PullRequest;
use crate::statement::SignedStatement;
use crate::target::TargetReport;

/// What people said about commits: raw, for policy to judge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Pull requests as the forge tells of them.
    pub pull_requests: Vec<PullRequest>,
    /// Signed statements, unverified.
    pub statements: Vec<SignedStatement>,
}

/// Reads what people said.
pub trait ForgeRead: Sync {
    /// Pull requests of `repository` that ask, or asked, to change `base` and could have led to one of
    /// `commits` (the first-parent path that has to be explained), closed and merged ones included; and
    /// the signed statements of the repository that could.
    ///
    /// # Errors
    /// When the forge cannot be read.
    fn evidence(
        &self,
        repository: &RepositoryId,
        base: &Reference,
        commits: &[CommitId],
    ) -> impl Future<Output = Result<Evidence, PortError>> + Send;
}

/// What is to be told of one commit in one environment.
#[derive(Clone, Debug)]
pub struct Report {
    /// The repository.
    pub repository: RepositoryId,
    /// The commit.
    pub commit: CommitId,
    /// The environment.
    pub environment: EnvironmentName,
    /// All targets of that commit there, as they stand.
    pub targets: Vec<ReportedTarget>,
}

/// How one target stands.
#[derive(Clone, Debug)]
pub struct ReportedTarget {
    /// The target.
    pub target: Target,
    /// Its state.
    pub state: TargetReport,
    /// The decision.
    pub decision: Decision,
    /// What became of it, in full.
    pub outcome: Option<Outcome>,
}

impl Report {
    /// The worst verdict of all targets.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let all = || self.targets.iter().map(|target| target.state.verdict);
        if all().any(|verdict| verdict == Verdict::Denied) {
            Verdict::Denied
        } else if all().any(|verdict| verdict == Verdict::Pending) {
            Verdict::Pending
        } else {
            Verdict::Allowed
        }
    }
}

/// Tells people how their commit stands.
pub trait ForgeReport: Sync {
    /// Replaces what was told before of the same commit in the same environment.
    ///
    /// # Errors
    /// When the forge cannot be written.
    fn report(&self, report: &Report) -> impl Future<Output = Result<(), PortError>> + Send;
}
