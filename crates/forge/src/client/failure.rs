//! Why a forge did not do what was asked: later, or never.

use countersign_core::ports::PortError;
use countersign_core::time::Timestamp;

/// Why a forge did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// It may work later; if the forge says when, not before.
    #[error("{why}{}", .not_before.map(|time| format!("; not before {time}")).unwrap_or_default())]
    Later {
        /// What was wrong.
        why: String,
        /// When the forge takes requests again.
        not_before: Option<Timestamp>,
    },
    /// The forge answered, and will answer so again.
    #[error("{why}")]
    Refused {
        /// The status that it answered with.
        status: u16,
        /// What that means.
        why: String,
    },
    /// It will never work as asked.
    #[error("{0}")]
    Final(String),
}

impl Failure {
    /// It may work later; the forge does not say when.
    pub(crate) fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), not_before: None }
    }

    /// Whether the forge answered with this status.
    pub(crate) fn is(&self, expected: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == expected)
    }

    /// When the forge takes requests again, if it said so.
    pub(crate) fn not_before(&self) -> Option<Timestamp> {
        match self {
            Self::Later { not_before, .. } => *not_before,
            Self::Refused { .. } | Self::Final(_) => None,
        }
    }

    /// What another port said.
    pub(crate) fn of_port(error: PortError) -> Self {
        match error {
            PortError::Unavailable(why) => Self::later(why),
            PortError::Refused(why) => Self::Final(why),
        }
    }
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Later { .. } => Self::Unavailable(failure.to_string()),
            Failure::Refused { why, .. } | Failure::Final(why) => Self::Refused(why),
        }
    }
}
