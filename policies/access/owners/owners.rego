# METADATA
# title: Changes are proposed by those who own the application
# description: >-
#   An application belongs to a team. Its members propose its changes, and so do members of the teams that
#   data/contributors.yaml names for it. Everyone else may ask them to.
# custom:
#   severity: error
#   remedy: >-
#     Let a member of the owning team propose the change, or add the proposer's team to
#     data/contributors.yaml in the control repository.
#   controls: [SOC2 CC6.1, ISO27001 A.8.4, NIST SSDF PS.1.1]
package access.owners

import rego.v1

import data.lib.people

application := input.target.application

teams contains data.configuration.applications[application].team

teams contains team if some team in data.contributors.applications[application]

# Proposals whose heads carry the change.
carrying contains proposal if {
	input.change.operation in {"deploy", "rollback"}
	some head in input.range.heads
	some proposal in input.pullRequests
	proposal.head == head.head
	not proposal.refused
}

deny contains {"message": message} if {
	some proposal in carrying
	author := proposal.author
	not author in people.members(teams)
	message := sprintf(
		"%s proposed %q (%s), and is in none of the teams that may change %s: %s",
		[author, proposal.title, people.short(proposal.head), application, people.listed(teams)],
	)
}

deny contains {"message": message} if {
	some proposal in carrying
	not proposal.author
	message := sprintf(
		"%q (%s) was proposed by %s, whom the control repository does not know",
		[proposal.title, people.short(proposal.head), proposal.authorShownAs],
	)
}
