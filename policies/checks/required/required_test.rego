package checks.required

import rego.v1

facts(statuses) := {
	"change": {"operation": "deploy"},
	"required": {"statuses": [{"name": "build", "context": "ci/build", "from": "account 12"}]},
	"statuses": statuses,
	"range": {"heads": [{"head": "1111111122222222"}]},
}

word(state, counts) := {
	"name": "build",
	"head": "1111111122222222",
	"state": state,
	"counts": counts,
	"reason": sprintf("ci (account 12) says %s of 11111111", [state]),
}

test_what_arrived_passes if {
	deny == set() with input as facts([word("success", true)])
	deny == set() with input as facts([word("failure", true)])
}

test_what_is_missing_is_named if {
	denied := deny with input as facts([])
	denied == {{"message": "11111111 has no status build (\"ci/build\") of account 12 yet"}}
}

test_what_runs_is_waited_for if {
	denied := deny with input as facts([word("pending", true)])
	denied == {{"message": "11111111 waits for build: ci (account 12) says pending of 11111111"}}
}

test_it_says_why_the_word_of_somebody_else_does_not_count if {
	forged := object.union(word("success", false), {"reason": "mallory says success, but only account 12 is expected to say so"})
	denied := deny with input as facts([forged])
	denied == {{"message": concat("; ", [
		"11111111 has no status build (\"ci/build\") of account 12 yet",
		"mallory says success, but only account 12 is expected to say so",
	])}}
}

test_a_status_of_another_head_is_none if {
	other := object.union(word("success", true), {"head": "3333333344444444"})
	count(deny) == 1 with input as facts([other])
}

test_every_head_is_asked_about if {
	both := json.patch(facts([word("success", true)]), [{
		"op": "add",
		"path": "/range/heads/-",
		"value": {"head": "3333333344444444"},
	}])
	count(deny) == 1 with input as both
}

test_a_removal_asks_for_none if {
	removal := json.patch(facts([]), [{"op": "replace", "path": "/change/operation", "value": "remove"}])
	deny == set() with input as removal
}
