# Names of objects, as facts, results and waivers write them.
package lib.objects

import rego.v1

# The kind without its version: `apps/Deployment`, or `Namespace` in the core group.
group_kind(object) := object.kind if not contains_slash(object)

group_kind(object) := sprintf("%s/%s", [split(object.apiVersion, "/")[0], object.kind]) if contains_slash(object)

# What names an object in a finding.
key(object) := {field: value |
	some field in ["apiVersion", "kind", "namespace", "name"]
	value := object[field]
}

# An object for people: `apps/Deployment shop/web`, or `Namespace shop` without a namespace.
shown(object) := sprintf("%s %s/%s", [group_kind(object), object.namespace, object.name]) if object.namespace

shown(object) := sprintf("%s %s", [group_kind(object), object.name]) if not object.namespace

# Whether an object belongs to the cluster and to no namespace: because it names none, or because its kind
# has none whatever the object says.
cluster_scoped(object) if not object.namespace

cluster_scoped(object) if {
	kind := group_kind(object)
	kind in cluster_kinds
}

cluster_kinds := {
	"Namespace",
	"Node",
	"PersistentVolume",
	"admissionregistration.k8s.io/MutatingWebhookConfiguration",
	"admissionregistration.k8s.io/ValidatingAdmissionPolicy",
	"admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
	"admissionregistration.k8s.io/ValidatingWebhookConfiguration",
	"apiextensions.k8s.io/CustomResourceDefinition",
	"apiregistration.k8s.io/APIService",
	"certificates.k8s.io/CertificateSigningRequest",
	"flowcontrol.apiserver.k8s.io/FlowSchema",
	"flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration",
	"networking.k8s.io/IngressClass",
	"node.k8s.io/RuntimeClass",
	"rbac.authorization.k8s.io/ClusterRole",
	"rbac.authorization.k8s.io/ClusterRoleBinding",
	"scheduling.k8s.io/PriorityClass",
	"storage.k8s.io/CSIDriver",
	"storage.k8s.io/CSINode",
	"storage.k8s.io/StorageClass",
	"storage.k8s.io/VolumeAttachment",
}

contains_slash(object) if {
	version := object.apiVersion
	contains(version, "/")
}
