# METADATA
# title: Nothing rides along with a change
# description: >-
#   A change is measured from what was last authorized. Every commit on the way that alters the target is
#   explained by a reviewed proposal, so that nothing that was denied, pushed directly or approved for
#   another place comes in with the next change. A target that was never authorized, and one that goes back,
#   needs an approval of the very commit.
# custom:
#   severity: error
#   remedy: >-
#     Propose the commit that is named and have it reviewed, or revert it. Where the commit itself must be
#     approved: countersign approve COMMIT.
#   controls: [SOC2 CC8.1, ISO27001 A.8.32, NIST SSDF PS.3.1, SLSA Source L3]
#   needs: review
package approvals.explained

import rego.v1

import data.lib.people

asked if input.change.operation == "activate"

asked if {
	input.change.operation in {"deploy", "rollback"}
	input.required.count > 0
}

asked if {
	input.change.operation in {"deploy", "rollback"}
	count(input.required.teams) > 0
}

deny contains {"message": message} if {
	asked
	some commit in input.range.unexplained
	message := sprintf("commit %s%s %s%s", [people.short(commit), subject(commit), reason, hints(commit)])
}

reason := "is the first here and no baseline is configured: only an approval of that very commit explains it" if {
	input.range.relation == "initial"
}

reason := "does not descend from what was last authorized: going back needs an approval of that very commit" if {
	input.range.relation == "diverges"
	not gone
}

reason := sprintf("cannot be compared with %s, which was authorized last: that commit is no longer reachable, it was force-pushed away or collected. Push it to a branch again, or approve the new commit itself", [people.short(input.range.from)]) if {
	input.range.relation == "diverges"
	gone
}

reason := "rode along: no reviewed proposal explains it" if {
	not input.range.relation in {"initial", "diverges"}
}

gone if input.range.fromGone == true

subject(commit) := texts[0] if {
	texts := [sprintf(" (%s)", [known.subject]) | some known in input.range.commits; known.id == commit]
	count(texts) > 0
}

subject(commit) := "" if {
	commits := {known.id | some known in input.range.commits}
	not commit in commits
}

# What would have explained it, and why it does not.
hints(commit) := concat("", sort((refused(commit) | used(commit)) | edited(commit)))

refused(commit) := {hint |
	some run in input.range.explanations
	run.to == commit
	some proposal in input.pullRequests
	proposal.head == run.head
	hint := sprintf("; %s would, but %s", [people.short(run.head), proposal.refused])
}

# A merge whose other side was proposed, and whose files are not those that merging it gives.
edited(commit) := {hint |
	some known in input.range.commits
	known.id == commit
	some at, parent in known.parents
	at > 0
	some proposal in input.pullRequests
	proposal.head == parent
	runs := [run | some run in input.range.explanations; run.to == commit; run.head == parent]
	count(runs) == 0
	hint := sprintf("; %s is not the merge of %s as it was reviewed", [people.short(commit), people.short(parent)])
}

used(commit) := {hint |
	some run in input.range.explanations
	run.to == commit
	earlier := input.history.usedHeads[run.head]
	earlier != commit
	hint := sprintf("; %s would, but has explained %s before", [people.short(run.head), people.short(earlier)])
}
