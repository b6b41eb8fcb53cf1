package access.control

import rego.v1

facts(operation, approvers, unexplained) := {
	"change": {"operation": operation},
	"range": {
		"heads": [{"head": "1111111122222222", "approvers": approvers, "couldApprove": ["grace", "linus"]}],
		"unexplained": unexplained,
	},
}

test_an_approval_by_another_is_enough if {
	deny == set() with input as facts("activate", ["ada"], [])
}

test_a_change_by_one_person_is_denied if {
	denied := deny with input as facts("activate", [], [])
	denied == {{"message": "nobody else approved 11111111; who can: grace, linus"}}
}

test_a_direct_push_is_denied if {
	denied := deny with input as facts("activate", ["ada"], ["3333333344444444"])
	denied == {{"message": "commit 33333333 of the control repository was brought in without a review"}}
}

test_other_targets_are_none_of_its_business if {
	deny == set() with input as facts("deploy", [], ["3333333344444444"])
}

test_a_change_that_nothing_reviewed_brings_is_denied if {
	denied := deny with input as {"change": {"operation": "activate"}, "range": {"heads": [], "unexplained": []}}
	denied == {{"message": "nothing that was reviewed brings this change of the control repository"}}
}
