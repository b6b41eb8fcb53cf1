use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn host() -> HostName {
    "forge".parse().unwrap()
}

fn parsed(kind: HostKind, headers: &[(&str, &str)], body: &Value) -> Result<Parsed, ParseError> {
    let headers = headers.iter().copied().collect();
    parse(kind, &host(), &headers, body.to_string().as_bytes(), Timestamp::from_millis(5))
}

fn github(event: &str, body: &Value) -> Result<Parsed, ParseError> {
    parsed(HostKind::Github, &[("X-GitHub-Event", event), ("X-GitHub-Delivery", "d-1")], body)
}

fn kinds(parsed: Result<Parsed, ParseError>) -> Value {
    let parsed = parsed.unwrap();
    assert!(parsed.understood);
    serde_json::to_value(parsed.events.into_iter().map(|event| event.kind).collect::<Vec<_>>()).unwrap()
}

fn push(before: &str, after: &str) -> Value {
    json!({"ref": "refs/heads/main", "before": before, "after": after, "forced": true,
        "repository": {"full_name": "team/shop"}, "sender": {"login": "ann"}})
}

fn pull_request(action: &str, merged: bool, head: Value) -> Value {
    json!({"action": action, "repository": {"full_name": "team/shop"}, "pull_request": {"number": 7,
        "merged": merged, "head": {"sha": ONE, "repo": head},
        "base": {"ref": "main", "repo": {"full_name": "team/shop"}}}})
}

fn own() -> Value {
    json!({"full_name": "team/shop"})
}

#[test]
fn an_event_is_named_by_host_delivery_and_place() {
    let parsed = github("push", &push(ONE, TWO)).unwrap();
    let event = &parsed.events[0];
    assert_eq!((parsed.name.as_str(), parsed.delivery.as_str()), ("push", "d-1"));
    assert_eq!((event.id.as_str(), event.received), ("forge/d-1/0", Timestamp::from_millis(5)));
    assert_eq!(
        (event.repository.to_string().as_str(), event.actor.as_deref()),
        ("forge/team/shop", Some("ann"))
    );
}

#[test]
fn a_delivery_without_a_sound_id_is_named_by_its_body() {
    let body = push(ONE, TWO);
    let digest = Digest::of(body.to_string().as_bytes()).hex();
    for id in ["", "a b", "a/b", "é", &"a".repeat(101)] {
        let headers = [("X-GitHub-Event", "push"), ("X-GitHub-Delivery", id)];
        assert_eq!(parsed(HostKind::Github, &headers, &body).unwrap().delivery, digest, "{id:?}");
    }
    assert_eq!(parsed(HostKind::Github, &[("X-GitHub-Event", "push")], &body).unwrap().delivery, digest);
    let gitlab = json!({"object_kind": "note"});
    for name in ["webhook-id", "Idempotency-Key", "X-Gitlab-Event-UUID"] {
        let headers = [("X-Gitlab-Event", "Note Hook"), (name, "g-1")];
        assert_eq!(parsed(HostKind::Gitlab, &headers, &gitlab).unwrap().delivery, "g-1");
    }
}

#[test]
fn zeros_are_no_commit() {
    let moved = |before, after| kinds(github("push", &push(before, after)));
    let reference = "refs/heads/main";
    assert_eq!(
        moved(ONE, TWO),
        json!([{"type": "pushed", "reference": reference, "before": ONE, "after": TWO, "forced": true}])
    );
    assert_eq!(moved(ZERO, TWO)[0]["before"], Value::Null);
    assert_eq!(moved(ONE, ZERO), json!([{"type": "deleted", "reference": reference, "before": ONE}]));
    assert_eq!(moved(ZERO, ZERO), json!([]));
    let mut note = push(ONE, TWO);
    note["ref"] = json!("refs/notes/commits");
    assert_eq!(kinds(github("push", &note)), json!([]));
}

#[test]
fn what_is_said_of_a_merged_pull_request_makes_its_branch_due() {
    let of = |action: &str, merged| kinds(github("pull_request", &pull_request(action, merged, own())));
    let due = json!({"type": "refDue", "reference": "refs/heads/main", "everyTarget": false});
    for (action, merged, told) in [
        ("opened", false, "opened"),
        ("synchronize", false, "synchronized"),
        ("labeled", false, "edited"),
        ("closed", false, "closed"),
        ("closed", true, "merged"),
        ("labeled", true, "edited"),
    ] {
        let kinds = of(action, merged);
        assert_eq!((&kinds[0]["action"], &kinds[0]["head"]), (&json!(told), &json!(ONE)));
        assert_eq!(kinds[1], if merged { due.clone() } else { Value::Null }, "{action}");
    }
    assert!(!github("pull_request", &pull_request("assigned", false, own())).unwrap().understood);
}

#[test]
fn a_head_elsewhere_or_gone_is_a_fork() {
    for (head, fork) in [(own(), false), (json!({"full_name": "bob/shop"}), true), (Value::Null, true)] {
        let kinds = kinds(github("pull_request", &pull_request("opened", false, head)));
        assert_eq!(kinds[0]["fork"], json!(fork));
    }
}

#[test]
fn a_review_that_may_count_makes_its_branch_due() {
    let review = |action: &str, state: &str| {
        let mut body = pull_request(action, false, own());
        body["review"] = json!({"state": state, "commit_id": TWO});
        kinds(github("pull_request_review", &body))
    };
    for (action, state, told, events) in [
        ("submitted", "approved", "approved", 2),
        ("submitted", "changes_requested", "changesRequested", 2),
        ("submitted", "commented", "commented", 1),
        ("dismissed", "dismissed", "dismissed", 2),
    ] {
        let kinds = review(action, state);
        assert_eq!((&kinds[0]["action"], &kinds[0]["head"]), (&json!(told), &json!(ONE)));
        assert_eq!(kinds.as_array().unwrap().len(), events);
    }
    let mut edited = pull_request("edited", false, own());
    edited["review"] = json!({"state": "approved"});
    assert!(!github("pull_request_review", &edited).unwrap().understood);
}

#[test]
fn gitea_names_reviews_by_the_event() {
    let gitea = |header: &str, event: &str, body: &Value| parsed(HostKind::Gitea, &[(header, event)], body);
    let mut body = pull_request("reviewed", false, own());
    for (event, told, events) in [
        ("pull_request_approved", "approved", 2),
        ("pull_request_review_rejected", "changesRequested", 2),
        ("pull_request_comment", "commented", 1),
    ] {
        let kinds = kinds(gitea("X-Forgejo-Event", event, &body));
        assert_eq!((&kinds[0]["action"], &kinds[0]["head"]), (&json!(told), &json!(ONE)));
        assert_eq!(kinds.as_array().unwrap().len(), events);
    }
    body["commit_id"] = json!(TWO);
    assert_eq!(
        kinds(gitea("X-Gitea-Event", "pull_request_approved", &body))[0]["head"],
        json!(ONE),
        "an older commit"
    );
    let synchronized = pull_request("synchronized", false, own());
    assert_eq!(
        kinds(gitea("X-Gitea-Event", "pull_request_sync", &synchronized))[0]["action"],
        "synchronized"
    );
}

#[test]
fn gitlab_tells_approvals_as_actions_of_the_merge_request() {
    let merge_request = |action: &str, last_commit: Value| {
        let body = json!({"object_kind": "merge_request", "user": {"username": "ann"},
            "project": {"path_with_namespace": "group/team/shop"}, "object_attributes": {"iid": 3,
            "action": action, "state": "opened", "target_branch": "main", "source_project_id": 2,
            "target_project_id": 1, "last_commit": last_commit}});
        parsed(HostKind::Gitlab, &[("X-Gitlab-Event", "Merge Request Hook")], &body)
    };
    let commit = json!({"id": ONE});
    for (action, told) in [("approved", "approved"), ("approval", "approved"), ("unapproved", "dismissed")] {
        let kinds = kinds(merge_request(action, commit.clone()));
        assert_eq!((&kinds[0]["type"], &kinds[0]["action"]), (&json!("review"), &json!(told)));
        assert_eq!(kinds[1]["reference"], "refs/heads/main");
    }
    let opened = merge_request("open", commit.clone()).unwrap();
    assert_eq!(opened.events[0].actor.as_deref(), Some("ann"));
    assert_eq!(kinds(Ok(opened))[0]["fork"], true);
    assert_eq!(kinds(merge_request("open", Value::Null)), json!([]), "it has no commit yet");
    assert!(!merge_request("assigned", commit).unwrap().understood);
}

#[test]
fn a_status_says_of_which_commit_and_under_which_name() {
    let repository = json!({"full_name": "team/shop"});
    let status = |context: &str| json!([{"type": "status", "commit": ONE, "context": context}]);
    let body = json!({"sha": ONE, "context": "ci/build", "state": "success", "repository": repository});
    assert_eq!(kinds(github("status", &body)), status("ci/build"));
    assert_eq!(kinds(parsed(HostKind::Gitea, &[("X-Gitea-Event", "status")], &body)), status("ci/build"));
    let run = json!({"action": "completed", "check_run": {"head_sha": ONE, "name": "build"}, "repository": repository});
    assert_eq!(kinds(github("check_run", &run)), status("build"));
    assert!(
        matches!(github("status", &json!({"sha": ONE, "repository": repository})), Err(ParseError::Field { path, .. }) if path == "$.context")
    );

    let gitlab = |body: Value| parsed(HostKind::Gitlab, &[("X-Gitlab-Event", "Pipeline Hook")], &body);
    let project = json!({"path_with_namespace": "team/shop"});
    let pipeline = json!({"object_kind": "pipeline", "object_attributes": {"sha": ONE, "status": "success"}, "project": project});
    assert_eq!(kinds(gitlab(pipeline)), json!([{"type": "status", "commit": ONE, "context": null}]));
    let job = json!({"object_kind": "build", "sha": ONE, "build_name": "test", "build_status": "success"});
    assert_eq!(kinds(gitlab(job.clone())), json!([]), "an older release does not say where");
    let mut job = job;
    job["project"] = project;
    assert_eq!(kinds(gitlab(job)), status("test"));
}

#[test]
fn what_is_not_what_the_forge_sends_is_told_with_its_place() {
    let malformed = |text: &str| {
        let headers = [("X-GitHub-Event", "push")].into_iter().collect();
        parse(HostKind::Github, &host(), &headers, text.as_bytes(), Timestamp::default()).unwrap_err()
    };
    assert!(matches!(malformed("{\n \"a\":"), ParseError::Malformed { line: 2, column: 5, .. }));
    assert!(matches!(malformed("payload=%7B%7D"), ParseError::Malformed { line: 1, .. }));
    assert!(matches!(malformed(&"[".repeat(100_000)), ParseError::Malformed { .. }));
    assert_eq!(
        parsed(HostKind::Gitlab, &[], &json!({})),
        Err(ParseError::NoEventName { header: "X-Gitlab-Event" })
    );
    let at = |event: &str, body: &Value| match github(event, body) {
        Err(ParseError::Field { path, .. }) => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(at("push", &json!({})), "$.ref");
    assert_eq!(at("push", &json!([])), "$.ref");
    let mut body = push(ONE, "main");
    assert_eq!(at("push", &body), "$.after");
    body["after"] = json!(TWO);
    body["repository"] = json!({"full_name": "../shop"});
    assert_eq!(at("push", &body), "$.repository.full_name");
    assert_eq!(at("pull_request", &json!({"action": "opened"})), "$.pull_request.number");
    assert_eq!(at("create", &json!({"ref_type": "wiki"})), "$.ref_type");
}

#[test]
fn hello_and_the_unknown_are_no_errors() {
    assert_eq!(kinds(github("ping", &json!({"zen": "…", "repository": own()}))), json!([{"type": "ping"}]));
    assert_eq!(kinds(github("ping", &json!({"zen": "of an organization"}))), json!([]));
    let unknown = github("meteor_shower", &json!({})).unwrap();
    assert!(!unknown.understood && unknown.events.is_empty());
}

proptest! {
    #[test]
    fn parsing_never_panics(body: Vec<u8>, event: String) {
        for kind in [HostKind::Github, HostKind::Gitea, HostKind::Gitlab, HostKind::Plain] {
            for event in [event.as_str(), "push", "pull_request"] {
                let names = ["X-GitHub-Event", "X-Gitea-Event", "X-Gitlab-Event"];
                let headers = names.into_iter().map(|name| (name, event)).collect();
                let _ = parse(kind, &host(), &headers, &body, Timestamp::default());
            }
        }
    }

    #[test]
    fn parsing_what_looks_like_a_push_never_panics(reference: String, before: String, after: String) {
        let mut body = push(&before, &after);
        body["ref"] = json!(reference);
        for kind in [HostKind::Github, HostKind::Gitea] {
            let names = [("X-GitHub-Event", "push"), ("X-Gitea-Event", "push")];
            let _ = parsed(kind, &names, &body);
        }
    }
}
