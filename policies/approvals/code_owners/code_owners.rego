# METADATA
# title: Owners approve changes of what they own
# description: >-
#   Where countersign.yaml asks for it, the owners of the files that a head changes are among those who approve it, as
#   the CODEOWNERS file of the branch says that it is brought to. Whoever changes that file is judged by it as it was.
# custom:
#   severity: error
#   remedy: >-
#     Ask an owner who is named for a review of exactly the head that is named. An owner whom the control repository
#     does not know is added there, under handles of a person or of a team.
#   controls: [SOC2 CC6.1, SOC2 CC8.1, ISO27001 A.8.4, NIST SSDF PS.1.1]
#   needs: review
package approvals.code_owners

import rego.v1

import data.lib.people

asked if {
	input.required.codeOwners
	input.change.operation in {"deploy", "rollback", "activate"}
}

deny contains {"message": message} if {
	asked
	some head in input.range.heads
	problem := head.ownersProblem
	message := sprintf("nobody can tell who owns what %s changes: %s", [people.short(head.head), problem])
}

deny contains {"message": message} if {
	asked
	some head in input.range.heads
	some owned in head.owned
	count(owned.approvers) < owned.approvals
	message := sprintf("%s changes %s, and has %d of %d approvals of theirs (%s); who can approve: %s", [
		people.short(head.head),
		owned.shown,
		count(owned.approvers),
		owned.approvals,
		people.listed(owned.approvers),
		people.listed(owned.couldApprove),
	])
}

deny contains {"message": message} if {
	asked
	some head in input.range.heads
	some owned in head.owned
	count(owned.approvers) < owned.approvals
	some stranger in owned.unknown
	message := sprintf("the control repository knows nobody as %s, who owns what %s changes", [
		stranger,
		people.short(head.head),
	])
}
