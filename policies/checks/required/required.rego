# METADATA
# title: Statuses that the environment asks for have arrived
# description: >-
#   Each head that carries a part of the change bears the statuses that countersign.yaml asks for, each set by the
#   application that is expected to: anybody else who may write to the repository can set a status of that name.
# custom:
#   severity: error
#   remedy: >-
#     Wait until the application that is named has looked at the head, or let it run on it. Where another application
#     sets that status by right, name its account or App under statuses in the control repository.
#   controls: [SOC2 CC8.1, ISO27001 A.8.29, PCI DSS 6.2.3, NIST SSDF PW.8.2]
#   needs: status
package checks.required

import rego.v1

import data.lib.checks
import data.lib.people

deny contains {"message": message} if {
	some asked in checks.asked
	count(checks.words(asked.head, asked.status.name)) == 0
	message := sprintf("%s has no status %s (%q) of %s yet%s", [
		people.short(asked.head),
		asked.status.name,
		asked.status.context,
		asked.status.from,
		void(asked.head, asked.status.name),
	])
}

deny contains {"message": message} if {
	some asked in checks.asked
	some status in checks.words(asked.head, asked.status.name)
	status.state == "pending"
	message := sprintf("%s waits for %s: %s", [people.short(asked.head), status.name, status.reason])
}

# Why statuses that were set do not count.
void(head, name) := "" if count(reasons(head, name)) == 0

void(head, name) := sprintf("; %s", [concat("; ", sort(reasons(head, name)))]) if count(reasons(head, name)) > 0

reasons(head, name) := [status.reason |
	some status in input.statuses
	not status.counts
	status.name == name
	status.head == head
]
