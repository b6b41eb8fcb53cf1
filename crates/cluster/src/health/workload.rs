//! Kinds that run pods.

use serde_json::Value;

use super::Health;
use super::conditions::find;
use super::fields::{count, list, number, text};

/// What is missing, as `number` of `wanted`, if anything is.
fn short(what: &str, number: i64, wanted: i64) -> Option<Health> {
    (number < wanted).then(|| Health::in_progress(format!("{number} of {wanted} {what}")))
}

fn surplus(number: i64, wanted: i64) -> Option<Health> {
    (number > wanted).then(|| Health::in_progress(format!("{} replicas are to end", number - wanted)))
}

fn replicas(object: &Value) -> i64 {
    number(object, "/spec/replicas").unwrap_or(1)
}

fn status(object: &Value, field: &str) -> i64 {
    count(object, &format!("/status/{field}"))
}

/// A `Deployment`.
pub fn deployment(object: &Value) -> Health {
    let progressing = find(object, "Progressing");
    if let Some(condition) = &progressing
        && condition.reason() == "ProgressDeadlineExceeded"
    {
        return Health::failed(condition.message("it did not progress within its deadline"));
    }
    let wanted = replicas(object);
    let of = |field| status(object, field);
    let has_deadline = object.pointer("/spec/progressDeadlineSeconds").is_some();
    let came_out = progressing
        .is_some_and(|condition| condition.is("True") && condition.reason() == "NewReplicaSetAvailable");
    short("replicas exist", of("replicas"), wanted)
        .or_else(|| short("replicas are updated", of("updatedReplicas"), wanted))
        .or_else(|| surplus(of("replicas"), wanted))
        .or_else(|| short("updated replicas are available", of("availableReplicas"), of("updatedReplicas")))
        .or_else(|| short("replicas are ready", of("readyReplicas"), wanted))
        .or_else(|| {
            (has_deadline && !came_out).then(|| Health::in_progress("the new replica set is not available"))
        })
        .or_else(|| match find(object, "Available") {
            Some(condition) if condition.is("True") => None,
            _ => Some(Health::in_progress("it is not available")),
        })
        .unwrap_or_else(|| Health::current(format!("{wanted} replicas are available")))
}

/// A `ReplicaSet`.
pub fn replica_set(object: &Value) -> Health {
    if let Some(condition) = find(object, "ReplicaFailure").filter(|condition| condition.is("True")) {
        return Health::in_progress(condition.message("replicas cannot be made"));
    }
    let wanted = replicas(object);
    let of = |field| status(object, field);
    short("replicas are labeled", of("fullyLabeledReplicas"), wanted)
        .or_else(|| short("replicas are available", of("availableReplicas"), wanted))
        .or_else(|| short("replicas are ready", of("readyReplicas"), wanted))
        .or_else(|| surplus(of("replicas"), wanted))
        .unwrap_or_else(|| Health::current(format!("{wanted} replicas are available")))
}

/// A `StatefulSet`.
pub fn stateful_set(object: &Value) -> Health {
    if text(object, "/spec/updateStrategy/type") == "OnDelete" {
        return Health::current("its pods are updated when they are deleted");
    }
    let wanted = replicas(object);
    let of = |field| status(object, field);
    let missing = short("replicas exist", of("replicas"), wanted)
        .or_else(|| short("replicas are ready", of("readyReplicas"), wanted))
        .or_else(|| surplus(of("replicas"), wanted));
    let partition = count(object, "/spec/updateStrategy/rollingUpdate/partition");
    if partition != 0 {
        return missing
            .or_else(|| short("replicas are updated", of("updatedReplicas"), wanted - partition))
            .unwrap_or_else(|| Health::current(format!("updated down to partition {partition}")));
    }
    let (current, update) = (text(object, "/status/currentRevision"), text(object, "/status/updateRevision"));
    missing
        .or_else(|| short("replicas are current", of("currentReplicas"), wanted))
        .or_else(|| {
            (current != update).then(|| Health::in_progress(format!("revision {update} is rolling out")))
        })
        .unwrap_or_else(|| Health::current(format!("{wanted} replicas are ready")))
}

/// A `DaemonSet`.
pub fn daemon_set(object: &Value) -> Health {
    let observed = number(object, "/status/observedGeneration");
    let desired = number(object, "/status/desiredNumberScheduled");
    let (Some(_), Some(desired)) = (observed, desired) else {
        return Health::in_progress("its controller has not seen it");
    };
    let of = |field| status(object, field);
    let on_delete = text(object, "/spec/updateStrategy/type") == "OnDelete";
    short("pods are scheduled", of("currentNumberScheduled"), desired)
        .or_else(|| short("pods are updated", of("updatedNumberScheduled"), desired).filter(|_| !on_delete))
        .or_else(|| short("pods are available", of("numberAvailable"), desired))
        .or_else(|| short("pods are ready", of("numberReady"), desired))
        .unwrap_or_else(|| Health::current(format!("{desired} pods are available")))
}

/// A `Job`. One that has begun is as wanted: how long it works is its own matter.
pub fn job(object: &Value) -> Health {
    let holds = |kind| find(object, kind).filter(|condition| condition.is("True"));
    if let Some(condition) = holds("Failed") {
        return Health::failed(condition.message("it failed"));
    }
    if holds("Complete").is_some() {
        return Health::current(format!("it completed, {} succeeded", status(object, "succeeded")));
    }
    if let Some(condition) = holds("Suspended") {
        return Health::current(condition.message("it is suspended"));
    }
    match text(object, "/status/startTime") {
        "" => Health::in_progress("it has not begun"),
        _ => Health::current(format!("it works, {} pods are active", status(object, "active"))),
    }
}

/// A `Pod`.
pub fn pod(object: &Value) -> Health {
    let ready = find(object, "Ready");
    match text(object, "/status/phase") {
        "Succeeded" => Health::current("it completed"),
        // A pod that came to its end did what it could do: what it was for tells whether that is bad.
        "Failed" => match ready {
            Some(condition) if condition.reason() == "PodCompleted" => {
                Health::current("it completed in failure")
            }
            _ => Health::failed(text(object, "/status/message")),
        },
        "Running" => match ready {
            Some(condition) if condition.is("True") => Health::current("it is ready"),
            _ => crash_loop(object).unwrap_or_else(|| Health::in_progress("it is not ready")),
        },
        "Pending" => match find(object, "PodScheduled") {
            Some(condition) if condition.is("False") && condition.reason() == "Unschedulable" => {
                Health::failed(condition.message("no node takes it"))
            }
            _ => Health::in_progress("it is pending"),
        },
        _ => Health::in_progress("it has no phase yet"),
    }
}

fn crash_loop(pod: &Value) -> Option<Health> {
    let looping = list(pod, "/status/containerStatuses")
        .iter()
        .find(|container| text(container, "/state/waiting/reason") == "CrashLoopBackOff")?;
    Some(Health::failed(format!("container {} crashes again and again", text(looping, "/name"))))
}
