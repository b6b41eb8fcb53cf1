use countersign_core::decision::RuleResult;
use countersign_core::digest::Digest;
use countersign_core::facts::Hold;
use countersign_core::outcome::OutcomeResult;

use super::*;
use crate::fixture::{at, commit, decision, outcome, record};
use crate::fold;

fn active() -> ActiveBundle {
    ActiveBundle { bundle: Digest::of(b"bundle"), index: 0, commit: commit('0') }
}

/// The state when commit `a` was authorized at leaf 1, looked at and recorded at second 1.
fn wanted() -> TargetState {
    fold::decision(None, 1, at(1), &record(&decision('a', 1), Disposition::Authorized)).unwrap()
}

fn after(result: OutcomeResult) -> TargetState {
    fold::outcome(&wanted(), 2, at(2), &outcome(&record(&decision('a', 1), Disposition::Authorized), result))
}

fn standing<'a>(active: &'a ActiveBundle, target: Option<&'a TargetState>) -> Standing<'a> {
    Standing {
        active: Some(active),
        target,
        head_used_elsewhere: None,
        nonce_spent: false,
        first: None,
        recovers: false,
        impossible: None,
    }
}

/// A decision that measured from the authorization at leaf 1.
fn based(digit: char, seconds: i64) -> Decision {
    Decision { based_on: Some(1), ..decision(digit, seconds) }
}

#[track_caller]
fn assert_is(decision: &Decision, standing: &Standing<'_>, expected: Disposition) -> String {
    let (verdict, found, reason) = of(decision, standing);
    assert_eq!(found, expected, "{reason}");
    let follows = matches!(found, Disposition::Authorized | Disposition::Unchanged);
    assert!(!follows || verdict == Verdict::Allowed, "what is not allowed has no effect");
    reason
}

/// The rule of a held target, as it failed.
fn hold() -> RuleResult {
    let json = serde_json::json!({"rule": "countersign.hold", "title": "", "description": "", "remedy": "",
        "severity": "error", "controls": [], "outcome": "failed", "violations": []});
    serde_json::from_value(json).unwrap()
}

#[test]
fn what_is_allowed_is_authorized_and_what_is_not_is_refused() {
    let (active, target) = (active(), after(OutcomeResult::Applied));
    assert_is(&decision('a', 1), &standing(&active, None), Disposition::Authorized);
    assert_is(&based('b', 3), &standing(&active, Some(&target)), Disposition::Authorized);
    for verdict in [Verdict::Denied, Verdict::Pending] {
        let decision = Decision { verdict, ..based('b', 3) };
        assert_is(&decision, &standing(&active, Some(&target)), Disposition::Refused);
    }
}

#[test]
fn a_preview_is_a_preview_whatever_moved() {
    let active = active();
    let decision = Decision { preview: true, bundle: Digest::of(b"old"), ..decision('a', 1) };
    let standing = Standing { nonce_spent: true, recovers: true, ..standing(&active, None) };
    assert_is(&decision, &standing, Disposition::Preview);
}

#[test]
fn another_bundle_supersedes() {
    let active = active();
    let old = Decision { bundle: Digest::of(b"old"), ..decision('a', 1) };
    let reason = assert_is(&old, &standing(&active, None), Disposition::Superseded);
    assert!(reason.contains("bundle"), "{reason}");
    let nothing = Standing { active: None, ..standing(&active, None) };
    assert_is(&decision('a', 1), &nothing, Disposition::Superseded);
    let denied = Decision { verdict: Verdict::Denied, ..old };
    assert_is(&denied, &standing(&active, None), Disposition::Superseded);
}

#[test]
fn a_later_look_a_moved_target_and_a_used_head_supersede() {
    let (active, target) = (active(), after(OutcomeResult::Applied));
    let earlier = assert_is(&based('b', 0), &standing(&active, Some(&target)), Disposition::Superseded);
    assert!(earlier.contains("later look"), "{earlier}");
    let moved = assert_is(&decision('b', 3), &standing(&active, Some(&target)), Disposition::Superseded);
    assert!(moved.contains("authorized meanwhile"), "{moved}");
    let used = Standing { head_used_elsewhere: Some("eee"), ..standing(&active, Some(&target)) };
    let reason = assert_is(&based('b', 3), &used, Disposition::Superseded);
    assert!(reason.contains("head eee"), "{reason}");
}

#[test]
fn a_change_that_did_not_see_the_hold_is_superseded_by_it() {
    let active = active();
    let held = TargetState {
        hold: Some(Hold { reason: "incident".to_owned(), since: at(2) }),
        ..after(OutcomeResult::Applied)
    };
    assert_is(&based('b', 3), &standing(&active, Some(&held)), Disposition::Superseded);
    let denied = Decision { verdict: Verdict::Denied, ..based('b', 3) };
    assert_is(&denied, &standing(&active, Some(&held)), Disposition::Refused);
}

#[test]
fn a_change_that_did_not_see_the_release_is_superseded_by_it() {
    let active = active();
    let released = after(OutcomeResult::Applied);
    let held =
        TargetState { hold: Some(Hold { reason: "incident".to_owned(), since: at(2) }), ..released.clone() };
    let denied = Decision { verdict: Verdict::Denied, rules: vec![hold()], ..based('b', 3) };
    let reason = assert_is(&denied, &standing(&active, Some(&released)), Disposition::Superseded);
    assert!(reason.contains("released meanwhile"), "{reason}");
    assert_is(&denied, &standing(&active, Some(&held)), Disposition::Refused);
}

#[test]
fn a_command_that_waited_gives_way_to_one_that_was_given_later() {
    let (active, target) = (active(), after(OutcomeResult::Applied));
    let commanded = TargetState { commanded: Some(7), ..target };
    for operation in [Operation::Hold, Operation::Release] {
        let command = Decision { operation, ..decision('a', 0) };
        let waited = |first| Standing { first, ..standing(&active, Some(&commanded)) };
        assert_is(&command, &waited(Some(6)), Disposition::Refused);
        let (_, disposition, _) = of(&command, &waited(Some(8)));
        assert_ne!(disposition, Disposition::Refused, "both waited, and this was given later");
        let (_, disposition, _) = of(&command, &waited(None));
        assert_ne!(disposition, Disposition::Refused, "it did not wait");
    }
}

#[test]
fn a_hold_does_not_mind_that_the_target_moved() {
    let (active, target) = (active(), after(OutcomeResult::Applied));
    for (operation, expected) in
        [(Operation::Hold, Disposition::Authorized), (Operation::Release, Disposition::Unchanged)]
    {
        let command = Decision { operation, ..decision('a', 0) };
        assert_is(&command, &standing(&active, Some(&target)), expected);
        let old = Decision { bundle: Digest::of(b"old"), ..command };
        assert_is(&old, &standing(&active, Some(&target)), Disposition::Superseded);
    }
}

#[test]
fn what_runs_or_is_on_its_way_is_unchanged() {
    let active = active();
    let again = |seconds| Decision { manifest: decision('a', 1).manifest, ..based('b', seconds) };
    let on_its_way = wanted();
    assert_is(&again(3), &standing(&active, Some(&on_its_way)), Disposition::Unchanged);
    let late = i64::try_from(authorization::LIFETIME.as_secs()).unwrap() + 1;
    assert_is(&again(late), &standing(&active, Some(&on_its_way)), Disposition::Authorized);
    for result in [OutcomeResult::Applied, OutcomeResult::Healthy, OutcomeResult::Unhealthy] {
        let runs = after(result);
        assert_is(&again(late), &standing(&active, Some(&runs)), Disposition::Unchanged);
    }
    let failed = after(OutcomeResult::Failed);
    assert_is(&again(3), &standing(&active, Some(&failed)), Disposition::Authorized);
    let record = record(&decision('a', 1), Disposition::Authorized);
    let failed =
        fold::outcome(&after(OutcomeResult::Applied), 3, at(3), &outcome(&record, OutcomeResult::Failed));
    assert!(failed.running.is_some());
    assert_is(&again(4), &standing(&active, Some(&failed)), Disposition::Authorized);
}

#[test]
fn a_removal_is_not_what_runs_even_with_the_same_manifest() {
    let (active, target) = (active(), after(OutcomeResult::Applied));
    let removal =
        Decision { operation: Operation::Remove, manifest: decision('a', 1).manifest, ..based('b', 3) };
    assert_is(&removal, &standing(&active, Some(&target)), Disposition::Authorized);
}

#[test]
fn where_nothing_was_deployed_there_is_nothing_to_remove() {
    let (active, state) = (active(), TargetState { wanted: None, ..wanted() });
    let removal = Decision { operation: Operation::Remove, ..decision('b', 3) };
    assert_is(&removal, &standing(&active, Some(&state)), Disposition::Unchanged);
}

#[test]
fn an_activation_of_the_active_bundle_is_unchanged() {
    let (active, target) = (active(), wanted());
    let activation =
        Decision { operation: Operation::Activate, new_bundle: Some(active.bundle), ..based('b', 3) };
    assert_is(&activation, &standing(&active, Some(&target)), Disposition::Unchanged);
    let other = Decision { new_bundle: Some(Digest::of(b"new")), ..activation };
    assert_is(&other, &standing(&active, Some(&target)), Disposition::Authorized);
}

#[test]
fn a_spent_nonce_refuses_even_a_recovery() {
    let active = active();
    let spent = Standing { nonce_spent: true, recovers: true, ..standing(&active, None) };
    let reason = assert_is(&decision('a', 1), &spent, Disposition::Refused);
    assert!(reason.contains("sign a new one"), "{reason}");
    assert_eq!(of(&decision('a', 1), &spent).0, Verdict::Denied);
}

#[test]
fn a_recovery_is_authorized_against_every_denial() {
    let (active, target) = (active(), wanted());
    let denied = Decision {
        operation: Operation::Activate,
        verdict: Verdict::Denied,
        new_bundle: Some(Digest::of(b"repair")),
        ..decision('b', 0)
    };
    let recovers = Standing { recovers: true, ..standing(&active, Some(&target)) };
    let reason = assert_is(&denied, &recovers, Disposition::Authorized);
    assert!(reason.contains("root key"), "{reason}");
    let impossible = Standing { impossible: Some("it does not compile".to_owned()), ..recovers };
    assert_is(&denied, &impossible, Disposition::Refused);
}

#[test]
fn what_could_never_come_about_is_refused_with_its_reason() {
    let active = active();
    let impossible = Standing { impossible: Some("no manifest".to_owned()), ..standing(&active, None) };
    assert_eq!(assert_is(&decision('a', 1), &impossible, Disposition::Refused), "no manifest");
    let denied = Decision { verdict: Verdict::Denied, ..decision('a', 1) };
    assert_eq!(assert_is(&denied, &impossible, Disposition::Refused), denied.reason);
}
