use super::*;

fn story() -> Story {
    let digest = Digest::of(b"");
    let commit = "1234567890abcdef1234567890abcdef12345678";
    let target = json!({ "application": "shop", "environment": "staging", "cluster": "east" });
    let record = serde_json::from_value(json!({
        "attempt": digest, "trace": "t\u{1b}[2J", "target": target,
        "follows": { "repository": "local/shop", "reference": "refs/heads/main" },
        "began": "2026-11-20T22:00:00Z", "verdict": "allowed", "disposition": "authorized",
        "reason": "Allowed: 12 rules passed.", "operation": "deploy", "commit": commit, "tree": commit,
        "closure": digest, "bundle": digest, "facts": digest, "decision": digest, "engine": "regorus 0.14.1",
        "explained": [], "approvers": [], "failed": []
    }))
    .unwrap();
    let outcome: Outcome = serde_json::from_value(json!({
        "attempt": digest, "target": target, "sequence": 3, "time": "2026-11-20T22:00:02Z",
        "result": { "is": "healthy" }, "summary": "All 2 objects are healthy.",
        "objects": [
            { "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "a", "action": "created" },
            { "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "b", "action": "unchanged" }
        ]
    }))
    .unwrap();
    let recorded = serde_json::from_value(json!({
        "id": digest, "attempt": digest, "target": target, "sequence": 3, "result": { "is": "healthy" },
        "details": digest
    }))
    .unwrap();
    let time = "2026-11-20T22:00:01Z".parse().unwrap();
    Story {
        found: Found { index: 3, time, record, outcomes: vec![(4, time, recorded)] },
        decision: None,
        diff: None,
        details: vec![Some(outcome)],
        replayed: Some(Replayed::Different("/reason: recorded a, replayed b".to_owned())),
    }
}

#[test]
fn what_is_left_of_a_deleted_decision_is_told() {
    let text = story().text(false);
    assert!(
        text.starts_with("shop/staging/east at 1234567890ab: allowed\nAllowed: 12 rules passed.\n"),
        "{text}"
    );
    assert!(text.contains("only what the log says is left"), "{text}");
    assert!(text.contains("  2026-11-20T22:00:01.000Z  healthy  (leaf 4)\n"), "{text}");
    assert!(text.contains("created ConfigMap shop/a") && !text.contains("shop/b"), "{text}");
    assert!(text.ends_with("replay different: /reason: recorded a, replayed b"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn the_document_has_every_part_also_when_it_is_empty() {
    let story = story();
    let document = story.document();
    for part in ["index", "time", "record", "decision", "diff", "outcomes", "replay"] {
        assert!(document.get(part).is_some(), "{part}");
    }
    assert_eq!(document["replay"]["result"], "different");
    assert!(story.replays_differently());
}
