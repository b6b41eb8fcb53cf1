//! Applications and their placements.

use std::collections::BTreeSet;

use countersign_core::configuration::{Application, Configuration, Placement};
use countersign_core::names::ClusterName;

use super::Checker;
use super::rules::branch;
use crate::yaml::shorten;

/// Where trust, inventories and kept checkpoints live on a cluster.
const OWN_NAMESPACE: &str = "countersign-system";

pub fn applications(checker: &mut Checker<'_>, configuration: &Configuration) {
    for (name, application) in &configuration.applications {
        let name = name.as_str();
        checker.refuse_reserved("applications", "application", name);
        checker.resolve(&["applications", name, "team"], "teams", "team", application.team.as_str());
        let repository = application.repository.to_string();
        checker.resolve(&["applications", name, "repository"], "repositories", "repository", &repository);
        cluster_kinds(checker, name, application);
        for (environment, placement) in &application.environments {
            let path = ["applications", name, "environments", environment.as_str()];
            checker.resolve(&path, "environments", "environment", environment.as_str());
            self::placement(checker, &path, placement);
            let inherited = configuration.environments.get(environment);
            let nowhere = inherited.is_some_and(|environment| environment.clusters.is_empty());
            if placement.clusters.is_empty() && nowhere {
                let message = format!(
                    "`{}` runs nowhere: neither it nor its environment names a cluster",
                    path.join(".")
                );
                checker.report(
                    &path,
                    message,
                    format!("add `clusters:` to `environments.{environment}`, or here"),
                );
            }
        }
    }
}

fn cluster_kinds(checker: &mut Checker<'_>, name: &str, application: &Application) {
    for kind in &application.cluster_kinds {
        let (group, bare) = kind.rsplit_once('/').unwrap_or(("", kind));
        let is_group = group
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
        let is_kind = bare.bytes().next().is_some_and(|first| first.is_ascii_uppercase())
            && bare.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_kind || !is_group || kind.starts_with('/') || group == "v1" {
            let message =
                format!("`applications.{name}.clusterKinds`: {:?} is not a group and a kind", shorten(kind));
            let help = "write `GROUP/Kind` without a version, or `Kind` for the core group";
            checker.report(&["applications", name, "clusterKinds"], message, help);
        }
    }
}

fn placement(checker: &mut Checker<'_>, path: &[&str], placement: &Placement) {
    let within = |field| path.iter().copied().chain([field]).collect::<Vec<_>>();
    folder(checker, &within("path"), &placement.path);
    branch(checker, &within("branch"), &placement.branch);
    namespaces(checker, &within("namespaces"), &placement.namespaces);
    checker.resolve_all(&within("clusters"), "clusters", "cluster", &placement.clusters);
}

/// Reports a path that leaves the repository, or that Git would never list.
fn folder(checker: &mut Checker<'_>, path: &[&str], folder: &str) {
    let odd = |letter: char| letter.is_control() || letter == '\\';
    let (wrong, help) = if folder.starts_with('/') {
        ("is absolute", "write it from the repository's root, as `deploy/staging`")
    } else if folder.split('/').any(|part| part == "..") {
        ("leaves its folder", "write it from the repository's root, without `..`")
    } else if folder == "." || folder == "./" {
        ("is not how the root is written", "write `\"\"` to mean the whole repository")
    } else if folder.chars().any(odd)
        || (!folder.is_empty() && folder.split('/').any(|part| matches!(part, "" | ".")))
    {
        ("is not a path", "write it as `deploy/staging`, without `./`, `//`, `\\` or a `/` at its end")
    } else {
        return;
    };
    checker.report(path, format!("`{}`: {:?} {wrong}", path.join("."), shorten(folder)), help);
}

fn namespaces(checker: &mut Checker<'_>, path: &[&str], namespaces: &[String]) {
    if checker.is_empty(path) {
        let message = format!("`{}` is empty: no object could be applied", path.join("."));
        checker.report(path, message, "name at least one; an object without a namespace takes the first");
    }
    let mut seen = BTreeSet::new();
    for (index, namespace) in namespaces.iter().enumerate() {
        let position = index.to_string();
        let item: Vec<&str> = path.iter().copied().chain([position.as_str()]).collect();
        let name = path.join(".");
        // A namespace's name is a DNS label, and so is a cluster's name here.
        if namespace.parse::<ClusterName>().is_err() {
            let message = format!("`{name}`: {:?} is not a valid name of a namespace", shorten(namespace));
            checker.report(&item, message, "use lower-case letters, digits and inner hyphens, at most 63");
        } else if namespace == OWN_NAMESPACE {
            let message = format!("`{name}`: `{OWN_NAMESPACE}` holds what the application is checked by");
            checker.report(&item, message, "choose another namespace");
        } else if !seen.insert(namespace) {
            checker.report(&item, format!("`{name}` lists `{namespace}` twice"), "remove one of the two");
        }
    }
}
