# METADATA
# title: A removal is asked for
# description: >-
#   An application is removed only where the control repository says so, by `state: removed` on its placement;
#   and what is to be removed is not deployed again.
# custom:
#   severity: error
#   remedy: >-
#     Set `state: removed` on the placement in countersign.yaml to remove it, or delete that line to keep it.
#   controls: [SOC2 A1.2, SOC2 CC8.1, ISO27001 A.8.32]
package safety.removal

import rego.v1

placement := data.configuration.applications[input.target.application].environments[input.target.environment]

removed if placement.state == "removed"

deny contains {"message": message} if {
	input.change.operation == "remove"
	not removed
	message := sprintf("nobody asked for the removal of %s from %s", [input.target.application, input.target.environment])
}

deny contains {"message": message} if {
	input.change.operation in {"deploy", "rollback"}
	removed
	message := sprintf("%s is to be removed from %s", [input.target.application, input.target.environment])
}
