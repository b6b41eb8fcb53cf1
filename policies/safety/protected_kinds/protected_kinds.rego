# METADATA
# title: Objects that hold data are not deleted by a change
# description: >-
#   Deleting a namespace, a volume claim or a custom resource definition deletes what it holds, for good. A
#   change of manifests does not delete objects of the kinds that data/kinds.yaml protects. Removing a whole
#   application does: that is asked for, and approved, in the control repository.
# custom:
#   severity: error
#   remedy: >-
#     Put the object back. If what it holds is really to be lost, ask for a waiver that names this rule and the
#     object.
#   controls: [SOC2 A1.2, ISO27001 A.8.13, PCI DSS 10.5.1]
package safety.protected_kinds

import rego.v1

import data.lib.objects

deny contains finding if {
	input.change.operation in {"deploy", "rollback"}
	some difference in input.diff
	difference.change == "removed"
	kind := objects.group_kind(difference)
	kind in data.kinds.protected
	finding := {
		"message": sprintf("%s would be deleted, with all that it holds", [objects.shown(difference)]),
		"object": objects.key(difference),
	}
}

# A list that is missing protects everything: it must be written down that nothing is protected.
deny contains {"message": "data/kinds.yaml does not list the kinds that are protected"} if {
	not is_array(object.get(data.kinds, "protected", null))
}
