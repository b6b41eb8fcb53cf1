//! Real payloads of every forge, each with the events that it means.
//!
//! They are looked for in the folder `../shared/corpora` beside the project, or where the environment
//! variable `COUNTERSIGN_CORPORA` points. In continuous integration they must be there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign_core::configuration::HostKind;
use countersign_core::event::EventKind;
use countersign_core::time::Timestamp;
use countersign_forge::webhook::{Parsed, parse};
use serde_json::Value;

/// File, event's name, and what it means; nothing for an event that is not understood.
const GITHUB: &[(&str, &str, &[&str])] = &[
    ("branch_create", "create", &["due refs/heads/feature-branch"]),
    ("branch_delete", "delete", &["deleted refs/heads/feature-branch -"]),
    ("check_run_created", "check_run", &["status ec26c3e5 Octocoders-linter"]),
    ("check_suite_created", "check_suite", &[]),
    ("deployment", "deployment", &[]),
    ("deployment_status", "deployment_status", &[]),
    ("fork", "fork", &[]),
    ("installation", "installation", &[]),
    ("installation_delete", "installation", &[]),
    ("installation_repository", "installation_repositories", &[]),
    ("issue_comment", "issue_comment", &[]),
    ("label_deleted", "label", &[]),
    ("ping", "ping", &["ping"]),
    ("pr_closed", "pull_request", &["closed 1 d2b75aa7>refs/heads/bradrydzewski-patch-1"]),
    ("pr_comment", "pull_request_review_comment", &[]),
    ("pr_converted_to_draft", "pull_request", &["edited 1 d2b75aa7>refs/heads/bradrydzewski-patch-1"]),
    ("pr_edited", "pull_request", &["edited 1 d2b75aa7>refs/heads/bradrydzewski-patch-1"]),
    ("pr_labeled", "pull_request", &["edited 1 d2b75aa7>refs/heads/bradrydzewski-patch-1"]),
    ("pr_opened", "pull_request", &["opened 1 d2b75aa7>refs/heads/bradrydzewski-patch-1"]),
    ("pr_ready_for_review", "pull_request", &["edited 1 d2b75aa7>refs/heads/bradrydzewski-patch-1"]),
    ("pr_reopened", "pull_request", &["opened 1 d2b75aa7>refs/heads/bradrydzewski-patch-1"]),
    ("pr_review_submitted", "pull_request_review", &["commented 2 ec26c3e5>refs/heads/master"]),
    ("pr_sync", "pull_request", &["synchronized 1 8102e371>refs/heads/bradrydzewski-patch-1"]),
    ("pr_unlabeled", "pull_request", &["edited 1 d2b75aa7>refs/heads/bradrydzewski-patch-1"]),
    ("push", "push", &["pushed refs/heads/master a10867b1>199eddf4"]),
    ("push_branch_create", "push", &["pushed refs/heads/feature-branch ->d2b75aa7"]),
    ("push_branch_delete", "push", &["deleted refs/heads/feature-branch d2b75aa7"]),
    ("push_tag", "push", &["pushed refs/tags/v0.0.1 ->d2b75aa7"]),
    ("push_tag_delete", "push", &["deleted refs/tags/v0.0.1 d2b75aa7"]),
    ("release", "release", &[]),
    ("repository", "repository", &[]),
    ("status", "status", &["status 6113728f default"]),
    ("tag_create", "create", &["due refs/tags/v0.0.1"]),
    ("tag_delete", "delete", &["deleted refs/tags/v0.0.1 -"]),
];

const GITEA: &[(&str, &str, &[&str])] = &[
    ("branch_create", "create", &["due refs/heads/feature"]),
    ("branch_delete", "delete", &["deleted refs/heads/feature -"]),
    ("issue_comment_created", "issue_comment", &[]),
    ("issue_comment_deleted", "issue_comment", &[]),
    ("issue_comment_edited", "issue_comment", &[]),
    ("issues_closed", "issues", &[]),
    ("issues_opened", "issues", &[]),
    ("pull_request_closed", "pull_request", &["closed 1 2eba238e>refs/heads/master"]),
    ("pull_request_comment_created", "issue_comment", &[]),
    ("pull_request_comment_created_pr", "issue_comment", &[]),
    ("pull_request_comment_deleted", "issue_comment", &[]),
    ("pull_request_comment_edited", "issue_comment", &[]),
    ("pull_request_edited", "pull_request", &["edited 1 2eba238e>refs/heads/master"]),
    (
        "pull_request_merged",
        "pull_request",
        &["merged 1 2eba238e>refs/heads/master", "due refs/heads/master"],
    ),
    ("pull_request_opened", "pull_request", &["opened 1 2eba238e>refs/heads/master"]),
    ("pull_request_reopened", "pull_request", &["opened 1 2eba238e>refs/heads/master"]),
    ("pull_request_synchronized", "pull_request", &["synchronized 1 2eba238e>refs/heads/master"]),
    ("push", "push", &["pushed refs/heads/master 9836a96a>4522cbce"]),
    ("release", "release", &[]),
    (
        "review_approved",
        "pull_request_approved",
        &["approved 1 2eba238e>refs/heads/master", "due refs/heads/master"],
    ),
    ("tag_create", "create", &["due refs/tags/v1.0.0"]),
    ("tag_delete", "delete", &["deleted refs/tags/v1.0.0 -"]),
];

const GITLAB: &[(&str, &str, &[&str])] = &[
    ("branch_create", "Push Hook", &["pushed refs/heads/feature ->c4c79227"]),
    ("branch_delete", "Push Hook", &["deleted refs/heads/feature c4c79227"]),
    ("issue_closed", "Issue Hook", &[]),
    ("issue_comment_create", "Note Hook", &[]),
    ("issue_create", "Issue Hook", &[]),
    ("issue_edited", "Issue Hook", &[]),
    ("issue_labeled", "Issue Hook", &[]),
    ("issue_reopen", "Issue Hook", &[]),
    ("pull_request_close", "Merge Request Hook", &["closed 1 c4c79227>refs/heads/master"]),
    ("pull_request_comment_create", "Note Hook", &[]),
    ("pull_request_create", "Merge Request Hook", &["opened 1 c4c79227>refs/heads/master"]),
    ("pull_request_edited", "Merge Request Hook", &["synchronized 1 c4c79227>refs/heads/master"]),
    (
        "pull_request_merge",
        "Merge Request Hook",
        &["merged 1 c4c79227>refs/heads/master", "due refs/heads/master"],
    ),
    ("pull_request_reopen", "Merge Request Hook", &["opened 1 c4c79227>refs/heads/master"]),
    ("push", "Push Hook", &["pushed refs/heads/master 9217710c>2adc9465"]),
    ("push2", "System Hook", &["pushed refs/heads/master 2a5e548b>8f784b32"]),
    ("push_merge", "Push Hook", &["pushed refs/heads/master 2adc9465>78a76ee6"]),
    ("release", "Release Hook", &[]),
    ("review_comment_create", "Note Hook", &[]),
    ("tag_create", "Tag Push Hook", &["pushed refs/tags/v1.0.0 ->2adc9465"]),
    ("tag_delete", "Tag Push Hook", &["deleted refs/tags/v1.0.0 2adc9465"]),
];

#[test]
fn github_payloads_mean_what_they_say() {
    check(HostKind::Github, "github", "X-GitHub-Event", GITHUB);
}

#[test]
fn gitea_payloads_mean_what_they_say() {
    check(HostKind::Gitea, "gitea", "X-Gitea-Event", GITEA);
}

#[test]
fn gitlab_payloads_mean_what_they_say() {
    check(HostKind::Gitlab, "gitlab", "X-Gitlab-Event", GITLAB);
}

fn check(kind: HostKind, folder: &str, header: &str, table: &[(&str, &str, &[&str])]) {
    let Some(folder) = corpora().map(|corpora| corpora.join("webhooks").join(folder)) else { return };
    let mut untold = payloads(&folder);
    for (file, name, expected) in table {
        untold.remove(*file);
        let body = std::fs::read(folder.join(format!("{file}.json"))).unwrap();
        let headers = [(header, *name)].into_iter().collect();
        let host = "forge".parse().unwrap();
        let parsed = parse(kind, &host, &headers, &body, Timestamp::default());
        let parsed = parsed.unwrap_or_else(|error| panic!("{file}: {error}"));
        let events: Vec<String> = parsed.events.iter().map(|event| told(&event.kind)).collect();
        assert_eq!(events, *expected, "{file}");
        assert_eq!(parsed.understood, !expected.is_empty(), "{file}");
        // Some are empty: the other parser does not know that event.
        let golden = std::fs::read(folder.join(format!("{file}.json.golden"))).unwrap_or_default();
        if !golden.is_empty() {
            agrees(file, &parsed, &serde_json::from_slice(&golden).unwrap());
        }
    }
    assert_eq!(untold, BTreeSet::new(), "payloads that the table does not name");
}

/// The corpora; `None` where there are none and none need be.
fn corpora() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let folder = std::env::var_os("COUNTERSIGN_CORPORA").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "the webhook corpora are missing");
    println!("the webhook corpora are missing: payloads of real forges are not compared");
    None
}

fn payloads(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect()
}

/// An event on one line, commits shortened.
fn told(kind: &EventKind) -> String {
    let short = |commit: Option<&str>| commit.map_or("-".to_owned(), |id| id[..8].to_owned());
    match kind {
        EventKind::Pushed { reference, before, after, .. } => {
            let before = short(before.as_ref().map(|id| id.as_str()));
            format!("pushed {reference} {before}>{}", short(Some(after.as_str())))
        }
        EventKind::Deleted { reference, before } => {
            format!("deleted {reference} {}", short(before.as_ref().map(|id| id.as_str())))
        }
        EventKind::PullRequest { action, pull_request, base, head, .. } => {
            format!("{} {pull_request} {}>{base}", word(&action), short(Some(head.as_str())))
        }
        EventKind::Review { action, pull_request, base, head } => {
            let head = short(head.as_ref().map(|id| id.as_str()));
            format!("{} {pull_request} {head}>{base}", word(&action))
        }
        EventKind::RefDue { reference, .. } => format!("due {reference}"),
        EventKind::Status { commit, context } => {
            format!("status {} {}", short(Some(commit.as_str())), context.as_deref().unwrap_or("-"))
        }
        EventKind::Ping => "ping".to_owned(),
        other => format!("{other:?}"),
    }
}

/// An enum's variant as it is stored.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

/// What another parser made of the same payload.
fn agrees(file: &str, parsed: &Parsed, golden: &Value) {
    let Some(event) = parsed.events.first() else { return };
    let repository = &golden["Repo"];
    let (space, name) = (repository["Namespace"].as_str().unwrap(), repository["Name"].as_str().unwrap());
    assert_eq!(event.repository.path.as_str(), format!("{space}/{name}"), "{file}");
    let pull_request = &golden["PullRequest"];
    match &event.kind {
        EventKind::Pushed { reference, after, .. } => {
            assert_eq!(golden["Ref"], reference.as_str(), "{file}");
            assert_eq!(golden["After"], after.as_str(), "{file}");
        }
        EventKind::Deleted { reference, .. } | EventKind::RefDue { reference, .. } => {
            let name = golden["Ref"]["Name"].as_str().or(golden["Ref"].as_str()).unwrap();
            assert!(reference.as_str().ends_with(name), "{file}");
        }
        EventKind::PullRequest { pull_request: number, base, head, .. } => {
            assert_eq!(pull_request["Number"].to_string(), *number, "{file}");
            assert_eq!(pull_request["Sha"], head.as_str(), "{file}");
            assert_eq!(pull_request["Target"], base.branch().unwrap(), "{file}");
        }
        EventKind::Review { pull_request: number, base, .. } => {
            assert_eq!(pull_request["Number"].to_string(), *number, "{file}");
            assert_eq!(pull_request["Target"], base.branch().unwrap(), "{file}");
        }
        _ => {}
    }
}
