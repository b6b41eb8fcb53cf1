//! How carrying out an authorization can end short of its end.

use countersign_cluster::failure::{Failure, Reason};
use countersign_core::outcome::{Check, ObjectOutcome, OutcomeResult};
use countersign_core::ports::PortError;
use countersign_core::ports::cluster::ClusterError;
use countersign_ledger::authorization::{NotVerified, Refused};

/// How it ended short of its end.
#[derive(Debug)]
pub enum Ending {
    /// The same message may succeed in a moment.
    Again(String),
    /// It is to be recorded.
    Outcome {
        /// What is recorded.
        result: OutcomeResult,
        /// In one sentence.
        summary: String,
        /// What was done, and what stood against it.
        objects: Vec<ObjectOutcome>,
    },
}

impl Ending {
    /// A check failed: nothing was written.
    pub fn refused(check: Check, why: String) -> Self {
        Self::Outcome { result: OutcomeResult::Refused { check }, summary: why, objects: Vec::new() }
    }

    fn failed(why: String) -> Self {
        Self::Outcome { result: OutcomeResult::Failed, summary: why, objects: Vec::new() }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Again(why) | Self::Outcome { summary: why, .. }) = self;
        f.write_str(why)
    }
}

impl From<Refused> for Ending {
    fn from(refused: Refused) -> Self {
        Self::refused(refused.check, refused.reason)
    }
}

impl From<NotVerified> for Ending {
    fn from(error: NotVerified) -> Self {
        match error {
            NotVerified::Refused(refused) => refused.into(),
            NotVerified::Unavailable(error) => error.into(),
            NotVerified::Unwitnessed(why) => Self::Again(why),
        }
    }
}

impl From<PortError> for Ending {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Unavailable(why) => Self::Again(why),
            PortError::Refused(why) => Self::failed(why),
        }
    }
}

/// A cluster that does not answer is recorded: a later attempt, with a fresh authorization, comes with backoff.
impl From<ClusterError> for Ending {
    fn from(error: ClusterError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        let result = match (&failure.reason, failure.check()) {
            (Reason::Conflict, _) => return Self::Again(failure.to_string()),
            (Reason::Overtaken { .. }, _) => OutcomeResult::Overtaken,
            (_, Some(check)) => OutcomeResult::Refused { check },
            (_, None) => OutcomeResult::Failed,
        };
        Self::Outcome { result, summary: failure.to_string(), objects: failure.outcomes() }
    }
}
