//! Verifying authorizations: the first step of `apply`. No inclusion proof, no apply.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::authorization::{Predicate, Sequence};
use countersign_core::digest::Digest;
use countersign_core::leaf::DecisionRecord;
use countersign_core::manifest::{MANIFEST_VERSION, Manifest};
use countersign_core::names::Target;
use countersign_core::outcome::Check;
use countersign_core::ports::PortError;
use countersign_core::ports::store::Store;
use countersign_core::time::Timestamp;

use crate::trust::Trust;

mod checks;
mod witnessed;

/// The most bytes that an authorization and its proof may have: a leaf, twice in base64, and some room.
pub const MAX_AUTHORIZATION: usize = 256 * 1024;

/// What an authorization is verified against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// What was installed on the cluster.
    pub trust: &'a Trust,
    /// The target that is to change.
    pub target: &'a Target,
    /// The time.
    pub now: Timestamp,
    /// What the target's inventory holds; none before the first apply.
    pub held: Option<Held>,
    /// The checkpoint that is kept on the cluster; none before the first apply.
    pub kept: Option<&'a str>,
}

/// What a target's inventory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The sequence of the authorization that was last claimed.
    pub sequence: Sequence,
    /// The manifest that it was for.
    pub manifest: Digest,
}

/// Why an authorization is refused. It never becomes valid as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused {
    /// The check that failed first.
    pub check: Check,
    /// What was wrong, and what to do, for people.
    pub reason: String,
}

/// Why there is no verified authorization.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The log could not be read now: nothing is known, and the same authorization may be tried again.
    #[error("the log could not be read: {0}")]
    Unavailable(PortError),
    /// No witness has cosigned the log that far yet: the same authorization may be tried again.
    #[error("{0}")]
    Unwitnessed(String),
}

fn refused(check: Check, reason: impl Into<String>) -> Refused {
    Refused { check, reason: reason.into() }
}

/// A verified authorization. Only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Authorization {
    predicate: Predicate,
    manifest: Digest,
    record: DecisionRecord,
    keep: String,
}

impl Authorization {
    /// What is authorized.
    #[must_use]
    pub const fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// The decision from which it follows, as the log holds it.
    #[must_use]
    pub const fn record(&self) -> &DecisionRecord {
        &self.record
    }

    /// The digest of the manifest that is to be applied; for a removal, of the empty manifest.
    #[must_use]
    pub const fn manifest_digest(&self) -> Digest {
        self.manifest
    }

    /// What the target's inventory holds once this is claimed.
    #[must_use]
    pub const fn held(&self) -> Held {
        Held { sequence: self.predicate.sequence, manifest: self.manifest }
    }

    /// The checkpoint to keep on the cluster from now on: the larger of the one kept and the one proven by, or, where
    /// a witness is demanded, the one that it cosigned.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.keep
    }

    /// Reads the manifest, if these are the bytes that are authorized: the last check before the objects.
    ///
    /// # Errors
    /// [`Refused`] with [`Check::Manifest`] when they are other bytes, or not a manifest.
    pub fn manifest(&self, bytes: &[u8]) -> Result<Manifest, Refused> {
        let found = Digest::of(bytes);
        if found != self.manifest {
            let reason = format!("the manifest has digest {found}, authorized is {}", self.manifest);
            return Err(refused(Check::Manifest, reason));
        }
        let manifest: Manifest = serde_json::from_slice(bytes)
            .map_err(|error| refused(Check::Manifest, format!("the manifest is not understood: {error}")))?;
        if manifest.v != MANIFEST_VERSION {
            let reason =
                format!("the manifest is of version {}, this release reads {MANIFEST_VERSION}", manifest.v);
            return Err(refused(Check::Manifest, reason));
        }
        Ok(manifest)
    }
}

/// Verifies an authorization, check by check, and stops at the first that fails.
///
/// `log` is read for two things only: the proof that the checkpoint that is kept on the cluster and the one
/// that came along are of one history, and, where a witness is demanded, what it cosigned.
///
/// # Errors
/// [`NotVerified::Refused`] with the check that failed; otherwise when the log cannot be read, or its witness is not so
/// far yet.
pub async fn verify(
    bytes: &[u8],
    expected: &Expected<'_>,
    log: &impl Store,
) -> Result<Authorization, NotVerified> {
    let (proven, proof) = checks::parse_shape(bytes)?;
    let (payload, key) = checks::check_signature(&proven.envelope, expected.trust)?;
    let statement = checks::parse_statement(&proven.envelope.payload_type, &payload)?;
    let manifest = checks::subject_of(&statement)?;
    let predicate = statement.predicate;
    checks::check_audience(&predicate, expected.trust)?;
    checks::check_time(&predicate, &manifest, expected)?;
    checks::check_epoch(&predicate, key, expected.trust)?;
    checks::check_sequence(&predicate, &manifest, expected)?;
    let leaf = STANDARD
        .decode(&predicate.leaf)
        .map_err(|_| refused(Check::Leaf, "the decision's leaf is not base64"))?;
    let record = checks::check_leaf(&leaf, &predicate, &manifest, expected.target)?;
    checks::check_inclusion(&leaf, &predicate, &proof)?;
    let checkpoint = checks::check_checkpoint(&predicate, &proof, expected.trust)?;
    let checkpoint = witnessed::find(checkpoint, predicate.sequence.index, expected.trust, log).await?;
    let keep = checks::check_consistency(checkpoint, expected, log).await?;
    Ok(Authorization { predicate, manifest, record, keep })
}

#[cfg(test)]
mod tests;
