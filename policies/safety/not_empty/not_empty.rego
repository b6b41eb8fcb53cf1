# METADATA
# title: A deployment has objects
# description: >-
#   An empty folder, a wrong path or a failing source must never be taken for the wish to delete everything.
# custom:
#   severity: error
#   remedy: >-
#     Look at the target's path in countersign.yaml, and at what the folder holds. To remove the application,
#     set `state: removed` on its placement in the control repository.
#   controls: [SOC2 A1.2, ISO27001 A.8.32]
package safety.not_empty

import rego.v1

deny contains {"message": message} if {
	input.change.operation in {"deploy", "rollback"}
	count(input.objects) == 0
	message := sprintf("%s renders to no objects", [input.target.path])
}
