use serde_json::json;

use super::*;

mod conformance;

fn status(object: &Value) -> Status {
    of(object).status
}

#[test]
fn a_rollout_that_missed_its_deadline_failed_even_while_old_replicas_serve() {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "generation": 2},
        "spec": {"replicas": 1, "progressDeadlineSeconds": 600},
        "status": {
            "observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 1,
            "availableReplicas": 1,
            "conditions": [
                {"type": "Available", "status": "True"},
                {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                 "message": "ReplicaSet \"web-2\" has timed out progressing."},
            ],
        },
    });
    let health = of(&deployment);
    assert_eq!(health.status, Status::Failed);
    assert!(health.message.contains("timed out"), "{}", health.message);
}

#[test]
fn a_status_of_an_older_generation_proves_nothing() {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "generation": 3},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
            "availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]},
    });
    assert_eq!(status(&deployment), Status::InProgress);
}

#[test]
fn being_deleted_is_told_before_all_else() {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
    assert_eq!(status(&object), Status::Terminating);
}

#[test]
fn custom_kinds_speak_through_common_conditions() {
    let with = |conditions: Value| {
        status(&json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"},
            "status": {"conditions": conditions}}))
    };
    assert_eq!(
        with(json!([{"type": "Stalled", "status": "True"}, {"type": "Ready", "status": "True"}])),
        Status::Failed
    );
    assert_eq!(with(json!([{"type": "Reconciling", "status": "True"}])), Status::InProgress);
    assert_eq!(with(json!([{"type": "Ready", "status": "Unknown"}])), Status::InProgress);
    assert_eq!(with(json!([{"type": "Ready", "status": "True"}])), Status::Current);
    assert_eq!(with(json!("nonsense")), Status::Current);
}

#[test]
fn nonsense_is_unknown() {
    assert_eq!(status(&json!([])), Status::Unknown);
    assert_eq!(status(&json!({"kind": 1})), Status::Unknown);
}

fn overview(statuses: &[Status]) -> Overview {
    let object = |(index, status): (usize, &Status)| ObjectHealth {
        key: ObjectKey {
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: Some("shop".into()),
            name: format!("pod-{index}"),
        },
        health: Health::new(*status, "why"),
    };
    Overview { objects: statuses.iter().enumerate().map(object).collect() }
}

#[test]
fn only_what_is_wholly_as_wanted_is_healthy() {
    use Status::{Current, Failed, InProgress, NotFound, Terminating, Unknown};
    assert_eq!(overview(&[]).healthy().map(|healthy| healthy.keys().len()), Some(0));
    assert_eq!(overview(&[Current, Current]).healthy().map(|healthy| healthy.keys().len()), Some(2));
    for wrong in [InProgress, Failed, Terminating, NotFound, Unknown] {
        assert_eq!(overview(&[Current, wrong]).healthy(), None, "{wrong:?}");
    }
    assert_eq!(overview(&[InProgress, Failed]).status(), Failed);
    assert_eq!(overview(&[NotFound, Current]).status(), InProgress);
}

#[test]
fn a_summary_names_what_failed_first() {
    let overview = overview(&[Status::Current, Status::InProgress, Status::Failed]);
    assert_eq!(
        overview.summary(),
        "2 of 3 objects are not as wanted: Pod shop/pod-2: failed: why; Pod shop/pod-1: in progress: why"
    );
}
