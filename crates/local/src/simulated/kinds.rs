//! The kinds that every cluster serves, and those that definitions add.

use countersign_core::ports::cluster::ServedKind;
use serde_json::Value;

use super::objects::text;

/// API version, kind, plural; first those in namespaces.
const NAMESPACED: [(&str, &str, &str); 32] = [
    ("v1", "ConfigMap", "configmaps"),
    ("v1", "Endpoints", "endpoints"),
    ("v1", "Event", "events"),
    ("v1", "LimitRange", "limitranges"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("v1", "Pod", "pods"),
    ("v1", "PodTemplate", "podtemplates"),
    ("v1", "ReplicationController", "replicationcontrollers"),
    ("v1", "ResourceQuota", "resourcequotas"),
    ("v1", "Secret", "secrets"),
    ("v1", "Service", "services"),
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("apps/v1", "ControllerRevision", "controllerrevisions"),
    ("apps/v1", "DaemonSet", "daemonsets"),
    ("apps/v1", "Deployment", "deployments"),
    ("apps/v1", "ReplicaSet", "replicasets"),
    ("apps/v1", "StatefulSet", "statefulsets"),
    ("autoscaling/v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ("batch/v1", "CronJob", "cronjobs"),
    ("batch/v1", "Job", "jobs"),
    ("coordination.k8s.io/v1", "Lease", "leases"),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    ("events.k8s.io/v1", "Event", "events"),
    ("networking.k8s.io/v1", "Ingress", "ingresses"),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("rbac.authorization.k8s.io/v1", "Role", "roles"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    ("resource.k8s.io/v1", "ResourceClaim", "resourceclaims"),
    ("resource.k8s.io/v1", "ResourceClaimTemplate", "resourceclaimtemplates"),
    ("storage.k8s.io/v1", "CSIStorageCapacity", "csistoragecapacities"),
];

/// Those in none.
const CLUSTER_SCOPED: [(&str, &str, &str); 20] = [
    ("v1", "Namespace", "namespaces"),
    ("v1", "Node", "nodes"),
    ("v1", "PersistentVolume", "persistentvolumes"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
    ),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions"),
    ("apiregistration.k8s.io/v1", "APIService", "apiservices"),
    ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "flowschemas"),
    ("networking.k8s.io/v1", "IngressClass", "ingressclasses"),
    ("node.k8s.io/v1", "RuntimeClass", "runtimeclasses"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings"),
    ("resource.k8s.io/v1", "DeviceClass", "deviceclasses"),
    ("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses"),
    ("storage.k8s.io/v1", "CSIDriver", "csidrivers"),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses"),
    ("storage.k8s.io/v1", "VolumeAttachment", "volumeattachments"),
    ("certificates.k8s.io/v1", "CertificateSigningRequest", "certificatesigningrequests"),
];

/// What every cluster serves.
pub fn built_in() -> impl Iterator<Item = ServedKind> {
    let served = |namespaced| {
        move |(api_version, kind, plural): (&str, &str, &str)| ServedKind {
            api_version: api_version.into(),
            kind: kind.into(),
            plural: plural.into(),
            namespaced,
        }
    };
    NAMESPACED.into_iter().map(served(true)).chain(CLUSTER_SCOPED.into_iter().map(served(false)))
}

/// What a definition adds.
pub fn defined(definition: &Value) -> Vec<ServedKind> {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    versions
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true)
        .map(|version| ServedKind {
            api_version: format!("{}/{}", text(definition, "/spec/group"), text(version, "/name")),
            kind: text(definition, "/spec/names/kind").into(),
            plural: text(definition, "/spec/names/plural").into(),
            namespaced: text(definition, "/spec/scope") == "Namespaced",
        })
        .collect()
}
