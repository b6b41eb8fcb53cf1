# METADATA
# title: Only kinds that the application may hold
# description: >-
#   Objects of the cluster itself reach beyond any namespace, so an application holds only those that
#   countersign.yaml lists as its clusterKinds. Kinds that data/kinds.yaml forbids are held by no one.
# custom:
#   severity: error
#   remedy: >-
#     Ask for the kind to be added to the application's clusterKinds, or leave the object to the platform
#     team. A forbidden kind needs a change of data/kinds.yaml.
#   controls: [SOC2 CC6.3, ISO27001 A.8.2, CIS Kubernetes 5.1]
package access.kinds

import rego.v1

import data.lib.objects

deny contains finding if {
	some object in input.objects
	objects.cluster_scoped(object)
	kind := objects.group_kind(object)
	not kind in input.target.clusterKinds
	finding := {
		"message": sprintf("%s belongs to the cluster, and %s may not hold %s", [
			objects.shown(object),
			input.target.application,
			kind,
		]),
		"object": objects.key(object),
		"field": "/kind",
	}
}

deny contains finding if {
	some object in input.objects
	kind := objects.group_kind(object)
	kind in data.kinds.forbidden
	finding := {
		"message": sprintf("%s is of a forbidden kind", [objects.shown(object)]),
		"object": objects.key(object),
		"field": "/kind",
	}
}

# A list that is missing forbids everything: it must be written down that nothing is forbidden.
deny contains {"message": "data/kinds.yaml does not list the kinds that are forbidden"} if {
	not is_array(object.get(data.kinds, "forbidden", null))
}
