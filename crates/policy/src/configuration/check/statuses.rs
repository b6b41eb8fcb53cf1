//! Statuses of other applications: each of whom it is expected, on every host where it is asked for.

use std::collections::BTreeMap;

use countersign_core::configuration::{Configuration, ExpectedStatus, HostKind};
use countersign_core::names::HostName;

use super::Checker;

/// What begins the names of our own marks.
const OWN: &str = "countersign/";

pub fn statuses(checker: &mut Checker<'_>, configuration: &Configuration) {
    for (name, status) in &configuration.statuses {
        let path = ["statuses", name.as_str()];
        context(checker, &["statuses", name.as_str(), "context"], &status.context);
        if status.accounts.is_empty() && status.apps.is_empty() {
            let message = format!("`{}` is expected of nobody: it could never count", path.join("."));
            let help = "name who sets it: `accounts: { HOST: ID }`, or on GitHub `apps: { HOST: ID }`";
            checker.report(&path, message, help);
        }
        accounts(checker, configuration, name.as_str(), status);
        apps(checker, configuration, name.as_str(), status);
    }
    for (name, environment) in &configuration.environments {
        let path = ["environments", name.as_str(), "statuses"];
        checker.resolve_all(&path, "statuses", "status", &environment.statuses);
    }
    asked(checker, configuration);
}

fn context(checker: &mut Checker<'_>, path: &[&str], context: &str) {
    let name = path.join(".");
    if context.trim().is_empty() || context.chars().any(char::is_control) {
        let message = format!("`{name}` is no name of a status");
        checker.report(path, message, "write it exactly as the forge shows it, as `ci/build`");
    } else if context.starts_with(OWN) {
        let message =
            format!("`{name}` begins with `{OWN}`, as the marks that this installation sets itself");
        checker.report(path, message, "name a status of another application");
    }
}

fn accounts(checker: &mut Checker<'_>, configuration: &Configuration, name: &str, status: &ExpectedStatus) {
    let people: BTreeMap<_, _> = configuration
        .people
        .iter()
        .flat_map(|(person, entry)| entry.accounts.iter().map(move |account| (account, person)))
        .collect();
    for account in &status.accounts {
        let (host, id) = account;
        let path = ["statuses", name, "accounts", host.as_str()];
        checker.resolve(&path, "hosts", "host", host.as_str());
        if kind(configuration, host) == Some(HostKind::Plain) {
            let message = format!("`{}`: nobody sets statuses in plain Git", path.join("."));
            checker.report(&path, message, "remove the line");
        }
        if status.apps.contains_key(host) {
            let message = format!("`statuses.{name}` expects both an account and an App on `{host}`");
            checker.report(
                &path,
                message,
                "keep the one that sets it: commit statuses are set by an account, check runs by an App",
            );
        }
        if let Some(person) = people.get(&account) {
            let message = format!("`{}`: {id} is the account of `people.{person}`", path.join("."));
            let help =
                "let a program set it with an account of its own: a person could vouch for their own change";
            checker.report(&path, message, help);
        }
    }
}

fn apps(checker: &mut Checker<'_>, configuration: &Configuration, name: &str, status: &ExpectedStatus) {
    for host in status.apps.keys() {
        let path = ["statuses", name, "apps", host.as_str()];
        checker.resolve(&path, "hosts", "host", host.as_str());
        if kind(configuration, host).is_some_and(|kind| kind != HostKind::Github) {
            let message = format!("`{}`: only GitHub has Apps", path.join("."));
            checker.report(&path, message, "name the account that sets it under `accounts`");
        }
    }
}

/// What an environment asks for is expected of somebody on the host of each application that is there.
fn asked(checker: &mut Checker<'_>, configuration: &Configuration) {
    for (name, application) in &configuration.applications {
        let host = &application.repository.host;
        for environment_name in application.environments.keys() {
            let Some(environment) = configuration.environments.get(environment_name) else { continue };
            let missing = environment.statuses.iter().filter(|status| {
                let expected = configuration.statuses.get(*status);
                expected.is_some_and(|expected| {
                    !expected.accounts.contains_key(host) && !expected.apps.contains_key(host)
                })
            });
            for status in missing {
                let path = ["applications", name.as_str(), "environments", environment_name.as_str()];
                let message = format!(
                    "`{}`: the environment asks for the status `{status}`, which nobody sets on `{host}`",
                    path.join(".")
                );
                let help = format!("name who sets it there: `accounts` or `apps` of `statuses.{status}`");
                checker.report(&path, message, help);
            }
        }
    }
}

fn kind(configuration: &Configuration, host: &HostName) -> Option<HostKind> {
    configuration.hosts.get(host).map(|host| host.kind)
}
