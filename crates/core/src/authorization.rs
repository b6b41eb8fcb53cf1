//! The authorization as it travels: an in-toto statement in a DSSE envelope, with its proof.
//!
//! These are the wire shapes only. A verified authorization is a value that only the `ledger` crate's
//! verifier can make.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::facts::Operation;
use crate::names::{AttemptId, CommitId, Target, TreeId};
use crate::time::Timestamp;

/// The `_type` of an in-toto statement, version 1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The payload type of in-toto statements in DSSE.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The predicate type of an authorization.
pub const PREDICATE_TYPE: &str = "https://countersign.example/authorization/v1";

/// How long an authorization may be used. `apply` refuses it afterwards, and `record` makes another look due.
pub const LIFETIME: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// An authorization with the proof that its decision is in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvenAuthorization {
    /// The signed statement.
    pub envelope: Envelope,
    /// A C2SP tlog-proof: the leaf's index, its inclusion proof, and the checkpoint that it is under.
    pub proof: String,
}

/// A DSSE envelope, version 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// The type of the payload.
    pub payload_type: String,
    /// Base64 of the payload.
    pub payload: String,
    /// Signatures over the pre-authentication encoding of both.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// A hint which key made it.
    pub keyid: String,
    /// Base64 of the signature.
    pub sig: String,
}

/// An in-toto statement, version 1, whose predicate is an authorization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizationStatement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// The manifest.
    pub subject: Vec<Subject>,
    /// [`PREDICATE_TYPE`].
    pub predicate_type: String,
    /// What is authorized.
    pub predicate: Predicate,
}

/// What an in-toto statement is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// A name for people.
    pub name: String,
    /// Digests of it.
    pub digest: SubjectDigest,
}

/// The digest of a subject, as in-toto writes it: bare hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigest {
    /// SHA-256.
    pub sha256: String,
}

/// What is authorized: one manifest, on one cluster, for one target, for a short time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predicate {
    /// The UID of the cluster's `kube-system` namespace.
    pub audience: String,
    /// The target.
    pub target: Target,
    /// The attempt.
    pub attempt: AttemptId,
    /// Deploy, rollback or remove.
    pub operation: Operation,
    /// Namespaces that objects may live in.
    pub namespaces: Vec<String>,
    /// Cluster-scoped kinds that objects may be of.
    pub cluster_kinds: Vec<String>,
    /// Whether existing objects may be taken over.
    pub adopt: bool,
    /// The commit.
    pub commit: CommitId,
    /// Its root tree.
    pub tree: TreeId,
    /// The bundle under which it was decided.
    pub bundle: Digest,
    /// The log's origin.
    pub log: String,
    /// The log's epoch and the leaf's index: later authorizations have larger ones.
    pub sequence: Sequence,
    /// Base64 of the exact bytes of the decision's leaf.
    pub leaf: String,
    /// Not valid before.
    pub not_before: Timestamp,
    /// Not valid after.
    pub not_after: Timestamp,
}

/// The place of an authorization in the order of all. No counter exists that a backup could turn back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sequence {
    /// The log's epoch: one more after each rotation of its key.
    pub epoch: u32,
    /// The leaf's index.
    pub index: u64,
}
