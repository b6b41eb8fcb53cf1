# METADATA
# title: No one changes the control repository alone
# description: >-
#   The control repository says who may do what. Each of its changes is approved by someone else than those
#   who made it, whatever number of approvals it asks for itself.
# custom:
#   severity: error
#   remedy: Ask a person who approves changes of the control repository, and had no part in this one, for a review.
#   controls: [SOC2 CC6.1, SOC2 CC8.1, ISO27001 A.5.3, PCI DSS 6.5.1]
#   needs: review
package access.control

import rego.v1

import data.lib.people

deny contains {"message": message} if {
	input.change.operation == "activate"
	some head in input.range.heads
	count(head.approvers) == 0
	message := sprintf("nobody else approved %s; who can: %s", [
		people.short(head.head),
		people.listed(head.couldApprove),
	])
}

deny contains {"message": message} if {
	input.change.operation == "activate"
	some commit in input.range.unexplained
	message := sprintf("commit %s of the control repository was brought in without a review", [people.short(commit)])
}

deny contains {"message": message} if {
	input.change.operation == "activate"
	count(input.range.heads) == 0
	count(input.range.unexplained) == 0
	message := "nothing that was reviewed brings this change of the control repository"
}
