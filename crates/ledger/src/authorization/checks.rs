//! The checks of an authorization, in their order.

use countersign_core::authorization::{
    AuthorizationStatement, Envelope, PAYLOAD_TYPE, PREDICATE_TYPE, Predicate, ProvenAuthorization,
    STATEMENT_TYPE,
};
use countersign_core::digest::Digest;
use countersign_core::leaf::DecisionRecord;
use countersign_core::names::Target;
use countersign_core::outcome::Check;
use countersign_core::ports::signer::PublicKey;
use countersign_core::ports::store::Store;
use serde::Deserialize;

use super::{Expected, Held, MAX_AUTHORIZATION, NotVerified, Refused, refused};
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::dsse;
use crate::error::LedgerError;
use crate::issue::{authorizing_record, manifest_of};
use crate::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use crate::note::{Note, NoteKey};
use crate::proof::LogProof;
use crate::trust::Trust;
use crate::view::View;

/// Makes a ledger's error the refusal of a check.
fn because(check: Check) -> impl Fn(LedgerError) -> Refused {
    move |error| refused(check, error.to_string())
}

pub(super) fn parse_shape(bytes: &[u8]) -> Result<(ProvenAuthorization, LogProof), Refused> {
    if bytes.len() > MAX_AUTHORIZATION {
        let reason =
            format!("the authorization has {} bytes, at most {MAX_AUTHORIZATION} are read", bytes.len());
        return Err(refused(Check::Shape, reason));
    }
    let proven: ProvenAuthorization = serde_json::from_slice(bytes)
        .map_err(|error| refused(Check::Shape, format!("the authorization is not understood: {error}")))?;
    if proven.proof.is_empty() {
        return Err(refused(
            Check::Shape,
            "there is no proof that the decision is in the log: nothing is applied",
        ));
    }
    let proof = proven.proof.parse().map_err(because(Check::Shape))?;
    Ok((proven, proof))
}

/// The payload, with the key that signed it: that of the current epoch, or of an earlier one.
pub(super) fn check_signature<'t>(
    envelope: &Envelope,
    trust: &'t Trust,
) -> Result<(Vec<u8>, &'t PublicKey), Refused> {
    let mut first = None;
    for key in trust.authorization_keys() {
        match dsse::verify(envelope, key) {
            Ok(payload) => return Ok((payload, key)),
            Err(LedgerError::Malformed { what, why }) => {
                return Err(refused(Check::Shape, LedgerError::Malformed { what, why }.to_string()));
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    let why = first.map_or_else(|| "no key is trusted".to_owned(), |error| error.to_string());
    Err(refused(Check::Signature, why))
}

/// The part of a statement that says what the rest is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatementHead {
    #[serde(rename = "_type")]
    statement_type: String,
    predicate_type: String,
}

pub(super) fn parse_statement(payload_type: &str, payload: &[u8]) -> Result<AuthorizationStatement, Refused> {
    let wrong_type = |what: &str, found: &str, due: &str| {
        let found: String = found.chars().take(120).collect();
        refused(Check::Type, format!("the {what} is {found:?}, expected {due:?}"))
    };
    if payload_type != PAYLOAD_TYPE {
        return Err(wrong_type("payload type", payload_type, PAYLOAD_TYPE));
    }
    let shape =
        |error: serde_json::Error| refused(Check::Shape, format!("the statement is not understood: {error}"));
    let head: StatementHead = serde_json::from_slice(payload).map_err(shape)?;
    if head.statement_type != STATEMENT_TYPE {
        return Err(wrong_type("statement's type", &head.statement_type, STATEMENT_TYPE));
    }
    if head.predicate_type != PREDICATE_TYPE {
        return Err(wrong_type("predicate's type", &head.predicate_type, PREDICATE_TYPE));
    }
    serde_json::from_slice(payload).map_err(shape)
}

pub(super) fn subject_of(statement: &AuthorizationStatement) -> Result<Digest, Refused> {
    let [subject] = statement.subject.as_slice() else {
        return Err(refused(Check::Shape, "the statement has not exactly one subject"));
    };
    let digest = format!("sha256:{}", subject.digest.sha256).parse();
    digest.map_err(|_| refused(Check::Shape, "the statement's subject has no SHA-256 digest"))
}

pub(super) fn check_audience(predicate: &Predicate, trust: &Trust) -> Result<(), Refused> {
    if predicate.audience == trust.audience {
        return Ok(());
    }
    let reason = format!(
        "it is for the cluster with UID {:?}, this one has {:?}: check the cluster's uid in countersign.yaml",
        predicate.audience, trust.audience
    );
    Err(refused(Check::Audience, reason))
}

/// What the inventory holds already may be applied again at any later time: so drift is mended.
pub(super) fn check_time(
    predicate: &Predicate,
    manifest: &Digest,
    expected: &Expected<'_>,
) -> Result<(), Refused> {
    let now = expected.now;
    if now < predicate.not_before {
        let reason =
            format!("it is not valid before {}, and it is {now}: check the clocks", predicate.not_before);
        return Err(refused(Check::Time, reason));
    }
    let is_held = expected.held == Some(Held { sequence: predicate.sequence, manifest: *manifest });
    if now > predicate.not_after && !is_held {
        let waits = match expected.trust.witnesses.required {
            0 => "",
            _ => "; this cluster demands a witness, so see that the witness runs",
        };
        let ended = predicate.not_after;
        let reason = format!("it expired at {ended}, and it is {now}: a new look issues a new one{waits}");
        return Err(refused(Check::Time, reason));
    }
    Ok(())
}

/// An epoch's authorizations are signed with its own key.
pub(super) fn check_epoch(predicate: &Predicate, key: &PublicKey, trust: &Trust) -> Result<(), Refused> {
    let found = predicate.sequence.epoch;
    match trust.authorization_key_of(found) {
        Some(due) if due == key => Ok(()),
        Some(_) => {
            let reason = format!("it is of the log's epoch {found}, and signed with the key of another");
            Err(refused(Check::Sequence, reason))
        }
        None => {
            let trusted = trust.epoch;
            let reason = format!("it is of the log's epoch {found}, this cluster trusts epoch {trusted}");
            Err(refused(Check::Sequence, reason))
        }
    }
}

pub(super) fn check_sequence(
    predicate: &Predicate,
    manifest: &Digest,
    expected: &Expected<'_>,
) -> Result<(), Refused> {
    let found = predicate.sequence;
    let Some(held) = expected.held else { return Ok(()) };
    if found < held.sequence {
        let reason = format!(
            "its sequence {} is below {}, which this cluster holds already: a newer authorization took over",
            found.index, held.sequence.index
        );
        return Err(refused(Check::Sequence, reason));
    }
    if found == held.sequence && *manifest != held.manifest {
        let reason =
            format!("sequence {} is held here with another manifest, {}", found.index, held.manifest);
        return Err(refused(Check::Sequence, reason));
    }
    Ok(())
}

pub(super) fn check_leaf(
    leaf: &[u8],
    predicate: &Predicate,
    manifest: &Digest,
    target: &Target,
) -> Result<DecisionRecord, Refused> {
    let record = authorizing_record(leaf, predicate.sequence.index).map_err(because(Check::Leaf))?;
    let differs = |what: &str| {
        refused(Check::Leaf, format!("the leaf's {what} is not the one that the authorization names"))
    };
    if record.target != *target {
        let reason = format!("it is for target {}, and {target} is to change", record.target);
        return Err(refused(Check::Leaf, reason));
    }
    let same = [
        ("target", record.target == predicate.target),
        ("manifest", manifest_of(&record) == Some(*manifest)),
        ("commit", record.commit == predicate.commit),
        ("tree", record.tree == predicate.tree),
        ("bundle", record.bundle == predicate.bundle),
        ("operation", record.operation == predicate.operation),
        ("attempt", record.attempt == predicate.attempt),
    ];
    match same.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(differs(what)),
        None => Ok(record),
    }
}

/// The checkpoint is not verified yet: that is the next check, and without it this one is worth nothing.
pub(super) fn check_inclusion(leaf: &[u8], predicate: &Predicate, proof: &LogProof) -> Result<(), Refused> {
    let index = predicate.sequence.index;
    if proof.index != index {
        let reason = format!("the proof is of leaf {}, the authorization's leaf is {index}", proof.index);
        return Err(refused(Check::Inclusion, reason));
    }
    let note = Note::parse(&proof.checkpoint).map_err(because(Check::Shape))?;
    let claimed = Checkpoint::parse(note.text()).map_err(because(Check::Shape))?;
    if verify_inclusion(&leaf_hash(leaf), index, claimed.size, &proof.path, &claimed.root) {
        return Ok(());
    }
    let reason = format!("the proof does not show the decision as leaf {index} of the log");
    Err(refused(Check::Inclusion, reason))
}

pub(super) fn check_checkpoint(
    predicate: &Predicate,
    proof: &LogProof,
    trust: &Trust,
) -> Result<SignedCheckpoint, Refused> {
    let wrong = because(Check::Checkpoint);
    if predicate.log != trust.origin {
        let reason = format!("it is of log {:?}, this cluster trusts log {:?}", predicate.log, trust.origin);
        return Err(refused(Check::Checkpoint, reason));
    }
    let keys = trust.checkpoint_keys().map_err(&wrong)?;
    SignedCheckpoint::verify_by_any(&proof.checkpoint, &keys).map_err(&wrong)
}

/// Either checkpoint may be the older one: an authorization may have waited while others were applied.
pub(super) async fn check_consistency(
    proven: SignedCheckpoint,
    expected: &Expected<'_>,
    log: &impl Store,
) -> Result<String, NotVerified> {
    let Some(kept) = expected.kept else { return Ok(proven.text().to_owned()) };
    let wrong = because(Check::Consistency);
    let keys = expected.trust.checkpoint_keys().map_err(&wrong)?;
    let kept = SignedCheckpoint::verify_by_any(kept, &keys).map_err(|error| {
        refused(
            Check::Consistency,
            format!("the checkpoint that is kept on this cluster is not usable: {error}"),
        )
    })?;
    check_rotation(&kept, &proven, keys.first()).map_err(&wrong)?;
    one_history(kept, proven, log, "kept on this cluster").await
}

/// Once a checkpoint of the current epoch is kept, the keys before it vouch for nothing that came later: whoever stole
/// one of them could otherwise go on with the log.
fn check_rotation(
    kept: &SignedCheckpoint,
    proven: &SignedCheckpoint,
    current: Option<&NoteKey>,
) -> Result<(), LedgerError> {
    let Some(current) = current else { return Ok(()) };
    let (kept_at, proven_at) = (kept.checkpoint().size, proven.checkpoint().size);
    if proven_at <= kept_at || !kept.is_signed_by(current)? || proven.is_signed_by(current)? {
        return Ok(());
    }
    Err(LedgerError::Signature(format!(
        "the checkpoint of {proven_at} leaves is signed by the key of an earlier epoch, and the one of {kept_at} leaves that \
         is kept on this cluster by the current one: find out who still signs with the earlier key"
    )))
}

/// The text of the larger of two checkpoints of one history; of the first, where they are of one size. `first` is
/// described by `what`.
pub(super) async fn one_history(
    first: SignedCheckpoint,
    second: SignedCheckpoint,
    log: &impl Store,
    what: &str,
) -> Result<String, NotVerified> {
    let (old, new) =
        if first.checkpoint().size < second.checkpoint().size { (first, second) } else { (second, first) };
    let (old, mut view) = (old.checkpoint().clone(), View::new(log, new));
    let path = view.consistency_proof(old.size).await.map_err(|error| match error {
        LedgerError::Port(error) => NotVerified::Unavailable(error),
        other => NotVerified::Refused(refused(
            Check::Consistency,
            format!("the log cannot show that the checkpoint {what} is of its history: {other}"),
        )),
    })?;
    let new = view.at().checkpoint();
    if verify_consistency((old.size, &old.root), (new.size, &new.root), &path) {
        return Ok(view.at().text().to_owned());
    }
    let reason = format!(
        "the log's checkpoints of size {} and {} (one {what}) are not of one history: it was rewritten, or shows each cluster \
         another log. Stop, keep both checkpoints, and call whoever owns the log's key",
        old.size, new.size
    );
    Err(refused(Check::Consistency, reason).into())
}
