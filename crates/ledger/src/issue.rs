//! Issuing authorizations: the last step of `record`, taken only for what is in the log.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::authorization::{
    AuthorizationStatement, LIFETIME, PAYLOAD_TYPE, PREDICATE_TYPE, Predicate, ProvenAuthorization,
    STATEMENT_TYPE, Sequence, Subject, SubjectDigest,
};
use countersign_core::decision::{Decision, Verdict};
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::Operation;
use countersign_core::leaf::{DecisionRecord, Disposition, Leaf, Record};
use countersign_core::manifest::Manifest;
use countersign_core::ports::signer::Signer;
use countersign_core::ports::store::Store;
use countersign_core::time::Timestamp;

use crate::dsse;
use crate::error::LedgerError;
use crate::view::View;

/// How far the clocks of `record` and of `apply` may be apart.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// What an authorization is to say beyond what the decision's leaf says.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The decision, whose leaf is in the log.
    pub decision: &'a Decision,
    /// The UID of the cluster's `kube-system` namespace.
    pub audience: &'a str,
    /// The log's epoch.
    pub epoch: u32,
    /// When it is issued: it is valid from [`CLOCK_SKEW`] before to [`LIFETIME`] after.
    pub now: Timestamp,
}

/// Issues the authorization that follows from leaf `index`, with the proof that the leaf is in the log.
///
/// The leaf is read back from the log, not taken from the caller: what could not be read is not authorized.
///
/// # Errors
/// [`LedgerError::Forbidden`] when that leaf authorizes nothing or is of another decision, the signer's
/// error, or as [`View::leaf`].
pub async fn issue<S: Store>(
    signer: &impl Signer,
    log: &mut View<'_, S>,
    index: u64,
    grant: &Grant<'_>,
) -> Result<ProvenAuthorization, LedgerError> {
    let bytes = log.leaf(index).await?;
    let record = authorizing_record(&bytes, index)?;
    if record.attempt != grant.decision.attempt || record.target != grant.decision.target {
        return Err(LedgerError::Forbidden(format!(
            "leaf {index} is of another decision than is to be authorized"
        )));
    }
    let manifest = manifest_of(&record).ok_or_else(|| {
        LedgerError::Forbidden(format!(
            "leaf {index} allows a deployment without a manifest: nothing can be applied"
        ))
    })?;
    let statement = AuthorizationStatement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: vec![Subject {
            name: record.target.to_string(),
            digest: SubjectDigest { sha256: manifest.hex() },
        }],
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: predicate(&bytes, index, &record, grant, log),
    };
    let payload = canonical_json(&statement)
        .map_err(|error| LedgerError::malformed("authorization", error.to_string()))?;
    let envelope = dsse::sign(signer, PAYLOAD_TYPE, &payload).await?;
    Ok(ProvenAuthorization { envelope, proof: log.prove(index).await?.to_string() })
}

fn predicate<S: Store>(
    leaf: &[u8],
    index: u64,
    record: &DecisionRecord,
    grant: &Grant<'_>,
    log: &View<'_, S>,
) -> Predicate {
    Predicate {
        audience: grant.audience.to_owned(),
        target: record.target.clone(),
        attempt: record.attempt,
        operation: record.operation,
        namespaces: grant.decision.namespaces.clone(),
        cluster_kinds: grant.decision.cluster_kinds.clone(),
        adopt: grant.decision.adopt,
        commit: record.commit.clone(),
        tree: record.tree.clone(),
        bundle: record.bundle,
        log: log.at().checkpoint().origin.clone(),
        sequence: Sequence { epoch: grant.epoch, index },
        leaf: STANDARD.encode(leaf),
        not_before: grant.now.minus(CLOCK_SKEW),
        not_after: grant.now.plus(LIFETIME),
    }
}

/// The decision in a leaf, if an authorization may follow from it.
pub(crate) fn authorizing_record(bytes: &[u8], index: u64) -> Result<DecisionRecord, LedgerError> {
    let forbidden = |why: &str| LedgerError::Forbidden(format!("leaf {index} {why}"));
    let leaf: Leaf =
        serde_json::from_slice(bytes).map_err(|error| forbidden(&format!("is not understood: {error}")))?;
    if leaf.v != countersign_core::leaf::LEAF_VERSION {
        return Err(forbidden(&format!("is of version {}, which this release does not read", leaf.v)));
    }
    let Record::Decision(record) = leaf.record else { return Err(forbidden("is not a decision")) };
    if record.verdict != Verdict::Allowed {
        return Err(forbidden("is a decision that does not allow the change"));
    }
    if record.disposition != Disposition::Authorized {
        return Err(forbidden(&format!("is a decision that was recorded as {:?}", record.disposition)));
    }
    if !matches!(record.operation, Operation::Deploy | Operation::Rollback | Operation::Remove) {
        return Err(forbidden(&format!("asks for {:?}, which no cluster does", record.operation)));
    }
    Ok(*record)
}

/// The manifest that a recorded decision authorizes: for a removal without one, the empty manifest.
pub(crate) fn manifest_of(record: &DecisionRecord) -> Option<Digest> {
    if record.manifest.is_some() || record.operation != Operation::Remove {
        return record.manifest;
    }
    canonical_json(&Manifest::new(Vec::new())).ok().map(|bytes| Digest::of(&bytes))
}

#[cfg(test)]
mod tests;
