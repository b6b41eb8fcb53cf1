//! The files of a new control repository: the sample's, with the places and people of this installation.

use std::collections::BTreeMap;

use countersign_core::bundle::{CONFIGURATION, POLICIES};
use countersign_core::names::CommitId;

use super::cluster::{self, SampleCluster};
use super::plan::Plan;

/// The sample and the starter rules, as `build.rs` lists them.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// What a reader of the new repository sees first.
const README: &str = include_str!("control.md");

/// The files of the control repository. With a baseline, the sample application is configured.
#[must_use]
pub fn files(plan: &Plan, baseline: Option<&CommitId>) -> BTreeMap<String, Vec<u8>> {
    let rules =
        embedded::POLICIES.iter().map(|(path, text)| (format!("{POLICIES}/{path}"), (*text).to_owned()));
    let sample = embedded::CONTROL.iter().filter_map(|(path, text)| match *path {
        CONFIGURATION => Some((CONFIGURATION.to_owned(), configuration(text, plan, baseline))),
        "README.md" => Some(("README.md".to_owned(), README.to_owned())),
        path if path.contains('/') => Some((path.to_owned(), (*text).to_owned())),
        _ => None,
    });
    rules.chain(sample).map(|(path, text)| (path, text.into_bytes())).collect()
}

/// The files of the sample application.
#[must_use]
pub fn application() -> BTreeMap<String, Vec<u8>> {
    embedded::APPLICATION.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// The sample's `countersign.yaml`: its comments and order, with what is this installation's own replaced.
fn configuration(sample: &str, plan: &Plan, baseline: Option<&CommitId>) -> String {
    let mut text = String::new();
    for section in sections(sample) {
        text += &section.comments;
        text += &match section.key {
            "hosts" => hosts(plan),
            "people" => people(plan),
            "teams" => teams(plan),
            "repositories" => repositories(plan),
            "applications" => applications(baseline),
            "environments" => environments(plan.people.len()),
            "clusters" => clusters(plan),
            _ => section.body,
        };
    }
    text
}

/// A top-level key, with the comments above it and everything below it.
struct Section<'a> {
    comments: String,
    key: &'a str,
    body: String,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut comments = String::new();
    for line in text.lines() {
        // The editor's hint names a file of this project that the new repository does not have.
        let is_hint = line.starts_with("# yaml-language-server:");
        let is_first = sections.is_empty() && comments.is_empty();
        if is_hint || (is_first && line == "#") {
            continue;
        }
        let is_key = line.starts_with(|first: char| first.is_ascii_alphabetic());
        match sections.last_mut() {
            _ if is_key => {
                let key = line.split(':').next().unwrap_or(line);
                let comments = std::mem::take(&mut comments);
                sections.push(Section { comments, key, body: format!("{line}\n") });
            }
            Some(section) if line.starts_with(' ') => {
                section.body += &std::mem::take(&mut comments);
                section.body += &format!("{line}\n");
            }
            _ => comments += &format!("{line}\n"),
        }
    }
    sections
}

/// A text as a double-quoted YAML scalar: JSON's strings are such.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn hosts(plan: &Plan) -> String {
    let url = quoted(&plan.repositories.to_string_lossy());
    let secret = quoted(&format!("file:{}", plan.webhook_secret().to_string_lossy()));
    format!("hosts:\n  local:\n    kind: plain\n    url: {url}\n    webhookSecret: {secret}\n")
}

fn people(plan: &Plan) -> String {
    let person = |(name, key): (_, &String)| format!("  {name}:\n    keys: [{}]\n", quoted(key));
    std::iter::once("people:\n".to_owned()).chain(plan.people.iter().map(person)).collect()
}

fn teams(plan: &Plan) -> String {
    let names: Vec<_> = plan.people.keys().map(ToString::to_string).collect();
    format!("teams:\n  platform:\n    members: [{}]\n", names.join(", "))
}

fn repositories(plan: &Plan) -> String {
    let entry = |(name, path): (&str, std::path::PathBuf)| {
        format!("  local/{name}:\n    url: {}\n", quoted(&path.to_string_lossy()))
    };
    let application = plan.sample.then(|| ("shop", plan.application_repository()));
    let all = std::iter::once(("control", plan.control_repository())).chain(application);
    std::iter::once("repositories:\n".to_owned()).chain(all.map(entry)).collect()
}

fn applications(baseline: Option<&CommitId>) -> String {
    let (mark, baseline) = match baseline {
        // The first commit is accepted with this file; what comes after it needs its approvals.
        Some(commit) => ("", format!("        baseline: \"{commit}\"\n")),
        None => ("# ", String::new()),
    };
    let head = ["  shop:", "    team: platform", "    repository: local/shop", "    environments:"];
    let mut lines: String = head.iter().map(|line| format!("{mark}{line}\n")).collect();
    for environment in ["staging", "production"] {
        for line in [
            format!("      {environment}:"),
            format!("        path: deploy/{environment}"),
            "        branch: main".to_owned(),
            format!("        namespaces: [shop-{environment}]"),
        ] {
            lines += &format!("{mark}{line}\n");
        }
        lines += &baseline;
    }
    let key = if mark.is_empty() { "applications:\n" } else { "applications: {}\n" };
    format!("{key}{lines}")
}

fn clusters(plan: &Plan) -> String {
    let SampleCluster { uid, kubeconfig } = &plan.cluster;
    let kind = if plan.cluster.is_simulated() { "simulated" } else { "kubernetes" };
    let file = |path: &std::path::PathBuf| quoted(&format!("file:{}", path.to_string_lossy()));
    let kubeconfig =
        kubeconfig.as_ref().map(|path| format!("    kubeconfig: {}\n", file(path))).unwrap_or_default();
    format!("clusters:\n  {}:\n    kind: {kind}\n    uid: {uid}\n{kubeconfig}", cluster::NAME)
}

fn environments(people: usize) -> String {
    let production = match people {
        2 => {
            "  # One colleague, since there are two of you. Ask for two as soon as there are three.\n  production:\n    \
              approvals:\n      count: 1\n"
        }
        _ => {
            "  # Two colleagues; `teams: [security]` would ask for one of that team among them.\n  production:\n    \
              approvals:\n      count: 2\n"
        }
    };
    format!(
        "environments:\n  # One colleague of the application's own team.\n  staging:\n    approvals:\n      \
         count: 1\n    clusters: [local]\n{production}    clusters: [local]\n"
    )
}

#[cfg(test)]
mod tests;
