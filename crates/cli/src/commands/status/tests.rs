mod deployed;

use countersign_core::digest::Digest;
use countersign_core::keys;

use super::*;

fn state(change: impl FnOnce(&mut Value)) -> Known {
    let digest = Digest::of(b"");
    let attempt = digest;
    let commit = "1234567890abcdef1234567890abcdef12345678";
    let mut state = json!({
        "target": { "application": "shop", "environment": "staging", "cluster": "east" },
        "follows": { "repository": "local/shop", "reference": "refs/heads/main" },
        "asOf": 4,
        "latest": { "attempt": attempt, "began": "2026-11-20T22:00:00Z", "index": 3, "commit": commit,
            "closure": digest, "bundle": digest, "verdict": "denied", "disposition": "refused",
            "reason": "Denied by images.pinned.", "decision": digest },
        "failures": 0
    });
    change(&mut state);
    let state: TargetState = serde_json::from_value(state).unwrap();
    Known { target: state.target.clone(), state: Some(state), drift: None }
}

#[test]
fn a_denied_target_says_why_below_its_row() {
    let unseen: Target = "shop/production/east".parse().unwrap();
    let text = targets_text(&[Known { target: unseen, state: None, drift: None }, state(|_| {})], false);
    let wanted = "\
TARGET                WANTED  RUNNING  OUTCOME  LATEST             LOOKED AT
shop/production/east  -       -        -        not looked at yet
shop/staging/east     -       -        -        denied             2026-11-20T22:00:00.000Z
  why   1234567890ab: Denied by images.pinned.";
    assert_eq!(text, wanted);
}

#[test]
fn a_hold_and_a_retry_are_named() {
    let known = state(|state| {
        state["hold"] = json!({ "reason": "incident\u{1b}[2J 42", "since": "2026-11-20T22:00:00Z" });
        state["due"] = json!("2026-11-20T22:01:00Z");
        state["failures"] = json!(2);
        state["latest"]["disposition"] = json!("authorized");
    });
    let notes = notes(&known, false);
    assert_eq!(notes[0], "  held  since 2026-11-20T22:00:00.000Z: incident\u{fffd}[2J 42");
    assert_eq!(notes[1], "  next  look at 2026-11-20T22:01:00.000Z, after 2 failures");
}

#[test]
fn drift_is_told_object_by_object() {
    let mut known = state(|state| {
        state["drift"] = json!({ "details": Digest::of(b""), "since": "2026-11-20T22:00:00Z" });
        state["latest"]["disposition"] = json!("authorized");
    });
    let target = json!({ "application": "shop", "environment": "staging", "cluster": "east" });
    known.drift = serde_json::from_value(json!({
        "attempt": Digest::of(b""), "target": target, "time": "2026-11-20T22:00:00Z", "sequence": 3,
        "result": { "is": "drifted", "report": 1, "differs": Digest::of(b"") },
        "summary": "1 object is not as authorized",
        "objects": [{ "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "settings",
            "action": "observed", "message": "/data/value, by kubectl-edit" }],
    }))
    .unwrap();
    let text = targets_text(&[known], false);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[1].contains("  drifted  "), "{text}");
    assert_eq!(lines[2], "  drift since 2026-11-20T22:00:00.000Z: 1 object is not as authorized");
    assert!(lines[3].ends_with("settings: /data/value, by kubectl-edit"), "{text}");
}

#[test]
fn only_queues_in_which_something_waits_are_shown() {
    let depths = vec![
        ("events".to_owned(), Depth::default()),
        ("facts".to_owned(), Depth { dead: 1, ..Depth::default() }),
    ];
    let text = queues_text(&depths, &[], false);
    assert!(text.contains("facts") && !text.contains("events"), "{text}");
    assert_eq!(queues_text(&depths[..1], &[], false), "all queues are empty");
}
