//! What names an object while it is built.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock};

use crate::yaml::node::Text;

/// The kinds that a schema of the build says to live in no namespace, each with its API versions: known to every object
/// from when that is read.
pub(crate) type Scopes = Arc<OnceLock<HashMap<Text, Vec<Text>>>>;

/// The namespace of what lives in none, as kustomize's reports spell it.
pub(crate) const NO_NAMESPACE: &str = "_non_namespaceable_";

/// The namespace of what names none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

pub(crate) static NO_NAMESPACE_TEXT: LazyLock<Text> = LazyLock::new(|| Text::from(NO_NAMESPACE));
pub(crate) static DEFAULT_NAMESPACE_TEXT: LazyLock<Text> = LazyLock::new(|| Text::from(DEFAULT_NAMESPACE));

/// A group, version and kind. In a selector an empty part stands for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gvk {
    pub(crate) group: Text,
    pub(crate) version: Text,
    pub(crate) kind: Text,
}

/// The group and the version of an API version.
pub(crate) fn group_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// What names an object, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id<'a> {
    pub(crate) group: &'a str,
    pub(crate) version: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    /// As written.
    pub(crate) namespace: &'a str,
    /// Whether its kind is known to live in no namespace.
    pub(crate) cluster: bool,
}

impl<'a> Id<'a> {
    pub(crate) fn new(api_version: &'a str, kind: &'a str, name: &'a str, namespace: &'a str) -> Self {
        let (group, version) = group_version(api_version);
        Self { group, version, kind, name, namespace, cluster: is_cluster_scoped(group, version, kind) }
    }

    /// The namespace that counts when two are compared.
    pub(crate) fn effective(&self) -> &'a str {
        match self.namespace {
            _ if self.cluster => NO_NAMESPACE,
            "" => DEFAULT_NAMESPACE,
            namespace => namespace,
        }
    }

    /// Whether both name the same object, in the same version.
    pub(crate) fn same(&self, other: &Id<'_>) -> bool {
        self.same_without_namespace(other) && self.effective() == other.effective()
    }

    pub(crate) fn same_without_namespace(&self, other: &Id<'_>) -> bool {
        (self.name, self.kind, self.version, self.group)
            == (other.name, other.kind, other.version, other.group)
    }

    /// Whether a selector takes it.
    pub(crate) fn is_selected(&self, by: &Gvk) -> bool {
        selects(&by.group, self.group) && selects(&by.version, self.version) && selects(&by.kind, self.kind)
    }
}

impl std::fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}", self.name)
    }
}

fn selects(part: &str, value: &str) -> bool {
    part.is_empty() || part == value
}

/// Whether kustomize knows a kind to live in no namespace: what the OpenAPI document of Kubernetes 1.21
/// (`kyaml/openapi`, `precomputedIsNamespaceScoped`) has no namespaced path for.
pub(crate) fn is_cluster_scoped(group: &str, version: &str, kind: &str) -> bool {
    matches!(
        (group, version, kind),
        ("", "v1", "ComponentStatus" | "Namespace" | "Node" | "NodeProxyOptions" | "PersistentVolume")
            | (
                "admissionregistration.k8s.io",
                "v1" | "v1beta1",
                "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
            )
            | (
                "admissionregistration.k8s.io",
                "v1",
                "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding",
            )
            | ("apiextensions.k8s.io", "v1" | "v1beta1", "CustomResourceDefinition")
            | ("apiregistration.k8s.io", "v1" | "v1beta1", "APIService")
            | ("certificates.k8s.io", "v1" | "v1beta1", "CertificateSigningRequest")
            | ("flowcontrol.apiserver.k8s.io", "v1beta1", "FlowSchema" | "PriorityLevelConfiguration")
            | ("networking.k8s.io", "v1" | "v1beta1", "IngressClass")
            | ("node.k8s.io", "v1" | "v1beta1", "RuntimeClass")
            | ("policy", "v1beta1", "PodSecurityPolicy")
            | ("rbac.authorization.k8s.io", "v1" | "v1beta1", "ClusterRole" | "ClusterRoleBinding")
            | ("scheduling.k8s.io", "v1" | "v1beta1", "PriorityClass")
            | (
                "storage.k8s.io",
                "v1" | "v1beta1",
                "CSIDriver" | "CSINode" | "StorageClass" | "VolumeAttachment",
            )
    )
}

/// Whether kustomize knows a kind to live in a namespace, whatever a schema of the build says.
pub(crate) fn is_namespaced(api_version: &str, kind: &str) -> bool {
    matches!(
        (api_version, kind),
        ("apps/v1", "ControllerRevision" | "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
            | ("autoscaling/v1", "HorizontalPodAutoscaler" | "Scale")
            | ("autoscaling/v2beta1" | "autoscaling/v2beta2", "HorizontalPodAutoscaler")
            | ("batch/v1", "CronJob" | "Job")
            | ("batch/v1beta1", "CronJob")
            | ("coordination.k8s.io/v1" | "coordination.k8s.io/v1beta1", "Lease")
            | ("discovery.k8s.io/v1" | "discovery.k8s.io/v1beta1", "EndpointSlice")
            | ("events.k8s.io/v1" | "events.k8s.io/v1beta1", "Event")
            | ("extensions/v1beta1", "Ingress")
            | ("networking.k8s.io/v1", "Ingress" | "NetworkPolicy")
            | ("networking.k8s.io/v1beta1", "Ingress")
            | ("policy/v1" | "policy/v1beta1", "PodDisruptionBudget")
            | ("rbac.authorization.k8s.io/v1" | "rbac.authorization.k8s.io/v1beta1", "Role" | "RoleBinding",)
            | ("storage.k8s.io/v1beta1", "CSIStorageCapacity")
            | (
                "v1",
                "ConfigMap"
                    | "Endpoints"
                    | "Event"
                    | "LimitRange"
                    | "PersistentVolumeClaim"
                    | "Pod"
                    | "PodAttachOptions"
                    | "PodExecOptions"
                    | "PodPortForwardOptions"
                    | "PodProxyOptions"
                    | "PodTemplate"
                    | "ReplicationController"
                    | "ResourceQuota"
                    | "Secret"
                    | "Service"
                    | "ServiceAccount"
                    | "ServiceProxyOptions",
            )
    )
}
