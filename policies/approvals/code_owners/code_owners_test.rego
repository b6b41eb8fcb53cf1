package approvals.code_owners

import rego.v1

facts(owned) := {
	"change": {"operation": "deploy"},
	"required": {"codeOwners": true},
	"range": {"heads": [{"head": "1111111122222222", "owned": owned}]},
}

web := {
	"shown": "deploy/web.yaml, of @grace @acme/sre (CODEOWNERS:4)",
	"approvals": 1,
	"approvers": [],
	"couldApprove": ["grace", "margaret"],
	"unknown": [],
}

asks := concat("", [
	"11111111 changes deploy/web.yaml, of @grace @acme/sre (CODEOWNERS:4), and has 0 of 1 approvals of theirs (nobody)",
	"; who can approve: grace, margaret",
])

test_an_owner_who_approved_is_enough if {
	deny == set() with input as facts([object.union(web, {"approvers": ["margaret"], "unknown": ["@bob"]})])
}

test_without_one_it_says_whose_files_they_are if {
	deny == {{"message": asks}} with input as facts([web])
}

test_a_section_may_ask_for_more_than_one if {
	two := object.union(web, {"approvals": 2, "approvers": ["grace"]})
	denied := deny with input as facts([two])
	some finding in denied
	contains(finding.message, "has 1 of 2 approvals of theirs (grace)")
}

test_names_that_mean_nobody_are_told if {
	denied := deny with input as facts([object.union(web, {"unknown": ["@bob"]})])
	denied == {
		{"message": asks},
		{"message": "the control repository knows nobody as @bob, who owns what 11111111 changes"},
	}
}

test_what_cannot_be_told_is_not_nothing if {
	problem := json.patch(facts([]), [{
		"op": "add",
		"path": "/range/heads/0/ownersProblem",
		"value": "CODEOWNERS: it is not UTF-8",
	}])
	denied := deny with input as problem
	denied == {{"message": "nobody can tell who owns what 11111111 changes: CODEOWNERS: it is not UTF-8"}}
}

test_each_owned_part_is_asked_about if {
	other := object.union(web, {"shown": "deploy/db.yaml, of @grace (CODEOWNERS:5)"})
	count(deny) == 2 with input as facts([web, other])
}

test_where_it_is_not_asked_for_it_passes if {
	not_asked := json.patch(facts([web]), [{"op": "replace", "path": "/required/codeOwners", "value": false}])
	deny == set() with input as not_asked
}
