//! The status that controllers would give.

use countersign_core::digest::Digest;
use countersign_core::time::Timestamp;
use serde_json::{Value, json};

use super::objects::{seconds, text};

/// An image whose reference holds this never starts.
const DOES_NOT_START: &str = "does-not-start";
/// How long a deployment may take, where it does not say, in seconds.
const PROGRESS_DEADLINE: i64 = 600;

/// The status that the object has by `now`, if that is another than it has.
pub fn next(object: &Value, now: Timestamp) -> Option<Value> {
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    let (group, _) = text(object, "/apiVersion").split_once('/').unwrap_or_default();
    let status = match (group, text(object, "/kind")) {
        ("apps", "Deployment") => deployment(object, now),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") => replica_set(object),
        ("batch", "Job") => job(object, now),
        ("", "Pod") => pod(object),
        ("", "PersistentVolumeClaim") => json!({ "phase": "Bound" }),
        ("", "PersistentVolume") => json!({ "phase": "Available" }),
        ("policy", "PodDisruptionBudget") => json!({
            "observedGeneration": generation(object), "disruptionsAllowed": 1,
            "conditions": [{ "type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods" }],
        }),
        ("apiregistration.k8s.io", "APIService") => {
            json!({ "conditions": [{ "type": "Available", "status": "True", "reason": "Passed" }] })
        }
        _ => return None,
    };
    (object.get("status") != Some(&status)).then_some(status)
}

fn generation(object: &Value) -> i64 {
    object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(1)
}

fn number(object: &Value, pointer: &str, otherwise: i64) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(otherwise)
}

fn starts(spec: Option<&Value>) -> bool {
    let containers = ["initContainers", "containers"]
        .into_iter()
        .filter_map(|field| spec?.get(field)?.as_array())
        .flatten();
    !containers.into_iter().any(|container| text(container, "/image").contains(DOES_NOT_START))
}

fn template_starts(object: &Value) -> bool {
    starts(object.pointer("/spec/template/spec"))
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array)?;
    conditions.iter().find(|condition| condition["type"] == kind)
}

fn deployment(object: &Value, now: Timestamp) -> Value {
    let replicas = number(object, "/spec/replicas", 1);
    if template_starts(object) {
        return json!({
            "observedGeneration": generation(object), "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas,
            "conditions": [
                { "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable" },
                { "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" },
            ],
        });
    }
    // What ran before goes on, beside one new replica that never becomes ready.
    let running = number(object, "/status/availableReplicas", 0).min(replicas);
    let available = if running == replicas { "True" } else { "False" };
    let since = rollout_began(object).unwrap_or(now);
    let deadline = number(object, "/spec/progressDeadlineSeconds", PROGRESS_DEADLINE);
    let exceeded = now.as_millis() - since.as_millis() >= deadline.saturating_mul(1_000);
    let (status, reason, message) = match exceeded {
        true => ("False", "ProgressDeadlineExceeded", "ReplicaSet has timed out progressing."),
        false => ("True", "ReplicaSetUpdated", "ReplicaSet is progressing."),
    };
    json!({
        "observedGeneration": generation(object), "replicas": running + 1, "updatedReplicas": 1,
        "unavailableReplicas": 1, "readyReplicas": running, "availableReplicas": running,
        "conditions": [
            { "type": "Available", "status": available, "reason": "MinimumReplicas" },
            { "type": "Progressing", "status": status, "reason": reason, "message": message,
              "lastUpdateTime": since.to_string() },
        ],
    })
}

/// When the rollout of this generation was first seen, if it was.
fn rollout_began(object: &Value) -> Option<Timestamp> {
    if number(object, "/status/observedGeneration", 0) != generation(object) {
        return None;
    }
    text(condition(object, "Progressing")?, "/lastUpdateTime").parse().ok()
}

fn revision(object: &Value) -> String {
    let template = object.pointer("/spec/template").map(Value::to_string).unwrap_or_default();
    let digest = Digest::of(template.as_bytes()).hex();
    format!("{}-{}", text(object, "/metadata/name"), digest.get(..10).unwrap_or_default())
}

fn stateful_set(object: &Value) -> Value {
    let replicas = number(object, "/spec/replicas", 1);
    let update = revision(object);
    let mut status = json!({
        "observedGeneration": generation(object), "replicas": replicas, "updateRevision": update,
    });
    let (ready, current) = match template_starts(object) {
        true => (replicas, update),
        false => (0, text(object, "/status/currentRevision").to_owned()),
    };
    for field in ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"] {
        status[field] = json!(ready);
    }
    status["currentRevision"] = json!(current);
    status
}

fn daemon_set(object: &Value) -> Value {
    let ready = i32::from(template_starts(object));
    json!({
        "observedGeneration": generation(object), "desiredNumberScheduled": 1, "currentNumberScheduled": 1,
        "updatedNumberScheduled": 1, "numberMisscheduled": 0, "numberReady": ready, "numberAvailable": ready,
    })
}

fn replica_set(object: &Value) -> Value {
    let replicas = number(object, "/spec/replicas", 1);
    let ready = if template_starts(object) { replicas } else { 0 };
    json!({
        "observedGeneration": generation(object), "replicas": replicas, "fullyLabeledReplicas": replicas,
        "readyReplicas": ready, "availableReplicas": ready,
    })
}

fn job(object: &Value, now: Timestamp) -> Value {
    let kept = |pointer: &str| match text(object, pointer) {
        "" => seconds(now),
        time => time.to_owned(),
    };
    let started = kept("/status/startTime");
    if object.pointer("/spec/suspend") == Some(&json!(true)) {
        return json!({ "conditions": [{ "type": "Suspended", "status": "True", "reason": "JobSuspended" }] });
    }
    match template_starts(object) {
        true => json!({
            "startTime": started, "completionTime": kept("/status/completionTime"),
            "succeeded": number(object, "/spec/completions", 1),
            "conditions": [{ "type": "Complete", "status": "True", "reason": "CompletionsReached" }],
        }),
        false => json!({
            "startTime": started, "failed": 1,
            "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
                "message": "Job has reached the specified backoff limit" }],
        }),
    }
}

fn pod(object: &Value) -> Value {
    if starts(object.get("spec")) {
        return json!({ "phase": "Running", "conditions": [
            { "type": "PodScheduled", "status": "True" }, { "type": "Ready", "status": "True" },
        ] });
    }
    json!({
        "phase": "Pending",
        "conditions": [
            { "type": "PodScheduled", "status": "True" },
            { "type": "Ready", "status": "False", "reason": "ContainersNotReady" },
        ],
        "containerStatuses": [{ "name": "main", "state": { "waiting": { "reason": "ImagePullBackOff" } } }],
    })
}
