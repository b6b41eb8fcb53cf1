//! What unit tests fold and judge: one target, and decisions on it.

use countersign_core::decision::{DECISION_VERSION, Decision, ExplainedHead, Verdict};
use countersign_core::digest::Digest;
use countersign_core::facts::Operation;
use countersign_core::leaf::{DecisionRecord, Disposition, OutcomeRecord};
use countersign_core::names::{AttemptId, CommitId, FollowedRef, Target};
use countersign_core::outcome::OutcomeResult;
use countersign_core::time::Timestamp;

/// A time of `seconds` after the start of a day.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_200_000_000 + seconds * 1_000)
}

/// A commit whose digits are all `digit`.
pub fn commit(digit: char) -> CommitId {
    digit.to_string().repeat(40).parse().unwrap()
}

pub fn target() -> Target {
    "shop/production/east".parse().unwrap()
}

/// An allowed deployment of a commit, with a manifest of its own, that was looked at at `seconds`.
pub fn decision(digit: char, seconds: i64) -> Decision {
    let cause = format!("{digit}{seconds}");
    Decision {
        v: DECISION_VERSION,
        attempt: AttemptId::new(&cause, &target()),
        target: target(),
        follows: FollowedRef {
            repository: "local/shop".parse().unwrap(),
            reference: "refs/heads/main".parse().unwrap(),
        },
        began: at(seconds),
        based_on: None,
        preview: false,
        operation: Operation::Deploy,
        commit: commit(digit),
        tree: "0".repeat(40).parse().unwrap(),
        closure: Digest::of(&[digit as u8, 0]),
        manifest: Some(Digest::of(&[digit as u8, 1])),
        objects: Vec::new(),
        namespaces: vec!["shop".to_owned()],
        cluster_kinds: Vec::new(),
        adopt: false,
        facts: Digest::of(cause.as_bytes()),
        bundle: Digest::of(b"bundle"),
        new_bundle: None,
        hold: None,
        command: None,
        engine: "regorus 0.14.1".to_owned(),
        verdict: Verdict::Allowed,
        reason: "every rule passed".to_owned(),
        rules: Vec::new(),
        approvals: Vec::new(),
        statuses: Vec::new(),
        explained: vec![ExplainedHead { head: commit('e'), commit: commit(digit) }],
    }
}

/// What is logged of a decision.
pub fn record(decision: &Decision, disposition: Disposition) -> DecisionRecord {
    DecisionRecord {
        attempt: decision.attempt,
        trace: "t".to_owned(),
        target: decision.target.clone(),
        follows: decision.follows.clone(),
        began: decision.began,
        verdict: if disposition == Disposition::Refused { Verdict::Denied } else { decision.verdict },
        disposition,
        reason: decision.reason.clone(),
        operation: decision.operation,
        commit: decision.commit.clone(),
        tree: decision.tree.clone(),
        closure: decision.closure,
        manifest: decision.manifest,
        bundle: decision.bundle,
        new_bundle: decision.new_bundle,
        hold: decision.hold.clone(),
        facts: decision.facts,
        decision: Digest::of(decision.attempt.hex().as_bytes()),
        engine: decision.engine.clone(),
        explained: decision.explained.clone(),
        approvers: Vec::new(),
        failed: Vec::new(),
        nonce: None,
        first: None,
    }
}

/// What is logged of an outcome of a decision.
pub fn outcome(of: &DecisionRecord, result: OutcomeResult) -> OutcomeRecord {
    OutcomeRecord {
        id: Digest::of(format!("{} {result:?}", of.attempt).as_bytes()),
        attempt: of.attempt,
        target: of.target.clone(),
        sequence: None,
        details: Digest::of(b"details"),
        result,
    }
}
