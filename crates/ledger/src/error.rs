//! Why the ledger did not do what was asked.

use countersign_core::ports::PortError;
use countersign_core::stage::StageError;

/// Why the ledger did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The store or the signer did not answer as hoped.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Another writer appended first. Nothing of this append is in the log.
    #[error("another writer appended to the log first: read it again and repeat the append")]
    Raced,
    /// The store lacks what the checkpoint vouches for.
    #[error("{key}: not in the store, but a log of {size} leaves has it: restore it from a copy of the log")]
    Missing {
        /// The key that has no value.
        key: String,
        /// The size of the log that was read.
        size: u64,
    },
    /// What the store holds is not what the checkpoint vouches for.
    #[error("{place}: {what}: restore it from a copy of the log, and find out who wrote to the store")]
    Corrupt {
        /// Where.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// A text or a value is not of its format.
    #[error("{what}: {why}")]
    Malformed {
        /// What was read, as `note`.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A signature is missing, or is not of the key that it should be of.
    #[error("{0}")]
    Signature(String),
    /// Something was asked that the log's rules forbid.
    #[error("{0}")]
    Forbidden(String),
}

impl LedgerError {
    pub(crate) fn malformed(what: &'static str, why: impl Into<String>) -> Self {
        Self::Malformed { what, why: why.into() }
    }

    pub(crate) fn corrupt(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Corrupt { place: place.into(), what: what.into() }
    }
}

/// A damaged log is mended by people, and no message may be lost until they have: it is retried.
impl From<LedgerError> for StageError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Port(port) => port.into(),
            LedgerError::Raced | LedgerError::Missing { .. } | LedgerError::Corrupt { .. } => {
                Self::Retry(error.to_string())
            }
            LedgerError::Malformed { .. } | LedgerError::Signature(_) | LedgerError::Forbidden(_) => {
                Self::Final(error.to_string())
            }
        }
    }
}
