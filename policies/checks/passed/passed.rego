# METADATA
# title: No status that the environment asks for says no
# description: >-
#   An application that countersign.yaml expects has looked at a head that carries the change, and found something
#   wrong, or did not look at all.
# custom:
#   severity: error
#   remedy: >-
#     Look at what the application found, mend it, and propose the new head. Where it failed for reasons of its own,
#     let it run again on the same head.
#   controls: [SOC2 CC8.1, ISO27001 A.8.29, PCI DSS 6.2.3, NIST SSDF PW.8.2]
package checks.passed

import rego.v1

import data.lib.checks
import data.lib.people

says := {"failure": "says no of", "neutral": "did not look at"}

deny contains {"message": message} if {
	some asked in checks.asked
	some status in checks.words(asked.head, asked.status.name)
	message := sprintf("%s %s %s: %s", [status.name, says[status.state], people.short(asked.head), status.reason])
}
