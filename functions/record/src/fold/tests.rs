use countersign_core::facts::Hold;
use countersign_core::outcome::Check;

use super::*;
use crate::fixture::{at, commit, decision as decided, outcome as ended, record};

/// The state after an authorization of commit `digit` at leaf `index`.
fn authorized(state: Option<&TargetState>, digit: char, index: u64) -> (TargetState, DecisionRecord) {
    let seconds = i64::try_from(index).unwrap();
    let record = record(&decided(digit, seconds), Disposition::Authorized);
    (decision(state, index, at(seconds), &record).unwrap(), record)
}

/// The state when commit `a` runs, authorized at leaf 1 and applied at leaf 2.
fn running() -> (TargetState, DecisionRecord) {
    let (state, record) = authorized(None, 'a', 1);
    (outcome(&state, 2, at(2), &ended(&record, OutcomeResult::Applied)), record)
}

fn refused(digit: char, seconds: i64) -> DecisionRecord {
    record(&decided(digit, seconds), Disposition::Refused)
}

#[test]
fn an_authorization_is_wanted_until_it_runs() {
    let (state, record) = authorized(None, 'a', 1);
    let wanted = state.wanted.as_ref().unwrap();
    assert_eq!((wanted.sequence, &wanted.commit, wanted.attempt), (1, &commit('a'), record.attempt));
    assert_eq!((&state.running, state.is_settled(), state.as_of), (&None, false, 2));
    assert_eq!(state.due, Some(at(1).plus(authorization::LIFETIME + GRACE)));
    let state = outcome(&state, 2, at(2), &ended(&record, OutcomeResult::Applied));
    assert_eq!((&state.running, state.is_settled(), state.due), (&state.wanted, true, None));
}

#[test]
fn health_says_that_it_was_applied_even_when_nobody_said_so() {
    for result in [OutcomeResult::Healthy, OutcomeResult::Unhealthy, OutcomeResult::Removed] {
        let (state, record) = authorized(None, 'a', 1);
        let state = outcome(&state, 2, at(2), &ended(&record, result.clone()));
        assert_eq!((&state.running, state.due), (&state.wanted, None), "{result:?}");
        assert_eq!(state.outcome.unwrap().result, result);
    }
}

#[test]
fn folding_twice_changes_nothing() {
    let (state, record) = authorized(None, 'a', 1);
    assert_eq!(decision(Some(&state), 1, at(1), &record).as_ref(), Some(&state));
    let failed = ended(&record, OutcomeResult::Failed);
    let after = outcome(&state, 2, at(2), &failed);
    assert_eq!(outcome(&after, 2, at(2), &failed), after);
    assert_eq!(decision(Some(&after), 1, at(1), &record).as_ref(), Some(&after));
    let told = report(None, 1, &record, Some(&state));
    assert_eq!(report(Some(told.clone()), 1, &record, Some(&after)), told);
    let told = report_outcome(told, 2, at(2), &failed);
    assert_eq!(report_outcome(told.clone(), 2, at(9), &failed), told);
    assert_eq!(report(Some(told.clone()), 1, &record, Some(&after)), told);
}

#[test]
fn a_preview_makes_no_state() {
    let preview = record(&decided('a', 1), Disposition::Preview);
    assert_eq!(decision(None, 1, at(1), &preview), None);
    let (state, _) = running();
    assert_eq!(decision(Some(&state), 3, at(3), &preview).as_ref(), Some(&state));
}

#[test]
fn a_denial_leaves_what_is_wanted() {
    let (before, _) = running();
    let state = decision(Some(&before), 3, at(3), &refused('b', 3)).unwrap();
    assert_eq!((&state.wanted, &state.running), (&before.wanted, &before.running));
    assert_eq!((&state.latest.commit, state.is_settled()), (&commit('b'), false));
}

#[test]
fn what_was_superseded_is_not_the_latest_look() {
    let superseded = record(&decided('b', 3), Disposition::Superseded);
    let (before, _) = running();
    let state = decision(Some(&before), 3, at(3), &superseded).unwrap();
    assert_eq!(state, TargetState { as_of: 4, ..before });
    let first = decision(None, 3, at(3), &superseded).unwrap();
    assert!(!first.is_settled(), "nothing else was ever looked at");
}

#[test]
fn what_runs_already_speaks_for_the_later_commit() {
    let (before, _) = running();
    let same = record(&decided('b', 3), Disposition::Unchanged);
    let state = decision(Some(&before), 3, at(3), &same).unwrap();
    for now in [state.wanted.as_ref().unwrap(), state.running.as_ref().unwrap()] {
        assert_eq!((now.sequence, &now.commit, now.closure), (1, &commit('b'), same.closure));
    }
    // What still runs of an older authorization keeps the commit that it is of.
    let (on_its_way, _) = authorized(Some(&before), 'c', 3);
    let same = record(&decided('d', 4), Disposition::Unchanged);
    let state = decision(Some(&on_its_way), 4, at(4), &same).unwrap();
    assert_eq!(state.wanted.unwrap().commit, commit('d'));
    assert_eq!(state.running.unwrap().commit, commit('a'));
}

#[test]
fn a_hold_stays_until_it_is_released_and_is_no_look_at_a_commit() {
    let (before, _) = running();
    let reason = Hold { reason: "incident".to_owned(), since: at(3) };
    let mut hold = record(&decided('a', 3), Disposition::Authorized);
    (hold.operation, hold.hold) = (Operation::Hold, Some(reason.clone()));
    let held = decision(Some(&before), 3, at(3), &hold).unwrap();
    assert_eq!(held, TargetState { as_of: 4, hold: Some(reason), commanded: Some(3), ..before.clone() });
    let mut release = record(&decided('a', 4), Disposition::Authorized);
    release.operation = Operation::Release;
    let released = TargetState { as_of: 5, commanded: Some(4), ..before };
    assert_eq!(decision(Some(&held), 4, at(4), &release), Some(released.clone()));
    release.first = Some(2);
    let released = TargetState { commanded: Some(2), ..released };
    assert_eq!(decision(Some(&held), 4, at(4), &release), Some(released), "it stands where it was given");
}

#[test]
fn a_command_that_changes_nothing_accepts_nothing_of_the_commit_that_it_was_given_at() {
    let (before, _) = running();
    for operation in [Operation::Hold, Operation::Release] {
        let mut command = record(&decided('d', 3), Disposition::Unchanged);
        command.operation = operation;
        let after = decision(Some(&before), 3, at(3), &command);
        let expected = TargetState { as_of: 4, commanded: Some(3), ..before.clone() };
        assert_eq!(after, Some(expected), "{operation:?}");
    }
}

#[test]
fn a_target_that_comes_back_is_measured_from_what_was_deployed_last() {
    let (before, _) = running();
    let mut removal = record(&decided('d', 3), Disposition::Authorized);
    removal.operation = Operation::Remove;
    let removed = decision(Some(&before), 3, at(3), &removal).unwrap();
    let wanted = removed.wanted.as_ref().unwrap();
    assert_eq!((wanted.sequence, &wanted.commit), (3, &commit('a')));
    let mut again = record(&decided('e', 4), Disposition::Unchanged);
    again.operation = Operation::Remove;
    let again = decision(Some(&removed), 4, at(4), &again).unwrap();
    assert_eq!(again.wanted.unwrap().commit, commit('a'));
}

#[test]
fn an_activation_runs_at_once() {
    let mut activation = record(&decided('a', 1), Disposition::Authorized);
    activation.operation = Operation::Activate;
    let state = decision(None, 1, at(1), &activation).unwrap();
    assert!(state.is_settled());
    assert_eq!((state.wanted.unwrap().sequence, state.due), (1, None));
}

#[test]
fn failures_back_off_from_ten_seconds_to_ten_minutes() {
    let (mut state, _) = running();
    let mut waits = Vec::new();
    for index in (3..).step_by(2).take(8) {
        let (again, record) = authorized(Some(&state), 'b', index);
        let refused = OutcomeResult::Refused { check: Check::Time };
        let result = if index == 5 { refused } else { OutcomeResult::Failed };
        state = outcome(&again, index + 1, at(0), &ended(&record, result));
        waits.push(state.due.unwrap().since(at(0)).as_secs());
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600]);
    let (other, record) = authorized(Some(&state), 'c', 30);
    assert_eq!(other.failures, 0, "another manifest has not failed yet");
    let state = outcome(&other, 31, at(0), &ended(&record, OutcomeResult::Failed));
    assert_eq!(state.due, Some(at(10)));
    assert_eq!(backoff(u32::MAX), LAST_RETRY);
}

#[test]
fn outcomes_of_older_attempts_and_overtaken_ones_change_no_plan() {
    let (before, old) = running();
    let (state, new) = authorized(Some(&before), 'b', 3);
    let late = outcome(&state, 4, at(4), &ended(&old, OutcomeResult::Failed));
    assert_eq!(late, TargetState { as_of: 5, ..state.clone() });
    let overtaken = outcome(&state, 4, at(4), &ended(&new, OutcomeResult::Overtaken));
    assert_eq!((overtaken.due, &overtaken.running), (state.due, &state.running));
}

#[test]
fn a_retry_beside_a_denied_tip_keeps_the_denial_as_the_latest_look() {
    let (wanted, record) = authorized(None, 'a', 1);
    let wanted = outcome(&wanted, 2, at(2), &ended(&record, OutcomeResult::Failed));
    let denied = decision(Some(&wanted), 3, at(3), &refused('b', 3)).unwrap();
    let (retried, _) = authorized(Some(&denied), 'a', 4);
    assert_eq!((&retried.latest.commit, retried.wanted.as_ref().unwrap().sequence), (&commit('b'), 4));
    assert_eq!(retried.failures, 1, "the same manifest goes on failing");
}

#[test]
fn the_tip_is_looked_at_again_once_what_was_wanted_beside_its_denial_runs() {
    let (wanted, record) = authorized(None, 'a', 1);
    let denied = decision(Some(&wanted), 2, at(2), &refused('b', 2)).unwrap();
    let runs = outcome(&denied, 3, at(3), &ended(&record, OutcomeResult::Applied));
    assert_eq!((&runs.latest.commit, runs.due), (&commit('b'), Some(at(3))));
    let alone = outcome(&wanted, 3, at(3), &ended(&record, OutcomeResult::Applied));
    assert_eq!(alone.due, None);
}

#[test]
fn a_commit_is_asked_for_since_the_first_look_at_it() {
    let (first, _) = authorized(None, 'a', 1);
    let (retried, _) = authorized(Some(&first), 'a', 4);
    let wanted = retried.wanted.as_ref().unwrap();
    assert_eq!((wanted.time, wanted.since()), (at(4), at(1)));
    let (next, _) = authorized(Some(&retried), 'b', 5);
    let late = decision(Some(&next), 6, at(60), &record(&decided('c', 6), Disposition::Authorized)).unwrap();
    let wanted = late.wanted.as_ref().unwrap();
    assert_eq!((wanted.time, wanted.since()), (at(60), at(6)), "it waited for `record`");
}

#[test]
fn a_tip_that_went_back_to_what_runs_is_the_latest_look() {
    let (before, _) = running();
    let denied = decision(Some(&before), 3, at(3), &refused('b', 3)).unwrap();
    let back = record(&decided('a', 4), Disposition::Unchanged);
    let state = decision(Some(&denied), 4, at(4), &back).unwrap();
    assert_eq!((&state.latest.commit, state.is_settled()), (&commit('a'), true));
}

#[test]
fn a_preview_never_hides_what_was_decided() {
    let denied = refused('a', 1);
    let told = report(None, 1, &denied, None);
    let preview = record(&decided('a', 2), Disposition::Preview);
    assert_eq!(report(Some(told.clone()), 2, &preview, None), told);
    let told = report(None, 2, &preview, None);
    assert!(told.targets["shop/production/east"].preview);
    let told = report(Some(told), 3, &denied, None);
    assert_eq!(told.targets["shop/production/east"].verdict, countersign_core::decision::Verdict::Denied);
}

#[test]
fn what_runs_already_is_told_with_the_attempt_that_brought_it() {
    let (before, brought) = running();
    let same = record(&decided('b', 3), Disposition::Unchanged);
    let state = decision(Some(&before), 3, at(3), &same).unwrap();
    let told = report(None, 3, &same, Some(&state));
    let target = &told.targets["shop/production/east"];
    assert_eq!((target.attempt, &target.outcome), (brought.attempt, &before.outcome));
    let told = report_outcome(told, 4, at(4), &ended(&brought, OutcomeResult::Healthy));
    let target = &told.targets["shop/production/east"];
    assert_eq!(target.outcome.as_ref().unwrap().result, OutcomeResult::Healthy);
}

#[test]
fn holds_and_what_was_superseded_are_not_told_of_a_commit() {
    let mut hold = record(&decided('a', 1), Disposition::Authorized);
    hold.operation = Operation::Hold;
    assert!(report(None, 1, &hold, None).targets.is_empty());
    let superseded = record(&decided('a', 1), Disposition::Superseded);
    assert!(report(None, 1, &superseded, None).targets.is_empty());
}

#[test]
fn outcomes_of_another_attempt_are_not_told() {
    let (_, old) = running();
    let told = report(None, 3, &record(&decided('a', 3), Disposition::Authorized), None);
    let after = report_outcome(told, 4, at(4), &ended(&old, OutcomeResult::Failed));
    assert_eq!(after.targets["shop/production/east"].outcome, None);
}

#[test]
fn what_is_said_late_does_not_hide_how_it_ended() {
    let (state, record) = authorized(None, 'a', 1);
    let told = report(None, 1, &record, Some(&state));
    let healthy = ended(&record, OutcomeResult::Healthy);
    let (state, told) = (outcome(&state, 2, at(2), &healthy), report_outcome(told, 2, at(2), &healthy));
    let applied = ended(&record, OutcomeResult::Applied);
    assert_eq!(outcome(&state, 3, at(3), &applied).outcome, state.outcome);
    assert_eq!(report_outcome(told.clone(), 3, at(3), &applied).targets, told.targets);
}

#[test]
fn what_waits_for_statuses_is_looked_at_ever_more_rarely() {
    let waiting = |digit, seconds| {
        let mut record = refused(digit, seconds);
        record.verdict = Verdict::Pending;
        record
    };
    let (mut state, _) = running();
    let mut waits = Vec::new();
    for (index, digit) in (3..).zip("bbbbbbc".chars()) {
        let now = at(i64::try_from(index).unwrap() * 10_000);
        state = decision(Some(&state), index, now, &waiting(digit, 3)).unwrap();
        waits.push(state.due.unwrap().since(now).as_secs());
    }
    assert_eq!(waits, [60, 120, 240, 480, 600, 600, 60]);
    assert!(!state.is_settled(), "it is looked at again whatever happens");
    let soon = TargetState { due: Some(at(100_001)), ..state.clone() };
    let state = decision(Some(&soon), 10, at(100_000), &waiting('c', 4)).unwrap();
    assert_eq!(state.due, Some(at(100_001)), "what is due sooner stays due");
    let state = decision(Some(&state), 11, at(200_000), &refused('c', 5)).unwrap();
    assert_eq!(state.waits, 0);
}

#[test]
fn a_preview_that_was_looked_at_before_does_not_hide_a_later_one() {
    let preview = |seconds| record(&decided('a', seconds), Disposition::Preview);
    let told = report(None, 1, &preview(5), None);
    assert_eq!(report(Some(told.clone()), 2, &preview(4), None), told);
    assert_ne!(report(Some(told.clone()), 2, &preview(6), None), told);
}

/// A report of drift, or that it is over, of what was authorized so.
fn drifts(record: &DecisionRecord, report: u32, differs: bool) -> OutcomeRecord {
    let result = match differs {
        true => OutcomeResult::Drifted { report, differs: countersign_core::digest::Digest::of(b"differs") },
        false => OutcomeResult::Restored { report },
    };
    ended(record, result)
}

#[test]
fn drift_is_no_failure_and_is_over_when_it_is_said_to_be() {
    let (state, record) = running();
    let healthy = outcome(&state, 3, at(3), &ended(&record, OutcomeResult::Healthy));
    let drifted = outcome(&healthy, 4, at(4), &drifts(&record, 1, true));
    assert_eq!(drifted.drift.as_ref().unwrap().since, at(4));
    assert_eq!((&drifted.outcome, &drifted.running), (&healthy.outcome, &healthy.running));
    assert_eq!((drifted.failures, drifted.due, drifted.is_settled()), (0, None, true));
    assert_eq!(outcome(&drifted, 4, at(4), &drifts(&record, 1, true)), drifted, "folding twice");
    let worse = outcome(&drifted, 5, at(5), &drifts(&record, 2, true));
    assert_eq!(worse.drift.as_ref().unwrap().since, at(4), "it has differed since then");
    assert_eq!(outcome(&worse, 6, at(6), &drifts(&record, 3, false)).drift, None);
}

#[test]
fn drift_of_what_no_longer_runs_says_nothing() {
    let (state, first) = running();
    let drifted = outcome(&state, 3, at(3), &drifts(&first, 1, true));
    let (wanted, second) = authorized(Some(&drifted), 'b', 4);
    assert!(wanted.drift.is_some(), "what runs still differs");
    let applied = outcome(&wanted, 5, at(5), &ended(&second, OutcomeResult::Applied));
    assert_eq!(applied.drift, None, "what another change wrote is not what was compared");
    assert_eq!(outcome(&applied, 6, at(6), &drifts(&first, 2, true)).drift, None);
}
