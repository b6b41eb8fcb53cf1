//! What is demanded: approvals, of the control repository and of environments.

use countersign_core::configuration::{Approvals, Configuration};

use super::Checker;
use crate::yaml::shorten;

pub fn control(checker: &mut Checker<'_>, configuration: &Configuration) {
    let control = &configuration.control;
    let repository = ["control", "repository"];
    checker.resolve(&repository, "hosts", "host", control.repository.host.as_str());
    branch(checker, &["control", "branch"], &control.branch);
    approvals(checker, &["control", "approvals"], &control.approvals);
    if control.approvals.count == 0 {
        let message = "`control.approvals.count` is 0: no one may change the rules alone";
        checker.report(&["control", "approvals", "count"], message, "write 1 or more");
    }
    if control.approvals.teams.is_empty() {
        let message = "`control.approvals` names no team: the control repository has no team of its own";
        let help = "add `teams:` with the team that looks after the rules, as `[platform]`";
        checker.report(&["control", "approvals", "teams"], message, help);
    }
}

pub fn environments(checker: &mut Checker<'_>, configuration: &Configuration) {
    for (name, environment) in &configuration.environments {
        let name = name.as_str();
        checker.refuse_reserved("environments", "environment", name);
        approvals(checker, &["environments", name, "approvals"], &environment.approvals);
        checker.resolve_all(
            &["environments", name, "clusters"],
            "clusters",
            "cluster",
            &environment.clusters,
        );
    }
}

fn approvals(checker: &mut Checker<'_>, path: &[&str], approvals: &Approvals) {
    let within = |field| path.iter().copied().chain([field]).collect::<Vec<_>>();
    checker.resolve_all(&within("teams"), "teams", "team", &approvals.teams);
    let asks = approvals.signed || !approvals.teams.is_empty();
    // A count of 0 is wrong for the control repository in any case, and reported as that.
    if approvals.count == 0 && asks && path.first() != Some(&"control") {
        let message = format!("`{}` is 0, but teams or signatures are asked for", within("count").join("."));
        checker.report(&within("count"), message, "write 1 or more, or remove `teams` and `signed`");
    }
}

/// Reports a branch that Git would refuse.
pub fn branch(checker: &mut Checker<'_>, path: &[&str], branch: &str) {
    let reference: Result<countersign_core::names::Reference, _> = format!("refs/heads/{branch}").parse();
    let name = path.join(".");
    if branch.starts_with("refs/") {
        let message = format!("`{name}` takes a branch's short name, not {:?}", shorten(branch));
        let help = match branch.strip_prefix("refs/heads/") {
            Some(short) => format!("write `{}`", shorten(short)),
            None => "write it as `main`".to_owned(),
        };
        checker.report(path, message, help);
    } else if reference.is_err() {
        let message = format!("`{name}`: {:?} is not a valid name of a branch", shorten(branch));
        checker.report(path, message, "write it as `git branch` shows it, as `main`");
    }
}
