# METADATA
# title: Changes have the approvals that the environment asks for
# description: >-
#   Each head that carries a part of the change is approved by as many people as countersign.yaml says, with at
#   least one of each team that it names, none of whom had a part in making it.
# custom:
#   severity: error
#   remedy: >-
#     Ask the people who are named for a review of exactly the head that is named. An approval of an earlier
#     head does not count: whoever gave it looks again.
#   controls: [SOC2 CC8.1, ISO27001 A.8.32, PCI DSS 6.5.1, NIST SSDF PW.7.1]
#   needs: review
package approvals.required

import rego.v1

import data.lib.people

asked if input.change.operation in {"deploy", "rollback", "activate"}

deny contains {"message": message} if {
	asked
	some head in input.range.heads
	count(head.approvers) < input.required.count
	message := sprintf("%s has %d of %d approvals (%s); who can approve: %s%s", [
		people.short(head.head),
		count(head.approvers),
		input.required.count,
		people.listed(head.approvers),
		people.listed(head.couldApprove),
		void(head.head),
	])
}

deny contains {"message": message} if {
	asked
	some head in input.range.heads
	some team in input.required.teams
	members := people.members([team])
	count([person | some person in head.approvers; person in members]) == 0
	message := sprintf("%s has no approval of team %s; who can approve: %s", [
		people.short(head.head),
		team,
		people.listed([person | some person in head.couldApprove; person in members]),
	])
}

# Why approvals that were given do not count.
void(head) := "" if count(reasons(head)) == 0

void(head) := sprintf("; %s", [concat("; ", sort(reasons(head)))]) if count(reasons(head)) > 0

reasons(head) := [approval.reason |
	some approval in input.approvals
	not approval.counts
	concerns(approval, head)
]

concerns(approval, head) if approval.head == head

# An approval of an earlier head of the same proposal.
concerns(approval, head) if contains(approval.reason, people.short(head))
