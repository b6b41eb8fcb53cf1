//! Which signatures are good: what `provenance` finds and `policy` believes.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::names::{CommitId, PersonName};

/// Signatures that were verified over facts: which key made which. Made by `provenance`, believed by `policy`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedSignatures {
    /// The key that signed each statement whose signature is good.
    pub statements: BTreeMap<Digest, Signatory>,
    /// The key that signed each commit whose signature is good.
    pub commits: BTreeMap<CommitId, Signatory>,
    /// Why other statements and commits are not above, by digest or commit id, for the report.
    pub refused: BTreeMap<String, String>,
}

/// The key behind a good signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatory {
    /// The key's fingerprint, as `SHA256:…`.
    pub fingerprint: String,
    /// The person in the configuration whose key it is; none for a stranger's key.
    pub person: Option<PersonName>,
}
