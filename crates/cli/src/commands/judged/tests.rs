use countersign_core::digest::Digest;
use serde_json::json;

use super::*;

fn decision(change: impl FnOnce(&mut Value)) -> Decision {
    let digest = Digest::of(b"");
    let commit = "1234567890abcdef1234567890abcdef12345678";
    let mut decision = json!({
        "v": 1, "attempt": digest, "began": "2026-11-20T22:00:00Z", "preview": false,
        "target": { "application": "shop", "environment": "staging", "cluster": "east" },
        "follows": { "repository": "local/shop", "reference": "refs/heads/main" },
        "operation": "deploy", "commit": commit, "tree": commit, "closure": digest, "objects": [],
        "namespaces": ["shop"], "clusterKinds": [], "adopt": false, "facts": digest, "bundle": digest,
        "engine": "regorus 0.14.1", "verdict": "denied", "reason": "images.pinned denies this change.",
        "rules": [
            { "rule": "approvals.required", "title": "Approvals", "description": "", "remedy": "", "severity": "error",
              "controls": [], "outcome": "pending", "violations": [{ "message": "no approval" }] },
            { "rule": "images.known", "title": "Known", "description": "", "remedy": "", "severity": "error",
              "controls": [], "outcome": "passed", "violations": [] },
            { "rule": "images.pinned", "title": "Images are pinned", "description": "A tag can move.",
              "remedy": "Add the digest.", "severity": "error", "controls": ["SOC2 CC8.1"],
              "outcome": "failed", "violations": [{
                "message": "image web:1 has no digest", "field": "/spec/image",
                "object": { "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web" },
                "at": { "file": "deploy/web.yaml", "line": 12 } }] }
        ],
        "approvals": [], "explained": []
    });
    change(&mut decision);
    serde_json::from_value(decision).unwrap()
}

#[test]
fn what_denies_comes_first_with_its_place_and_remedy() {
    let line_of = |_: &str, line: u32| (line == 12).then(|| "  image: web:1".to_owned());
    let text = rules(&decision(|_| {}), &line_of, false);
    let wanted = "  denies  images.pinned  Images are pinned
    deploy/web.yaml:12: image web:1 has no digest
       12 |   image: web:1
          |   ^^^^^^^^^^^^
      apps/Deployment shop/web, field /spec/image
    why   A tag can move.
    fix   Add the digest.
    for   SOC2 CC8.1
  pending approvals.required  Approvals
    no approval
  passes  1 rule";
    assert_eq!(text, wanted);
}

#[test]
fn texts_of_others_do_nothing_to_a_terminal() {
    let text = rules(
        &decision(|decision| {
            decision["rules"][2]["violations"][0]["message"] = json!("\u{1b}[2Jgone");
            decision["rules"][2]["violations"][0]["field"] = json!("/a\u{7}");
        }),
        &|_, _| None,
        false,
    );
    assert!(!text.chars().any(|letter| letter.is_control() && letter != '\n'), "{text:?}");
}

#[test]
fn a_flood_is_cut_and_counted() {
    let text = rules(
        &decision(|decision| {
            let finding = decision["rules"][2]["violations"][0].clone();
            decision["rules"][2]["violations"] = Value::Array(vec![finding; 30]);
        }),
        &|_, _| None,
        false,
    );
    assert!(text.contains("\n    and 10 more\n"), "{text}");
}

#[test]
fn differences_name_the_field_and_both_values() {
    let objects: Vec<ObjectDiff> = serde_json::from_value(json!([
        { "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web", "change": "changed",
          "fields": [{ "field": "/spec/replicas", "before": 1, "after": 2 }, { "field": "/metadata/labels/a", "after": "x" }] },
        { "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "old", "change": "removed", "fields": [] }
    ]))
    .unwrap();
    let wanted = "    ~ apps/Deployment shop/web
        /spec/replicas: 1 → 2
        /metadata/labels/a: new, \"x\"
    - ConfigMap shop/old";
    assert_eq!(diff(&objects, false), wanted);
}

#[test]
fn an_approval_says_whether_it_counts_and_why() {
    let approvals: Vec<Approval> = serde_json::from_value(json!([{
        "id": "7", "person": "ann", "shownAs": "ann-login", "head": "1234567890abcdef1234567890abcdef12345678",
        "signed": false, "counts": false, "reason": "ann wrote a commit of it"
    }]))
    .unwrap();
    let text = super::approvals(&approvals, false);
    assert_eq!(text, "    ann  1234567890ab  not signed  does not count  ann wrote a commit of it");
}
