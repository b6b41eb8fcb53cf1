package checks.passed

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

test_what_succeeded_runs_or_is_missing_passes if {
	deny == set() with input as facts([word("success", true)])
	deny == set() with input as facts([word("pending", true)])
	deny == set() with input as facts([])
}

test_a_failure_is_told if {
	denied := deny with input as facts([word("failure", true)])
	denied == {{"message": "build says no of 11111111: ci (account 12) says failure of 11111111"}}
}

test_what_was_skipped_did_not_look if {
	denied := deny with input as facts([word("neutral", true)])
	denied == {{"message": "build did not look at 11111111: ci (account 12) says neutral of 11111111"}}
}

test_one_failure_among_several_denies if {
	count(deny) == 1 with input as facts([word("success", true), word("failure", true)])
}

test_the_word_of_somebody_else_denies_nothing if {
	deny == set() with input as facts([word("failure", false)])
}

test_another_head_is_not_asked_about if {
	other := object.union(word("failure", true), {"head": "3333333344444444"})
	deny == set() with input as facts([other])
}
