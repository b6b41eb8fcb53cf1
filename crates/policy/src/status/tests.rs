use countersign_core::review::{Identity, StatusState};

use super::*;
use crate::fixture::{account, at, commit, configuration, facts};

/// A status of head `b`, set by an account, or by an App.
fn status(context: &str, setter: Identity, app: Option<u64>) -> Status {
    Status {
        id: "1".into(),
        context: context.into(),
        commit: commit('b'),
        state: StatusState::Success,
        said: "success".into(),
        setter,
        app,
        set: at(5),
    }
}

/// What is required where `build` is expected as `expected` says, and `lint` of nobody on this host.
fn required_of(expected: serde_json::Value) -> Vec<RequiredStatus> {
    let mut configuration = configuration();
    configuration.statuses = serde_json::from_value(serde_json::json!({
        "build": expected, "lint": {"context": "ci/lint", "accounts": {"elsewhere": 12}},
    }))
    .unwrap();
    let names = ["build", "lint"].map(|name| name.parse().unwrap());
    required(&configuration, &names, &"forge".parse().unwrap())
}

/// Whether a status counts, and why or why not.
fn counts(required: &[RequiredStatus], status: Status) -> Vec<(bool, String)> {
    let mut facts = facts(countersign_core::digest::Digest::of(b"bundle"));
    facts.statuses = vec![status];
    weigh(required, &facts).into_iter().map(|weighed| (weighed.counts, weighed.reason)).collect()
}

#[test]
fn only_the_account_that_is_expected_counts() {
    let required = required_of(serde_json::json!({"context": "ci/build", "accounts": {"forge": 12}}));
    assert_eq!(
        counts(&required, status("ci/build", account(12), None)),
        [(true, "login12 (account 12) says success of bbbbbbbb".into())]
    );
    for (setter, app, who) in [
        (account(13), None, "login13 (account 13)"),
        (Identity { login: Some("login12".into()), ..Identity::default() }, None, "login12"),
        (Identity::default(), None, "someone unknown"),
        // The numbers of Apps and of accounts have nothing to do with each other.
        (Identity::default(), Some(12), "App 12"),
        (account(12), Some(7), "App 7"),
    ] {
        let why = format!("{who} says success of bbbbbbbb, but only account 12 is expected to say so");
        assert_eq!(counts(&required, status("ci/build", setter, app)), [(false, why)]);
    }
}

#[test]
fn only_the_app_that_is_expected_counts() {
    let required = required_of(serde_json::json!({"context": "ci/build", "apps": {"forge": 12}}));
    assert!(counts(&required, status("ci/build", Identity::default(), Some(12)))[0].0);
    let why = "login12 (account 12) says success of bbbbbbbb, but only App 12 is expected to say so";
    assert_eq!(counts(&required, status("ci/build", account(12), None)), [(false, why.into())]);
}

#[test]
fn what_nobody_is_expected_to_set_on_this_host_counts_for_nobody() {
    let required = required_of(serde_json::json!({"context": "ci/build", "accounts": {"forge": 12}}));
    assert_eq!(required[1].from, "nobody");
    assert!(!counts(&required, status("ci/lint", account(12), None))[0].0);
    assert!(counts(&required, status("ci/other", account(12), None)).is_empty(), "nobody asks for it");
}
