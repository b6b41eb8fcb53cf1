//! Which namespace an object lives in, and that no two documents write the same object.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use countersign_core::facts::ObjectKey;

use crate::problems::Problems;
use crate::rendered::RenderedObject;
use crate::yaml::node::{At, Node, Text};

/// Kinds of Kubernetes' own groups that live in no namespace, as `group/Kind`.
const CLUSTER: &[&str] = &[
    "ComponentStatus",
    "Namespace",
    "Node",
    "PersistentVolume",
    "admissionregistration.k8s.io/MutatingAdmissionPolicy",
    "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/MutatingWebhookConfiguration",
    "admissionregistration.k8s.io/ValidatingAdmissionPolicy",
    "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
    "apiextensions.k8s.io/CustomResourceDefinition",
    "apiregistration.k8s.io/APIService",
    "authentication.k8s.io/SelfSubjectReview",
    "authentication.k8s.io/TokenReview",
    "authorization.k8s.io/SelfSubjectAccessReview",
    "authorization.k8s.io/SelfSubjectRulesReview",
    "authorization.k8s.io/SubjectAccessReview",
    "certificates.k8s.io/CertificateSigningRequest",
    "certificates.k8s.io/ClusterTrustBundle",
    "flowcontrol.apiserver.k8s.io/FlowSchema",
    "flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
    "internal.apiserver.k8s.io/StorageVersion",
    "networking.k8s.io/IPAddress",
    "networking.k8s.io/IngressClass",
    "networking.k8s.io/ServiceCIDR",
    "node.k8s.io/RuntimeClass",
    "policy/PodSecurityPolicy",
    "rbac.authorization.k8s.io/ClusterRole",
    "rbac.authorization.k8s.io/ClusterRoleBinding",
    "resource.k8s.io/DeviceClass",
    "resource.k8s.io/DeviceTaintRule",
    "resource.k8s.io/ResourceSlice",
    "scheduling.k8s.io/PriorityClass",
    "storage.k8s.io/CSIDriver",
    "storage.k8s.io/CSINode",
    "storage.k8s.io/StorageClass",
    "storage.k8s.io/VolumeAttachment",
    "storage.k8s.io/VolumeAttributesClass",
    "storagemigration.k8s.io/StorageVersionMigration",
    "imagepolicy.k8s.io/ImageReview",
    "extensions/PodSecurityPolicy",
];

/// Groups of Kubernetes itself: a kind of theirs that is not above lives in a namespace.
const BUILT_IN: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "imagepolicy.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Gives the first of `namespaces` to every object of a built-in namespaced kind that names none, and takes one away from
/// what lives in none, as the API server does. Custom kinds are left as written: only their cluster knows whether they
/// live in a namespace. Without namespaces, which is for no target, all are left. Returns where one was taken away.
pub(crate) fn place(objects: &mut [RenderedObject], namespaces: &[String]) -> Vec<(At, String)> {
    let mut taken = Vec::new();
    for object in objects {
        let cluster = CLUSTER.iter().any(|known| is(&object.key, known));
        if cluster && object.key.namespace.is_some() && !namespaces.is_empty() {
            let metadata = object.node.get_mut("metadata").and_then(Node::as_map_mut);
            let field = metadata.and_then(|metadata| metadata.remove("namespace"));
            object.key.namespace = None;
            taken.extend(field.map(|field| (field.written(), object.key.kind.clone())));
            continue;
        }
        let placed = cluster || object.key.namespace.is_some() || !BUILT_IN.contains(&object.key.group());
        if let (false, Some(first)) = (placed, namespaces.first()) {
            set_namespace(object, first);
        }
    }
    taken
}

/// Whether an object is of a kind that is written as `group/Kind`.
fn is(key: &ObjectKey, known: &str) -> bool {
    match known.strip_suffix(&*key.kind) {
        Some("") => key.group().is_empty(),
        Some(rest) => rest.strip_suffix('/') == Some(key.group()),
        None => false,
    }
}

fn set_namespace(object: &mut RenderedObject, namespace: &str) {
    // Nobody wrote this field: a reason that concerns it is shown at its parent.
    let at = object.node.field("metadata").map_or(object.node.at, |field| field.at);
    let Some(metadata) = object.node.get_mut("metadata").and_then(Node::as_map_mut) else { return };
    metadata.set(&Text::from("namespace"), at, Node::string(at, namespace));
    object.key.namespace = Some(namespace.to_owned());
}

/// Tells of objects that are written more than once, in whatever version of their API.
pub(crate) fn each_once(objects: &[RenderedObject], problems: &mut Problems) {
    let mut seen = HashMap::with_capacity(objects.len());
    for object in objects {
        let ObjectKey { kind, namespace, name, .. } = &object.key;
        let identity = (object.key.group(), kind, namespace, name);
        match seen.entry(identity) {
            Entry::Vacant(place) => {
                place.insert(&object.origin);
            }
            Entry::Occupied(first) => {
                let message = format!("{} is written twice: also at {}", object.key, first.get());
                let origin = &object.origin;
                problems.add(&origin.file, origin.line, message, "remove one of them, or rename it");
            }
        }
    }
}
