# METADATA
# title: Objects live in the application's own namespaces
# description: >-
#   An application is placed into namespaces by the control repository. An object in any other would change
#   what belongs to someone else.
# custom:
#   severity: error
#   remedy: >-
#     Remove metadata.namespace, so that the object takes the application's first namespace, or ask for the
#     namespace to be added to the placement in countersign.yaml.
#   controls: [SOC2 CC6.1, SOC2 CC6.3, ISO27001 A.8.3]
package access.namespaces

import rego.v1

import data.lib.objects
import data.lib.people

deny contains finding if {
	some object in input.objects
	namespace := object.namespace
	not namespace in input.target.namespaces
	finding := {
		"message": sprintf(
			"%s is outside of the namespaces of %s in %s: %s",
			[objects.shown(object), input.target.application, input.target.environment, people.listed(input.target.namespaces)],
		),
		"object": objects.key(object),
		"field": "/metadata/namespace",
	}
}
