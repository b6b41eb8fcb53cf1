# METADATA
# title: No object has two owners
# description: >-
#   An object that another target owns would be changed back and forth, and deleted when either of the two
#   is removed.
# custom:
#   severity: error
#   remedy: >-
#     Rename the object, or remove it from the other target first and wait until that has been applied.
#   controls: [SOC2 CC8.1, ISO27001 A.8.32]
package safety.conflicts

import rego.v1

import data.lib.objects

deny contains finding if {
	some conflict in input.conflicts
	owner := conflict.owner
	finding := {
		"message": sprintf(
			"%s is owned by %s in %s on %s already",
			[objects.shown(conflict), owner.application, owner.environment, owner.cluster],
		),
		"object": objects.key(conflict),
		"field": "/metadata/name",
	}
}
