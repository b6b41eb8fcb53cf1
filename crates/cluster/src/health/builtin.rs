//! Kinds that tell their health in ways of their own.

use countersign_core::facts::ObjectKey;
use serde_json::Value;

use super::conditions::find;
use super::fields::{list, number, text};
use super::{Health, Status, workload};

/// How an object of a well-known kind is; `None` if its kind is not one.
pub fn of(object: &Value) -> Option<Health> {
    let kind = text(object, "/kind");
    let key = ObjectKey {
        api_version: text(object, "/apiVersion").to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        name: String::new(),
    };
    Some(match (key.group(), kind) {
        ("apps", "Deployment") => workload::deployment(object),
        ("apps", "ReplicaSet") => workload::replica_set(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps", "DaemonSet") => workload::daemon_set(object),
        ("batch", "Job") => workload::job(object),
        // When its jobs run, and how they end, is not a matter of a change.
        ("batch", "CronJob") => Health::current(""),
        ("", "Pod") => workload::pod(object),
        ("", "PersistentVolumeClaim") => volume_claim(object),
        ("", "Service") => service(object),
        ("", "Namespace") => namespace(object),
        ("policy", "PodDisruptionBudget") => disruption_budget(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(object),
        ("apiregistration.k8s.io", "APIService") => api_service(object),
        _ => return None,
    })
}

fn volume_claim(object: &Value) -> Health {
    match text(object, "/status/phase") {
        "Bound" => Health::current("it is bound"),
        "Lost" => Health::failed("its volume is lost"),
        _ => Health::in_progress("it is not bound"),
    }
}

/// A load balancer counts from its address in the cluster on: whether and when somebody makes the outer
/// one is not known to the cluster, and on many there is nobody to do so.
fn service(object: &Value) -> Health {
    match (text(object, "/spec/type"), text(object, "/spec/clusterIP")) {
        ("LoadBalancer", "") => Health::in_progress("it has no address yet"),
        _ => Health::current(""),
    }
}

fn namespace(object: &Value) -> Health {
    match text(object, "/status/phase") {
        "Terminating" => Health::new(Status::Terminating, "it is being deleted"),
        _ => Health::current(""),
    }
}

fn disruption_budget(object: &Value) -> Health {
    if number(object, "/status/observedGeneration").is_none() {
        return Health::in_progress("its controller has not seen it");
    }
    // A controller that cannot tell which pods are meant says so as a reason of this condition.
    let failed = list(object, "/status/conditions").iter().any(|condition| {
        text(condition, "/type") == "DisruptionAllowed" && text(condition, "/reason") == "SyncFailed"
    });
    match failed {
        true => Health::failed("its controller cannot work out its pods"),
        false => Health::current(""),
    }
}

fn definition(object: &Value) -> Health {
    if let Some(condition) = find(object, "NamesAccepted").filter(|condition| condition.is("False")) {
        return Health::failed(condition.message("its names are taken"));
    }
    match find(object, "Established") {
        Some(condition) if condition.is("True") => Health::current("it is established"),
        Some(condition) if condition.is("False") && condition.reason() != "Installing" => {
            Health::failed(condition.message("it is not established"))
        }
        _ => Health::in_progress("it is being installed"),
    }
}

fn api_service(object: &Value) -> Health {
    match find(object, "Available") {
        Some(condition) if condition.is("True") => Health::current("it is available"),
        Some(condition) => Health::in_progress(condition.message("it is not available")),
        None => Health::in_progress("its availability is not known yet"),
    }
}
