//! Statuses that nobody could set, or that somebody could set for themselves.

use super::VALID;
use super::mistakes::shown;

/// The problems of the valid configuration with these statuses, of which production asks for `ci`.
fn with(statuses: &str) -> Vec<String> {
    let asked = VALID.replace("signed: true }, exact: true", "signed: true }, exact: true, statuses: [ci]");
    shown(&format!("{asked}statuses:\n{statuses}"))
}

#[test]
fn statuses_of_accounts_and_of_apps() {
    let none: [&str; 0] = [];
    assert_eq!(with("  ci: { context: ci/build, accounts: { github: 12 } }\n"), none);
    assert_eq!(with("  ci: { context: Tests / unit (push), apps: { github: 15368 } }\n"), none);
}

#[test]
fn statuses_that_could_never_count_or_vouch_for_themselves() {
    for (statuses, expected) in [
        (
            "  other: { context: x, apps: { github: 1 } }\n",
            "42: `environments.production.statuses.0`: there is no status `ci` | declare it under `statuses`, or correct the name",
        ),
        (
            "  ci: { context: \" \", apps: { github: 1 } }\n",
            "47: `statuses.ci.context` is no name of a status | write it exactly as the forge shows it, as `ci/build`",
        ),
        (
            "  ci: { context: countersign/staging, apps: { github: 1 } }\n",
            "47: `statuses.ci.context` begins with `countersign/`, as the marks that this installation sets itself | name a status of another application",
        ),
        (
            "  ci: { context: x, accounts: { github: 1 } }\n",
            "47: `statuses.ci.accounts.github`: 1 is the account of `people.ada` | let a program set it with an account of its own: a person could vouch for their own change",
        ),
        (
            "  ci: { context: x, accounts: { github: 5 }, apps: { github: 1 } }\n",
            "47: `statuses.ci` expects both an account and an App on `github` | keep the one that sets it: commit statuses are set by an account, check runs by an App",
        ),
        (
            "  ci: { context: x, accounts: { github: 5, local: 1 } }\n",
            "47: `statuses.ci.accounts.local`: nobody sets statuses in plain Git | remove the line",
        ),
        (
            "  ci: { context: x, accounts: { github: 5 }, apps: { local: 1 } }\n",
            "47: `statuses.ci.apps.local`: only GitHub has Apps | name the account that sets it under `accounts`",
        ),
        (
            "  ci: { context: x, accounts: { github: 5, lab: 1 } }\n",
            "47: `statuses.ci.accounts.lab`: there is no host `lab` | declare it under `hosts`, or correct the name",
        ),
    ] {
        let found = with(statuses);
        assert_eq!(found, [expected], "{statuses}");
    }
    let nobody = with("  ci: { context: x }\n");
    assert_eq!(
        nobody,
        [
            "34: `applications.shop.environments.production`: the environment asks for the status `ci`, which nobody sets on `github` | name who sets it there: `accounts` or `apps` of `statuses.ci`",
            "47: `statuses.ci` is expected of nobody: it could never count | name who sets it: `accounts: { HOST: ID }`, or on GitHub `apps: { HOST: ID }`",
        ]
    );
}
