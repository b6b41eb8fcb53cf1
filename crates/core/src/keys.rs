//! Where everything is kept: every key of the [`Store`](crate::ports::store::Store), in one place.
//!
//! A function's role in the cloud grants exactly the prefixes that it needs, so a prefix never mixes
//! what two roles may read.

use crate::digest::Digest;
use crate::names::{AttemptId, CommitId, EnvironmentName, FollowedRef, RepositoryId, Target};

/// Everything of the log: checkpoint and tiles, in tlog-tiles layout. Write-once but for the checkpoint.
pub const LOG: &str = "log/";

/// A blob that every function may read: decisions, outcome details, genesis.
#[must_use]
pub fn blob(digest: &Digest) -> String {
    format!("blobs/{}", digest.hex())
}

/// Facts of an attempt; values of Secrets are masked, people are named.
#[must_use]
pub fn facts(attempt: &AttemptId) -> String {
    format!("facts/{}", attempt.hex())
}

/// A manifest with its Secrets: only `gather`, `apply`, `observe` and `drift` may read it.
#[must_use]
pub fn manifest(digest: &Digest) -> String {
    format!("manifests/{}", digest.hex())
}

/// The compiled configuration of a bundle, that every function may read.
#[must_use]
pub fn bundle_configuration(bundle: &Digest) -> String {
    format!("bundles/{}/configuration.json", bundle.hex())
}

/// The policies, data and waivers of a bundle, that only `evaluate` reads.
#[must_use]
pub fn bundle_policies(bundle: &Digest) -> String {
    format!("bundles/{}/policies.json", bundle.hex())
}

/// The files of a control repository's commit that ask to become a bundle, by their digest.
#[must_use]
pub fn bundle_source(digest: &Digest) -> String {
    format!("bundles/sources/{}", digest.hex())
}

/// Marks a delivery or a command as received.
#[must_use]
pub fn delivery(id: &Digest) -> String {
    format!("deliveries/{}", id.hex())
}

/// The prefix of the signed statements about a repository that came by `POST /commands`.
#[must_use]
pub fn statements(repository: &RepositoryId) -> String {
    format!("statements/{}/", Digest::of(repository.to_string().as_bytes()).hex())
}

/// The root-signed beginning of the installation, which a person puts there.
pub const GENESIS: &str = "genesis.json";

/// The root-signed keys of a later epoch, which a person puts there.
#[must_use]
pub fn rotation(epoch: u32) -> String {
    format!("rotations/{epoch}.json")
}

/// The active bundle.
pub const ACTIVE_BUNDLE: &str = "state/active-bundle";

/// Leaves below the index kept here have had all their consequences.
pub const SETTLED: &str = "state/settled";

/// The state of a target.
#[must_use]
pub fn target(target: &Target) -> String {
    format!("state/targets/{}", target.key())
}

/// The prefix of all target states.
pub const TARGETS: &str = "state/targets/";

/// The commit that a head has explained on a ref, once an authorization used it.
#[must_use]
pub fn used_head(follows: &FollowedRef, head: &CommitId) -> String {
    format!("state/heads/{}/{head}", follows.key())
}

/// The prefix of the targets of one followed ref that are not settled.
#[must_use]
pub fn unsettled_prefix(follows: &FollowedRef) -> String {
    format!("state/unsettled/{}/", follows.key())
}

/// Marks a target as not settled; holds its name.
#[must_use]
pub fn unsettled(follows: &FollowedRef, target: &Target) -> String {
    format!("{}{}", unsettled_prefix(follows), target.key())
}

/// The prefix of looks that are due, in the order of their time.
pub const DUE: &str = "state/due/";

/// A look at a target that is due at a time, in milliseconds; holds the target's name.
#[must_use]
pub fn due(at: crate::time::Timestamp, target: &Target) -> String {
    format!("{DUE}{:020}-{}", at.as_millis().max(0), target.key())
}

/// The tip that `gather` last looked at, with the bundle that it used.
#[must_use]
pub fn seen_tip(follows: &FollowedRef) -> String {
    format!("refs/{}", follows.key())
}

/// What a forge told of a pull request when `gather` last previewed it, as a fingerprint.
#[must_use]
pub fn previewed(repository: &RepositoryId, pull_request: &str) -> String {
    format!("refs/pull-requests/{}", Digest::of_parts(&[&repository.to_string(), pull_request]).hex())
}

/// What `poll` last saw of a repository, and when it looks again.
#[must_use]
pub fn polled(repository: &RepositoryId) -> String {
    format!("polls/{}", Digest::of(repository.to_string().as_bytes()).hex())
}

/// The paths that each target of a ref was rendered from when `gather` last looked at it.
#[must_use]
pub fn inputs(follows: &FollowedRef) -> String {
    format!("inputs/{}", follows.key())
}

/// The index of the leaf that records something, by its name.
#[must_use]
pub fn by_name(name: &str) -> String {
    format!("state/by-name/{name}")
}

/// The index of the leaf that says how an attempt ended.
#[must_use]
pub fn ended(attempt: &AttemptId) -> String {
    format!("state/ended/{}", attempt.hex())
}

/// Commits beside the authorized one that are told what becomes of an attempt: they ask for the same.
#[must_use]
pub fn asking(attempt: &AttemptId) -> String {
    format!("state/asking/{}", attempt.hex())
}

/// The signed authorization of an attempt, with its proof.
#[must_use]
pub fn authorization(attempt: &AttemptId) -> String {
    format!("authorizations/{}", attempt.hex())
}

/// What is to be reported of a commit in an environment.
#[must_use]
pub fn commit_report(repository: &RepositoryId, commit: &CommitId, environment: &EnvironmentName) -> String {
    let of = Digest::of_parts(&["report", &repository.to_string(), commit.as_str()]);
    format!("reports/{}/{environment}", of.hex())
}

/// Marks a command's nonce as spent; holds the leaf's index.
#[must_use]
pub fn nonce(nonce: &Digest) -> String {
    format!("state/nonces/{}", nonce.hex())
}

/// The first leaf of a command that was superseded, by what it spends.
#[must_use]
pub fn superseded(nonce: &Digest) -> String {
    format!("state/nonces/{}.first", nonce.hex())
}

/// Everything that a witness leaves: in a bucket of its own, which clusters read.
pub const WITNESS: &str = "witness/";

/// The last checkpoint that the witness verified.
pub const WITNESSED: &str = "witness/checkpoint";

/// A checkpoint of so many leaves with the witness's cosignature.
#[must_use]
pub fn cosigned(size: u64) -> String {
    format!("{WITNESS}cosigned/{size}")
}

/// The pseudonym of a person in leaves. Deleting it and its counterpart makes the leaf anonymous.
#[must_use]
pub fn pseudonym(person: &str) -> String {
    format!("people/pseudonyms/{}", Digest::of(person.as_bytes()).hex())
}

/// The name behind a pseudonym.
#[must_use]
pub fn person(pseudonym: &str) -> String {
    format!("people/names/{pseudonym}")
}
