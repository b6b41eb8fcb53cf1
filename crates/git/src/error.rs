//! Why a repository could not be read or written: worth another try, or final.

use countersign_core::names::CommitId;
use countersign_core::ports::PortError;
use git2::{ErrorClass, ErrorCode};

/// Why a repository did not give what was asked. Says what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// It may work later.
    #[error("{0}")]
    Retry(String),
    /// The server answers, and does not give it. It is worth another try: what is wrong is nothing about what was
    /// asked, and someone may mend it.
    #[error("{0}")]
    Denied(String),
    /// It will not work until someone changes what is asked for.
    #[error("{0}")]
    Final(String),
    /// The commit that was asked for is not there.
    #[error(
        "commit {0} is no longer reachable: it was force-pushed away or collected on the server, or never pushed; push it again, or look at the reference again"
    )]
    Gone(CommitId),
}

impl GitError {
    /// A failure of the library below, while doing `what`.
    pub(crate) fn while_doing(what: impl std::fmt::Display, error: &git2::Error) -> Self {
        let text = format!("{what}: {}", error.message());
        let passing =
            matches!(
                error.class(),
                ErrorClass::Os | ErrorClass::NoMemory | ErrorClass::Net | ErrorClass::Thread
            ) || matches!(error.code(), ErrorCode::Locked | ErrorCode::Modified | ErrorCode::Timeout);
        if passing { Self::Retry(text) } else { Self::Final(text) }
    }
}

impl From<GitError> for PortError {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Retry(text) | GitError::Denied(text) => Self::Unavailable(text),
            GitError::Final(_) | GitError::Gone(_) => Self::Refused(error.to_string()),
        }
    }
}
