//! The bytes of a leaf: canonical JSON, and small.

use countersign_core::decision::Verdict;
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::leaf::{
    DecisionRecord, Disposition, LEAF_VERSION, Leaf, MAX_LEAF, Record, RejectedRecord,
};
use countersign_core::message::QueueName;
use countersign_core::stage::StageError;
use countersign_core::time::Timestamp;

/// The leaf of a record. A decision that is too large for one is denied, so that it is logged, and told; what
/// is still too large is rejected, so that it is not lost.
///
/// # Errors
/// When the record cannot be written as JSON.
pub fn of(now: Timestamp, record: Record) -> Result<(Record, Vec<u8>), StageError> {
    let bytes = write(now, &record)?;
    if bytes.len() <= MAX_LEAF {
        return Ok((record, bytes));
    }
    if let Record::Decision(decision) = &record {
        let denied = Record::Decision(Box::new(too_large(decision, bytes.len())));
        let bytes = write(now, &denied)?;
        if bytes.len() <= MAX_LEAF {
            return Ok((denied, bytes));
        }
    }
    let name = record.name();
    let rejected = Record::Rejected(RejectedRecord {
        id: Digest::of(name.as_bytes()),
        queue: QueueName::Decisions.to_string(),
        reason: format!("{name}: {} bytes, a leaf has at most {MAX_LEAF}", bytes.len()),
        body: Digest::of(&bytes),
        attempt: None,
        target: None,
    });
    let bytes = write(now, &rejected)?;
    Ok((rejected, bytes))
}

fn write(time: Timestamp, record: &Record) -> Result<Vec<u8>, StageError> {
    canonical_json(&Leaf { v: LEAF_VERSION, time, record: record.clone() })
        .map_err(|error| StageError::Final(format!("a leaf cannot be written as JSON: {error}")))
}

/// What makes a decision large is what explains it, and whom; its blob holds all of that.
fn too_large(decision: &DecisionRecord, bytes: usize) -> DecisionRecord {
    let disposition = match decision.disposition {
        Disposition::Preview => Disposition::Preview,
        _ => Disposition::Refused,
    };
    DecisionRecord {
        verdict: Verdict::Denied,
        disposition,
        reason: format!(
            "the change needs a leaf of {bytes} bytes, and one has at most {MAX_LEAF}: deploy it in smaller steps"
        ),
        explained: Vec::new(),
        approvers: Vec::new(),
        failed: Vec::new(),
        ..decision.clone()
    }
}

#[cfg(test)]
mod tests;
