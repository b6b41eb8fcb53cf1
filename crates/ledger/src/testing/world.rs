//! An installation in small: keys, a log with decisions in it, and what a cluster trusts.

use std::collections::BTreeMap;

use countersign_core::authorization::{AuthorizationStatement, ProvenAuthorization};
use countersign_core::decision::{DECISION_VERSION, Decision, Verdict};
use countersign_core::digest::{Digest, canonical_json};
use countersign_core::facts::Operation;
use countersign_core::leaf::{
    DecisionRecord, Disposition, GenesisRecord, LEAF_VERSION, Leaf, OutcomeRecord, Record, RotationRecord,
};
use countersign_core::manifest::Manifest;
use countersign_core::names::{AttemptId, CommitId, FollowedRef, Target};
use countersign_core::outcome::OutcomeResult;
use countersign_core::ports::signer::Signer as _;
use countersign_core::time::Timestamp;

use super::{Memory, ORIGIN, TestSigner, run};
use crate::checkpoint::SignedCheckpoint;
use crate::epochs::{self, Epoch, Epochs, ROTATION_VERSION, Rotation};
use crate::genesis::{GENESIS_VERSION, Genesis};
use crate::issue::{Grant, issue};
use crate::log::{self, append};
use crate::trust::{Trust, Witnesses};
use crate::view::View;

/// The UID of the cluster.
pub const AUDIENCE: &str = "5f2c1c1e-0000-4000-8000-000000000001";

/// Minutes after the time at which the tests begin.
pub fn minute(number: i64) -> Timestamp {
    Timestamp::from_millis(1_795_212_000_000 + number * 60_000)
}

pub fn target() -> Target {
    "shop/staging/east".parse().unwrap()
}

pub fn follows() -> FollowedRef {
    FollowedRef { repository: "local/shop".parse().unwrap(), reference: "refs/heads/main".parse().unwrap() }
}

pub fn commit(digit: char) -> CommitId {
    digit.to_string().repeat(40).parse().unwrap()
}

pub fn bundle() -> Digest {
    Digest::of(b"first bundle")
}

/// A manifest that differs by its number.
pub fn manifest(number: u32) -> Vec<u8> {
    canonical_json(&Manifest::new(vec![serde_json::json!({ "number": number })])).unwrap()
}

pub fn attempt(cause: &str) -> AttemptId {
    AttemptId::new(cause, &target())
}

/// An allowed deployment of manifest 1.
pub fn record(cause: &str) -> DecisionRecord {
    DecisionRecord {
        attempt: attempt(cause),
        trace: cause.to_owned(),
        target: target(),
        follows: follows(),
        began: minute(0),
        verdict: Verdict::Allowed,
        disposition: Disposition::Authorized,
        reason: "every rule passed".to_owned(),
        operation: Operation::Deploy,
        commit: commit('1'),
        tree: "2".repeat(40).parse().unwrap(),
        closure: Digest::of(b"closure"),
        manifest: Some(Digest::of(&manifest(1))),
        bundle: bundle(),
        new_bundle: None,
        hold: None,
        facts: Digest::of(b"facts"),
        decision: Digest::of(b"decision"),
        engine: "regorus 0.14.1".to_owned(),
        explained: Vec::new(),
        approvers: Vec::new(),
        failed: Vec::new(),
        nonce: None,
        first: None,
    }
}

/// The decision that was recorded so.
pub fn decision(record: &DecisionRecord) -> Decision {
    Decision {
        v: DECISION_VERSION,
        attempt: record.attempt,
        target: record.target.clone(),
        follows: record.follows.clone(),
        began: record.began,
        based_on: None,
        preview: false,
        operation: record.operation,
        commit: record.commit.clone(),
        tree: record.tree.clone(),
        closure: record.closure,
        manifest: record.manifest,
        objects: Vec::new(),
        namespaces: vec!["shop".to_owned()],
        cluster_kinds: Vec::new(),
        adopt: false,
        facts: record.facts,
        bundle: record.bundle,
        new_bundle: None,
        hold: None,
        command: None,
        engine: record.engine.clone(),
        verdict: record.verdict,
        reason: record.reason.clone(),
        rules: Vec::new(),
        approvals: Vec::new(),
        statuses: Vec::new(),
        explained: Vec::new(),
    }
}

pub fn genesis_record() -> Record {
    Record::Genesis(GenesisRecord {
        genesis: Digest::of(b"genesis"),
        bundle: bundle(),
        commit: commit('c'),
        origin: ORIGIN.to_owned(),
    })
}

pub fn outcome(cause: &str, sequence: Option<u64>, result: OutcomeResult) -> OutcomeRecord {
    let id = Digest::of_parts(&[cause, &format!("{result:?}")]);
    let details = Digest::of(b"details");
    OutcomeRecord { id, attempt: attempt(cause), target: target(), sequence, result, details }
}

pub fn leaf(time: Timestamp, record: Record) -> Vec<u8> {
    canonical_json(&Leaf { v: LEAF_VERSION, time, record }).unwrap()
}

/// Leaf 0 is genesis, 1 and 3 are authorized, 2 is denied.
pub struct World {
    pub store: Memory,
    pub log: TestSigner,
    pub authorizer: TestSigner,
    pub trust: Trust,
    pub at: SignedCheckpoint,
}

impl World {
    pub fn new() -> Self {
        let mut second = record("second");
        second.manifest = Some(Digest::of(&manifest(2)));
        Self::with(&[record("first"), denied("denied"), second])
    }

    /// A log with these decisions from leaf 1 on.
    pub fn with(records: &[DecisionRecord]) -> Self {
        let (store, log, authorizer) = (Memory::default(), TestSigner::ed25519(1), TestSigner::p256(1));
        let decisions = records.iter().map(|record| Record::Decision(Box::new(record.clone())));
        let leaves: Vec<_> = std::iter::once(genesis_record())
            .chain(decisions)
            .map(|record| leaf(minute(0), record))
            .collect();
        let at = run(append(&store, &log, ORIGIN, &leaves, None)).unwrap().checkpoint;
        let trust = Trust::new(&Epochs::new(&genesis(&log, &authorizer)), AUDIENCE, Witnesses::default());
        Self { store, log, authorizer, trust, at }
    }

    /// Adds leaves that nobody asks about.
    pub fn grow(&mut self, count: u32) {
        let leaves: Vec<_> = (0..count)
            .map(|n| leaf(minute(1), Record::Decision(Box::new(denied(&format!("later {n}"))))))
            .collect();
        self.at = run(append(&self.store, &self.log, ORIGIN, &leaves, None)).unwrap().checkpoint;
    }

    /// Begins the next epoch, whose keys are of the next number. Only this world's signers know of it by itself.
    pub fn rotate(&mut self) -> Epochs {
        let mut epochs = Epochs::new(&genesis(&self.log, &self.authorizer));
        let (log, authorizer) = (TestSigner::ed25519(2), TestSigner::p256(2));
        let keys = Epoch {
            epoch: 2,
            log_key: log.public_key().clone(),
            authorization_key: authorizer.public_key().clone(),
        };
        let origin = ORIGIN.to_owned();
        let rotation = Rotation { v: ROTATION_VERSION, origin, keys: keys.clone(), created: minute(0) };
        let signed = run(epochs::sign(&TestSigner::ed25519(9), &rotation)).unwrap();
        epochs.rotate(&signed).unwrap();
        let leaf = leaf(minute(1), rotation_record(&keys));
        let size = self.at.checkpoint().size;
        let appended = log::rotate(&self.store, (&self.log, &log), ORIGIN, leaf, size);
        self.at = run(appended).unwrap().checkpoint;
        (self.log, self.authorizer) = (log, authorizer);
        epochs
    }

    pub fn view(&self) -> View<'_, Memory> {
        View::new(&self.store, self.at.clone())
    }

    /// The authorization of the decision at `index`, issued at minute 0.
    pub fn issue(&self, index: u64, record: &DecisionRecord) -> ProvenAuthorization {
        let decision = decision(record);
        let epoch = self.trust.epoch;
        let grant = Grant { decision: &decision, audience: AUDIENCE, epoch, now: minute(0) };
        run(issue(&self.authorizer, &mut self.view(), index, &grant)).unwrap()
    }

    /// The authorization of leaf 1, altered before it was signed.
    pub fn forge(&self, alter: impl FnOnce(&mut AuthorizationStatement)) -> Vec<u8> {
        let mut proven = self.issue(1, &record("first"));
        self.sign_again(&mut proven, alter);
        canonical_json(&proven).unwrap()
    }

    pub fn sign_again(
        &self,
        proven: &mut ProvenAuthorization,
        alter: impl FnOnce(&mut AuthorizationStatement),
    ) {
        let payload = crate::dsse::verify(&proven.envelope, self.authorizer.public_key()).unwrap();
        let mut statement = serde_json::from_slice(&payload).unwrap();
        alter(&mut statement);
        let payload = canonical_json(&statement).unwrap();
        let signed = crate::dsse::sign(&self.authorizer, &proven.envelope.payload_type, &payload);
        proven.envelope = run(signed).unwrap();
    }
}

pub fn rotation_record(keys: &Epoch) -> Record {
    Record::Rotation(RotationRecord {
        rotation: Digest::of(b"rotation"),
        epoch: keys.epoch,
        log_key: keys.log_key.clone(),
        authorization_key: keys.authorization_key.clone(),
    })
}

pub fn denied(cause: &str) -> DecisionRecord {
    DecisionRecord { verdict: Verdict::Denied, disposition: Disposition::Refused, ..record(cause) }
}

pub fn genesis(log: &TestSigner, authorizer: &TestSigner) -> Genesis {
    Genesis {
        v: GENESIS_VERSION,
        origin: ORIGIN.to_owned(),
        epoch: 1,
        root_key: TestSigner::ed25519(9).public_key().clone(),
        log_key: log.public_key().clone(),
        authorization_key: authorizer.public_key().clone(),
        hosts: BTreeMap::new(),
        control: follows(),
        commit: commit('c'),
        bundle: bundle(),
        created: minute(0),
    }
}
