//! Why a verb stopped: one error for all of them, with everything that was wrong and all that was done.

use std::fmt;

use countersign_core::authorization::Sequence;
use countersign_core::facts::ObjectKey;
use countersign_core::outcome::{Action, Check, ObjectOutcome};
use countersign_core::ports::cluster::ClusterError;

/// The kinds of failure. When several objects fail, the first kind in this order is the failure's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A newer authorization holds the inventory.
    Overtaken {
        /// Its sequence.
        by: Sequence,
    },
    /// An object is outside of the authorized namespaces and kinds.
    Scope,
    /// An object belongs to somebody else.
    Ownership,
    /// The cluster does not take it as it is written.
    Invalid,
    /// The credentials do not allow it.
    Forbidden,
    /// Somebody changed it at the same moment: to be tried again.
    Conflict,
    /// The cluster does not answer: to be tried again.
    Unavailable,
}

/// What was wrong with one object, or with the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectProblem {
    /// The object; none when it is not about one.
    pub key: Option<ObjectKey>,
    /// What was wrong, and what to do.
    pub message: String,
}

impl fmt::Display for ObjectProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// A verb that stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The gravest kind of what was wrong.
    pub reason: Reason,
    /// Everything that was wrong; never empty.
    pub problems: Vec<ObjectProblem>,
    /// What had been done by then. It stays done: the same sequence may be applied again.
    pub done: Vec<ObjectOutcome>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.problems.first() else { return f.write_str("it failed without a reason") };
        write!(f, "{first}")?;
        match self.problems.len() - 1 {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// A failure that is not about one object.
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            problems: vec![ObjectProblem { key: None, message: message.into() }],
            done: Vec::new(),
        }
    }

    /// A failure of one object.
    pub(crate) fn of(reason: Reason, key: &ObjectKey, message: impl Into<String>) -> Self {
        let problem = ObjectProblem { key: Some(key.clone()), message: message.into() };
        Self { reason, problems: vec![problem], done: Vec::new() }
    }

    /// What a cluster answered about one object.
    pub(crate) fn from_cluster(key: &ObjectKey, error: &ClusterError) -> Self {
        Self::of(reason(error), key, error.to_string())
    }

    /// One failure of many; `None` if there is none.
    pub(crate) fn all(failures: impl IntoIterator<Item = Self>) -> Option<Self> {
        failures.into_iter().reduce(|mut all, next| {
            all.reason = all.reason.min(next.reason);
            all.problems.extend(next.problems);
            all.done.extend(next.done);
            all
        })
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        matches!(self.reason, Reason::Unavailable | Reason::Conflict)
    }

    /// The check of `apply` that refused it, if one did.
    #[must_use]
    pub fn check(&self) -> Option<Check> {
        match self.reason {
            Reason::Scope => Some(Check::Scope),
            Reason::Ownership => Some(Check::Ownership),
            _ => None,
        }
    }

    /// What was done, then what was left alone and why, for an outcome.
    #[must_use]
    pub fn outcomes(&self) -> Vec<ObjectOutcome> {
        let skipped = self.problems.iter().filter_map(|problem| {
            let message = Some(problem.message.clone());
            problem.key.clone().map(|key| ObjectOutcome { key, action: Action::Skipped, message })
        });
        self.done.iter().cloned().chain(skipped).collect()
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        Self::new(reason(&error), error.to_string())
    }
}

fn reason(error: &ClusterError) -> Reason {
    match error {
        ClusterError::Unavailable(_) => Reason::Unavailable,
        ClusterError::Conflict(_) => Reason::Conflict,
        ClusterError::Forbidden(_) => Reason::Forbidden,
        // What is not there now has to be put there by somebody: the change as it is written cannot be.
        ClusterError::Invalid(_) | ClusterError::NotFound(_) => Reason::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_reason_counts_and_nothing_is_lost() {
        let all = Failure::all([
            Failure::new(Reason::Unavailable, "timed out"),
            Failure::new(Reason::Invalid, "no such field"),
            Failure::new(Reason::Conflict, "changed meanwhile"),
        ])
        .unwrap();
        assert_eq!(all.reason, Reason::Invalid);
        assert!(!all.is_retry());
        assert_eq!(all.to_string(), "timed out (and 2 more)");
        assert_eq!(Failure::all([]), None);
    }
}
