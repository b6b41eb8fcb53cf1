//! Forges: what people said about commits, and where results are told.

use std::collections::BTreeSet;
use std::future::Future;

use super::PortError;
use crate::decision::{Decision, Verdict};
use crate::facts::ObjectDiff;
use crate::names::{CommitId, EnvironmentName, Reference, RepositoryId, Target};
use crate::outcome::Outcome;
use crate::review::{PullRequest, Status};
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

/// What opens a repository to Git. Its `Debug` form shows no secret.
#[derive(Clone)]
pub enum GitCredential {
    /// Over HTTP: sent to the URL's host alone.
    Token {
        /// The user; forges that take tokens take any, or `oauth2` (GitLab), `x-access-token` (GitHub).
        user: String,
        /// The token or password.
        secret: String,
    },
    /// Over SSH.
    Ssh {
        /// The private key, in OpenSSH's form, without a passphrase.
        key: String,
        /// The server's keys, as lines of a `known_hosts` file. A server with another key is not spoken to.
        known_hosts: String,
    },
}

impl std::fmt::Debug for GitCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Token { user, .. } => f.debug_struct("Token").field("user", user).finish_non_exhaustive(),
            Self::Ssh { .. } => f.debug_struct("Ssh").finish_non_exhaustive(),
        }
    }
}

/// An open pull request, as far as tells whether it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPullRequest {
    /// The forge's number.
    pub id: String,
    /// The branch that it asks to change.
    pub base: Reference,
    /// Its head.
    pub head: CommitId,
    /// Whether the head lives in another repository.
    pub fork: bool,
    /// Another text whenever anything about it changed, its reviews and labels included.
    pub version: String,
}

/// Reads what people said.
pub trait ForgeRead: Sync {
    /// What opens `repository` to Git, read at the moment of use; `None` where nothing is configured.
    ///
    /// # Errors
    /// When it cannot be read, or the forge gives none now.
    fn git_credential(
        &self,
        _repository: &RepositoryId,
    ) -> impl Future<Output = Result<Option<GitCredential>, PortError>> + Send {
        async { Ok(None) }
    }

    /// To be called when Git is denied with what [`ForgeRead::git_credential`] gave: what may have ended early is not
    /// given again.
    fn git_denied(&self, _repository: &RepositoryId) {}

    /// The open pull requests of `repository`, in one request or a few; `None` where there are none to list, as
    /// in plain Git.
    ///
    /// # Errors
    /// When the forge cannot be read.
    fn open_pull_requests(
        &self,
        _repository: &RepositoryId,
    ) -> impl Future<Output = Result<Option<Vec<OpenPullRequest>>, PortError>> + Send {
        async { Ok(None) }
    }

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

    /// What programs said of `commit` under one of `contexts`: the latest of each context by each that set it.
    /// Nothing where programs say nothing, as in plain Git, or the forge does not know the commit.
    ///
    /// # Errors
    /// When the forge cannot be read.
    fn statuses(
        &self,
        _repository: &RepositoryId,
        _commit: &CommitId,
        _contexts: &BTreeSet<String>,
    ) -> impl Future<Output = Result<Vec<Status>, PortError>> + Send {
        async { Ok(Vec::new()) }
    }
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
    /// Targets of that commit there with all that is said of them: all, or those that need somebody most.
    pub targets: Vec<ReportedTarget>,
    /// The other targets of that commit there, as they stand.
    pub others: Vec<(Target, TargetReport)>,
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
    /// What the decided change would do to what ran then, values of Secrets masked.
    pub diff: Vec<ObjectDiff>,
    /// What became of it, in full.
    pub outcome: Option<Outcome>,
}

impl Report {
    /// How each of all targets stands.
    pub fn states(&self) -> impl Iterator<Item = (&Target, &TargetReport)> {
        let told = self.targets.iter().map(|target| (&target.target, &target.state));
        told.chain(self.others.iter().map(|(target, state)| (target, state)))
    }

    /// The worst verdict of all targets.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let all = || self.states().map(|(_, state)| state.verdict);
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
