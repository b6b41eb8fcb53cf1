use countersign_core::decision::{ExplainedHead, Verdict};
use countersign_core::digest::Digest;
use countersign_core::facts::Operation;
use countersign_core::leaf::{DecisionRecord, Disposition, OutcomeRecord, Record, RejectedRecord};
use countersign_core::names::Target;
use countersign_core::outcome::{Check, OutcomeResult};
use countersign_core::ports::signer::Signer as _;

use super::*;
use crate::epochs::Epoch;
use crate::testing::world::{commit, denied, genesis_record, leaf, minute, outcome, record, rotation_record};
use crate::testing::{Memory, ORIGIN, TestSigner, run};

fn audit_bytes(leaves: &[Vec<u8>]) -> AuditReport {
    let (store, signer) = (Memory::default(), TestSigner::ed25519(1));
    run(log::append(&store, &signer, ORIGIN, leaves, None)).unwrap();
    run(audit(&store, &[signer.note_key()])).unwrap()
}

/// Audits a log of genesis and these records, a minute apart.
fn audit_of(records: impl IntoIterator<Item = Record>) -> AuditReport {
    let all = std::iter::once(genesis_record()).chain(records);
    let leaves: Vec<_> = (0..).zip(all).map(|(n, record)| leaf(minute(n), record)).collect();
    audit_bytes(&leaves)
}

fn decided(record: DecisionRecord) -> Record {
    Record::Decision(Box::new(record))
}

fn ended(cause: &str, sequence: Option<u64>, result: OutcomeResult) -> Record {
    Record::Outcome(outcome(cause, sequence, result))
}

/// The one problem of a log.
fn only(report: &AuditReport) -> (Option<u64>, &str) {
    let [problem] = report.problems.as_slice() else { panic!("expected one problem: {:?}", report.problems) };
    (problem.leaf, &problem.what)
}

fn activation(cause: &str, from: &[u8], to: &[u8]) -> DecisionRecord {
    DecisionRecord {
        target: Target::control(),
        operation: Operation::Activate,
        bundle: Digest::of(from),
        new_bundle: Some(Digest::of(to)),
        ..record(cause)
    }
}

#[test]
fn a_good_log_is_clean_and_counted() {
    let report = audit_of([
        decided(record("one")),
        ended("one", Some(1), OutcomeResult::Applied),
        ended("one", Some(1), OutcomeResult::Healthy),
        decided(denied("two")),
        decided(activation("three", b"first bundle", b"second")),
        decided(DecisionRecord { disposition: Disposition::Superseded, ..record("four") }),
        decided(DecisionRecord { bundle: Digest::of(b"second"), ..record("five") }),
        ended("nobody", None, OutcomeResult::Refused { check: Check::Signature }),
        Record::Rejected(RejectedRecord {
            id: Digest::of(b"rejected"),
            queue: "decisions".to_owned(),
            reason: "not understood".to_owned(),
            body: Digest::of(b"body"),
            attempt: None,
            target: None,
        }),
    ]);
    assert!(report.is_clean(), "{:?}", report.problems);
    let counts: Vec<_> = report.counts.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(
        counts,
        [
            ("decision authorized", 3),
            ("decision refused", 1),
            ("decision superseded", 1),
            ("genesis", 1),
            ("outcome applied", 1),
            ("outcome healthy", 1),
            ("outcome refused", 1),
            ("rejected", 1),
        ]
    );
}

#[test]
fn a_denial_that_was_given_effect_is_found() {
    let report = audit_of([decided(DecisionRecord { verdict: Verdict::Denied, ..record("one") })]);
    assert_eq!(only(&report), (Some(1), "a decision that is denied was given effect"));
}

#[test]
fn a_decision_under_a_bundle_that_is_not_active_is_found() {
    let report = audit_of([
        decided(activation("one", b"first bundle", b"second")),
        decided(record("two")),
        decided(DecisionRecord { disposition: Disposition::Unchanged, ..record("three") }),
        decided(DecisionRecord { disposition: Disposition::Preview, ..record("four") }),
    ]);
    let leaves: Vec<_> = report.problems.iter().map(|problem| problem.leaf).collect();
    assert_eq!(leaves, [Some(2), Some(3)]);
    assert!(report.problems[0].what.contains("was not the active one"));
}

#[test]
fn an_activation_by_another_target_is_found() {
    let target = record("one").target;
    let report =
        audit_of([decided(DecisionRecord { target, ..activation("one", b"first bundle", b"second") })]);
    assert_eq!(only(&report), (Some(1), "a bundle was activated by a decision on shop/staging/east"));
}

#[test]
fn an_outcome_of_what_was_not_authorized_is_found() {
    let elsewhere = Record::Outcome(OutcomeRecord {
        target: "shop/staging/west".parse().unwrap(),
        ..outcome("one", Some(1), OutcomeResult::Healthy)
    });
    for (wrong, what) in [
        (ended("two", Some(1), OutcomeResult::Applied), "never authorized"),
        (ended("one", Some(3), OutcomeResult::Applied), "with sequence 3"),
        (ended("one", None, OutcomeResult::Applied), "names no sequence"),
        (elsewhere, "shop/staging/west"),
    ] {
        let report = audit_of([decided(record("one")), wrong]);
        let (leaf, found) = only(&report);
        assert_eq!(leaf, Some(2));
        assert!(found.contains(what), "{found}");
    }
}

#[test]
fn what_was_recorded_or_spent_twice_is_found() {
    let report = audit_of([decided(record("one")), decided(record("one"))]);
    assert!(only(&report).1.ends_with("was recorded before"));
    let spending = |cause| decided(DecisionRecord { nonce: Some(Digest::of(b"nonce")), ..record(cause) });
    assert!(only(&audit_of([spending("one"), spending("two")])).1.contains("spent before"));
}

#[test]
fn a_head_that_explains_two_commits_is_found() {
    let explaining = |cause, digit| {
        let explained = vec![ExplainedHead { head: commit('a'), commit: commit(digit) }];
        decided(DecisionRecord { explained, ..record(cause) })
    };
    assert!(audit_of([explaining("one", '1'), explaining("two", '1')]).is_clean());
    let report = audit_of([explaining("one", '1'), explaining("two", '2')]);
    assert!(only(&report).1.contains("explained 1111"));
}

#[test]
fn genesis_is_the_first_leaf_and_of_this_log() {
    let report = audit_bytes(&[leaf(minute(0), decided(denied("one"))), leaf(minute(0), genesis_record())]);
    assert_eq!(report.problems.iter().map(|problem| problem.leaf).collect::<Vec<_>>(), [Some(0), Some(1)]);
    let Record::Genesis(mut other) = genesis_record() else { unreachable!() };
    other.origin = "log.example/two".to_owned();
    assert!(only(&audit_bytes(&[leaf(minute(0), Record::Genesis(other))])).1.contains("log.example/two"));
}

#[test]
fn a_deployment_without_a_manifest_is_found() {
    let report = audit_of([decided(DecisionRecord { manifest: None, ..record("one") })]);
    assert_eq!(only(&report), (Some(1), "a deployment was authorized without a manifest"));
}

#[test]
fn time_may_step_back_a_little_only() {
    let at = |number, cause| leaf(minute(number), decided(denied(cause)));
    let with =
        |back: i64| audit_bytes(&[leaf(minute(0), genesis_record()), at(10, "one"), at(10 - back, "two")]);
    assert!(with(5).is_clean());
    assert!(only(&with(6)).1.contains("lies before"));
}

#[test]
fn leaves_that_are_not_understood_are_found() {
    let good = leaf(minute(0), decided(denied("one")));
    let spaced = [good.as_slice(), b" "].concat();
    let newer = String::from_utf8(good).unwrap().replace("\"v\":1", "\"v\":9").into_bytes();
    for wrong in [spaced, newer, b"{}".to_vec(), Vec::new(), vec![0xff]] {
        let report = audit_bytes(&[leaf(minute(0), genesis_record()), wrong]);
        assert_eq!((only(&report).0, report.counts["not understood"]), (Some(1), 1));
    }
}

#[test]
fn all_problems_are_counted_and_the_first_are_listed() {
    let wrong = (0..150).map(|n| decided(DecisionRecord { manifest: None, ..record(&n.to_string()) }));
    let report = audit_of(wrong);
    assert_eq!((report.problems.len(), report.found, report.is_clean()), (MAX_PROBLEMS, 150, false));
}

/// A log of 301 leaves whose files can be damaged.
fn damaged(key: &str, damage: impl FnOnce(&mut Vec<u8>)) -> AuditReport {
    let (store, signer) = (Memory::default(), TestSigner::ed25519(1));
    let denials = (0..300).map(|n| leaf(minute(n), decided(denied(&n.to_string()))));
    let leaves: Vec<_> = std::iter::once(leaf(minute(0), genesis_record())).chain(denials).collect();
    run(log::append(&store, &signer, ORIGIN, &leaves, None)).unwrap();
    store.edit(key, damage);
    run(audit(&store, &[signer.note_key()])).unwrap()
}

#[test]
fn the_first_leaf_that_was_altered_is_named() {
    let alter = |bytes: &mut Vec<u8>| {
        let mut places = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"every rule passed"));
        let place = places.nth(40).unwrap();
        bytes[place] = b'E';
    };
    let report = damaged("log/tile/entries/000", alter);
    let first = &report.problems[0];
    assert_eq!(first.leaf, Some(41));
    assert_eq!(first.what, "the leaf is not the one that was hashed into the tree");
    assert!(report.problems.iter().any(|problem| problem.what.contains("root that the checkpoint signs")));
}

#[test]
fn a_tile_that_was_altered_is_named() {
    let report = damaged("log/tile/0/001.p/45", |bytes| bytes[32 * 7] ^= 1);
    assert_eq!(only(&report).0, Some(256 + 7));
    let report = damaged("log/tile/1/000.p/1", |bytes| bytes[0] ^= 1);
    assert_eq!(only(&report), (None, "tile/1/000.p/1: hash 0 is not that of the tiles below it"));
}

#[test]
fn a_bundle_that_was_cut_short_is_named() {
    let report = damaged("log/tile/entries/001.p/45", |bytes| bytes.truncate(100));
    assert_eq!(only(&report).0, Some(256));
}

#[test]
fn the_checkpoint_of_another_key_is_not_audited() {
    let (store, signer) = (Memory::default(), TestSigner::ed25519(1));
    let key = TestSigner::ed25519(2).note_key();
    assert!(matches!(run(audit(&store, std::slice::from_ref(&key))), Err(LedgerError::Missing { .. })));
    run(log::append(&store, &signer, ORIGIN, &[leaf(minute(0), genesis_record())], None)).unwrap();
    assert!(matches!(run(audit(&store, std::slice::from_ref(&key))), Err(LedgerError::Signature(_))));
}

/// Audits a log that goes from epoch 1 to `epoch`, with a checkpoint of the key of number `signed_by` at its end.
fn rotated(epoch: u32, signed_by: u8) -> AuditReport {
    let (store, signer, next) = (Memory::default(), TestSigner::ed25519(1), TestSigner::ed25519(2));
    run(log::append(&store, &signer, ORIGIN, &[leaf(minute(0), genesis_record())], None)).unwrap();
    let keys = Epoch {
        epoch,
        log_key: next.public_key().clone(),
        authorization_key: TestSigner::p256(2).public_key().clone(),
    };
    let announced = leaf(minute(1), rotation_record(&keys));
    match signed_by {
        1 => drop(run(log::append(&store, &signer, ORIGIN, &[announced], None)).unwrap()),
        _ => drop(run(log::rotate(&store, (&signer, &next), ORIGIN, announced, 1)).unwrap()),
    }
    run(audit(&store, &[next.note_key(), signer.note_key()])).unwrap()
}

#[test]
fn a_rotation_is_followed() {
    let report = rotated(2, 2);
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!(report.counts["rotation"], 1);
}

#[test]
fn a_rotation_that_skips_an_epoch_or_that_nobody_followed_is_found() {
    assert_eq!(only(&rotated(3, 2)), (Some(1), "it begins epoch 3 after epoch 1"));
    assert!(only(&rotated(2, 1)).1.contains("another key than the last epoch began with"));
}
