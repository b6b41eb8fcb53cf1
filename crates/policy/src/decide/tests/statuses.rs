//! Statuses of other applications: what is missing is waited for, and what says no denies.

use countersign_core::decision::Needs;
use countersign_core::review::{Status, StatusState};

use super::*;

/// The statuses of head `b`, each by an account; account 12 is expected to set `ci/build`.
fn decide_on_statuses(statuses: &[(StatusState, u64)], mode: Mode, reviewed: bool) -> Decision {
    let mut configuration = configuration();
    configuration.statuses = serde_json::from_value(
        serde_json::json!({"build": {"context": "ci/build", "accounts": {"forge": 12}}}),
    )
    .unwrap();
    for environment in configuration.environments.values_mut() {
        environment.statuses = vec!["build".parse().unwrap()];
    }
    let facts = changed(|f| {
        if !reviewed {
            f.pull_requests[0].reviews.clear();
        }
        let status = |(state, by): &(StatusState, u64)| Status {
            id: by.to_string(),
            context: "ci/build".into(),
            commit: commit('b'),
            state: *state,
            said: format!("{state:?}").to_lowercase(),
            setter: account(*by),
            app: None,
            set: at(5),
        };
        f.statuses = statuses.iter().map(status).collect();
    });
    let rules = starter();
    let ground = Ground { digest: bundle(), configuration: &configuration, rules: &rules, waivers: &[] };
    decide_on(ground, &facts, digest(), &VerifiedSignatures::default(), mode)
}

#[test]
fn a_status_of_whom_it_is_expected_allows() {
    let decision = decide_on_statuses(&[(StatusState::Success, 12)], Mode::Enforce, true);
    assert_eq!(decision.verdict, Verdict::Allowed, "{}", decision.reason);
    assert!(decision.statuses[0].counts);
    let beside = [(StatusState::Failure, 13), (StatusState::Success, 12)];
    assert_eq!(decide_on_statuses(&beside, Mode::Enforce, true).verdict, Verdict::Allowed);
}

#[test]
fn a_status_that_is_missing_runs_or_is_another_s_is_waited_for_also_where_it_is_decided() {
    for (statuses, why) in [
        (&[][..], "bbbbbbbb has no status build (\"ci/build\") of account 12 yet"),
        (&[(StatusState::Pending, 12)], "bbbbbbbb waits for build: login12 (account 12) says pending"),
        (&[(StatusState::Success, 13)], "login13 (account 13) says success of bbbbbbbb, but only account 12"),
    ] {
        for (mode, verdict) in [
            (Mode::Enforce, Verdict::Pending),
            (Mode::Preview, Verdict::Pending),
            (Mode::Check { strict: false }, Verdict::Pending),
            (Mode::Check { strict: true }, Verdict::Denied),
        ] {
            let decision = decide_on_statuses(statuses, mode, true);
            assert_eq!(decision.verdict, verdict, "{mode:?}: {}", decision.reason);
            assert!(decision.reason.contains(why), "{}", decision.reason);
            let start = "Waiting for statuses, by checks.required: ";
            assert_eq!(
                decision.reason.starts_with(start),
                verdict == Verdict::Pending,
                "{}",
                decision.reason
            );
        }
    }
}

#[test]
fn missing_reviews_deny_where_missing_statuses_wait() {
    let decision = decide_on_statuses(&[], Mode::Enforce, false);
    assert_eq!(decision.verdict, Verdict::Denied);
    let waits = |rule| outcome(&decision, rule).waits_for;
    assert_eq!((waits("approvals.required"), waits("checks.required")), (None, Some(Needs::Status)));
    let preview = decide_on_statuses(&[], Mode::Preview, false);
    assert_eq!(preview.verdict, Verdict::Pending);
    assert!(preview.reason.starts_with("Waiting for reviews, by "), "{}", preview.reason);
}

#[test]
fn a_failure_denies_at_once_whatever_else_was_said() {
    for (statuses, why) in [
        (&[(StatusState::Failure, 12)][..], "build says no of bbbbbbbb: login12 (account 12) says failure"),
        (&[(StatusState::Neutral, 12)], "build did not look at bbbbbbbb"),
        (&[(StatusState::Success, 12), (StatusState::Failure, 12)], "build says no of bbbbbbbb"),
    ] {
        for mode in [Mode::Enforce, Mode::Preview] {
            let decision = decide_on_statuses(statuses, mode, true);
            assert_eq!(decision.verdict, Verdict::Denied);
            assert!(decision.reason.contains(why), "{}", decision.reason);
        }
    }
}
