package approvals.explained

import rego.v1

facts := {
	"change": {"operation": "deploy"},
	"required": {"count": 1, "teams": []},
	"history": {"usedHeads": {}},
	"pullRequests": [],
	"range": {
		"relation": "descends",
		"commits": [{"id": "1111111122222222", "subject": "Quick fix"}],
		"unexplained": ["1111111122222222"],
		"explanations": [],
	},
}

patched(path, value) := json.patch(facts, [{"op": "replace", "path": path, "value": value}])

test_what_is_explained_passes if {
	deny == set() with input as patched("/range/unexplained", [])
}

test_what_rides_along_is_denied if {
	denied := deny with input as facts
	denied == {{"message": "commit 11111111 (Quick fix) rode along: no reviewed proposal explains it"}}
}

test_the_first_commit_needs_its_own_approval if {
	denied := deny with input as patched("/range/relation", "initial")
	denied == {{"message": "commit 11111111 (Quick fix) is the first here and no baseline is configured: only an approval of that very commit explains it"}}
}

test_going_back_needs_its_own_approval if {
	rollback := json.patch(facts, [
		{"op": "replace", "path": "/range/relation", "value": "diverges"},
		{"op": "replace", "path": "/range/commits", "value": []},
		{"op": "replace", "path": "/change/operation", "value": "rollback"},
	])
	denied := deny with input as rollback
	denied == {{"message": "commit 11111111 does not descend from what was last authorized: going back needs an approval of that very commit"}}
}

test_it_says_that_what_was_authorized_is_gone if {
	rewritten := json.patch(facts, [
		{"op": "replace", "path": "/range/relation", "value": "diverges"},
		{"op": "add", "path": "/range/from", "value": "7777777788888888"},
		{"op": "add", "path": "/range/fromGone", "value": true},
	])
	denied := deny with input as rewritten
	denied == {{"message": "commit 11111111 (Quick fix) cannot be compared with 77777777, which was authorized last: that commit is no longer reachable, it was force-pushed away or collected. Push it to a branch again, or approve the new commit itself"}}
}

one_run := [{"after": "0", "to": "1111111122222222", "head": "3333333344444444"}]

test_it_says_why_a_proposal_explains_nothing if {
	forked := json.patch(facts, [
		{"op": "replace", "path": "/range/explanations", "value": one_run},
		{"op": "replace", "path": "/pullRequests", "value": [{"head": "3333333344444444", "refused": "its pull request was closed"}]},
	])
	denied := deny with input as forked
	denied == {{"message": "commit 11111111 (Quick fix) rode along: no reviewed proposal explains it; 33333333 would, but its pull request was closed"}}
}

test_it_says_that_a_merge_was_edited if {
	merge := [{"id": "1111111122222222", "subject": "Quick fix", "parents": ["0", "3333333344444444"]}]
	edited := json.patch(facts, [
		{"op": "replace", "path": "/range/commits", "value": merge},
		{"op": "replace", "path": "/pullRequests", "value": [{"head": "3333333344444444"}]},
	])
	denied := deny with input as edited
	denied == {{"message": "commit 11111111 (Quick fix) rode along: no reviewed proposal explains it; 11111111 is not the merge of 33333333 as it was reviewed"}}
}

test_it_says_what_a_head_was_used_for if {
	again := json.patch(facts, [
		{"op": "replace", "path": "/range/explanations", "value": one_run},
		{"op": "replace", "path": "/history/usedHeads", "value": {"3333333344444444": "5555555566666666"}},
	])
	denied := deny with input as again
	denied == {{"message": "commit 11111111 (Quick fix) rode along: no reviewed proposal explains it; 33333333 would, but has explained 55555555 before"}}
}

test_where_no_approval_is_asked_for_nothing_needs_one if {
	deny == set() with input as patched("/required/count", 0)
	count(deny) == 1 with input as patched("/required", {"count": 0, "teams": ["sre"]})
}

test_an_activation_is_always_asked_about if {
	control := json.patch(facts, [
		{"op": "replace", "path": "/change/operation", "value": "activate"},
		{"op": "replace", "path": "/required/count", "value": 0},
	])
	count(deny) == 1 with input as control
}
