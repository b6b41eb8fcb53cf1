//! In which order objects are written, so that none comes before what it needs.

use countersign_core::facts::ObjectKey;

/// A part of a change. Every dry run of a stage passes before its first write, and everything that a
/// later stage may need exists before that stage begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Namespaces.
    Namespaces,
    /// Custom resource definitions: established before the next stage.
    Definitions,
    /// Cluster roles, their bindings, and class kinds such as `StorageClass`.
    Classes,
    /// Everything else.
    Rest,
}

impl Stage {
    /// Every stage, in the order of writes.
    pub const ALL: [Self; 4] = [Self::Namespaces, Self::Definitions, Self::Classes, Self::Rest];

    /// The stage that an object belongs to.
    #[must_use]
    pub fn of(key: &ObjectKey) -> Self {
        match (key.group(), key.kind.as_str()) {
            ("", "Namespace") => Self::Namespaces,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Self::Definitions,
            ("rbac.authorization.k8s.io", "ClusterRole" | "ClusterRoleBinding") => Self::Classes,
            // Kinds that name a way of doing something are called so throughout the ecosystem.
            (_, kind) if key.namespace.is_none() && kind.ends_with("Class") => Self::Classes,
            _ => Self::Rest,
        }
    }
}

/// The place of an object within its stage: objects of one wave are written together, waves in order.
/// Configuration comes before what reads it, and webhooks last, so that none stands in the way of the
/// objects that it needs to answer.
#[must_use]
pub fn wave(key: &ObjectKey) -> u8 {
    match (key.group(), key.kind.as_str()) {
        ("", "ServiceAccount" | "Secret" | "ConfigMap" | "ResourceQuota" | "LimitRange")
        | ("networking.k8s.io", "NetworkPolicy")
        | ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => 0,
        ("", "PersistentVolume" | "PersistentVolumeClaim" | "Service")
        | ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => 1,
        ("", "Pod" | "ReplicationController")
        | ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job" | "CronJob")
        | ("apps.openshift.io", "DeploymentConfig") => 3,
        ("autoscaling" | "policy", _)
        | ("networking.k8s.io", "Ingress")
        | ("route.openshift.io", "Route") => 4,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => 5,
        _ => 2,
    }
}

/// The items whose keys belong to `stage`, as waves in the order of writes; within a wave, the order of
/// `items` is kept.
pub fn waves<T>(items: &[T], stage: Stage, key: impl Fn(&T) -> &ObjectKey) -> Vec<Vec<&T>> {
    let mut of_stage: Vec<&T> = items.iter().filter(|item| Stage::of(key(item)) == stage).collect();
    of_stage.sort_by_key(|item| wave(key(item)));
    of_stage.chunk_by(|left, right| wave(key(left)) == wave(key(right))).map(<[&T]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(api_version: &str, kind: &str, namespaced: bool) -> ObjectKey {
        ObjectKey {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: namespaced.then(|| "shop".into()),
            name: kind.to_lowercase(),
        }
    }

    #[test]
    fn what_others_need_comes_first() {
        let mixed = [
            key("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", false),
            key("apps/v1", "Deployment", true),
            key("example.com/v1", "Widget", true),
            key("v1", "ConfigMap", true),
            key("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", false),
            key("storage.k8s.io/v1", "StorageClass", false),
            key("rbac.authorization.k8s.io/v1", "ClusterRole", false),
            key("apiextensions.k8s.io/v1", "CustomResourceDefinition", false),
            key("autoscaling/v2", "HorizontalPodAutoscaler", true),
            key("v1", "Service", true),
            key("v1", "Namespace", false),
        ];
        let order: Vec<&str> = Stage::ALL
            .iter()
            .flat_map(|stage| waves(&mixed, *stage, |key| key).concat())
            .map(|key| key.kind.as_str())
            .collect();
        assert_eq!(
            order,
            [
                "Namespace",
                "CustomResourceDefinition",
                "ClusterRole",
                "ClusterRoleBinding",
                "StorageClass",
                "ConfigMap",
                "Service",
                "Widget",
                "Deployment",
                "HorizontalPodAutoscaler",
                "ValidatingWebhookConfiguration",
            ]
        );
    }

    #[test]
    fn only_cluster_scoped_kinds_are_class_kinds() {
        assert_eq!(Stage::of(&key("gateway.networking.k8s.io/v1", "GatewayClass", false)), Stage::Classes);
        assert_eq!(Stage::of(&key("school.example.com/v1", "SchoolClass", true)), Stage::Rest);
        assert_eq!(Stage::of(&key("example.com/v1", "Namespace", false)), Stage::Rest);
    }
}
