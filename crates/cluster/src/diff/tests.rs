use serde_json::json;

use super::*;

#[test]
fn only_what_somebody_wrote_counts() {
    let before = json!({
        "metadata": {"resourceVersion": "1", "generation": 1, "managedFields": [], "labels": {"a/b": "1"}},
        "spec": {"replicas": 1, "ports": [1]}, "status": {"replicas": 0},
    });
    let mut after = before.clone();
    after["metadata"]["resourceVersion"] = json!("2");
    after["metadata"]["generation"] = json!(2);
    after["status"]["replicas"] = json!(1);
    assert_eq!(fields(&before, &after), [] as [&str; 0]);
    after["metadata"]["labels"]["a/b"] = json!("2");
    after["spec"]["ports"] = json!([1, 2]);
    after["spec"]["paused"] = json!(true);
    assert_eq!(fields(&before, &after), ["/metadata/labels/a~1b", "/spec/paused", "/spec/ports"]);
}

#[test]
fn an_object_is_told_to_be_anothers_before_it_is_compared() {
    let us = "countersign:shop/staging";
    let ours = ownership::marked(&json!({"metadata": {}}), us);
    assert_eq!(whose(&ours, us), None);
    assert_eq!(whose(&json!({"metadata": {}}), us), Some(Drift::Foreign { owner: None }));
    let other = ownership::marked(&json!({"metadata": {}}), "countersign:bank/staging");
    assert_eq!(whose(&other, us), Some(Drift::Foreign { owner: Some("countersign:bank/staging".into()) }));
    let mut going = ours;
    going["metadata"]["deletionTimestamp"] = json!("2026-11-20T22:00:00Z");
    assert_eq!(whose(&going, us), Some(Drift::Deleting));
}
