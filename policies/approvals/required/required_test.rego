package approvals.required

import rego.v1

facts(approvers, required, approvals) := {
	"change": {"operation": "deploy"},
	"required": required,
	"approvals": approvals,
	"range": {"heads": [{"head": "1111111122222222", "approvers": approvers, "couldApprove": ["linus"]}]},
}

teams := {"shop": {"members": ["ada", "grace"]}, "sre": {"members": ["linus"]}}

two := {"count": 2, "teams": []}

test_enough_approvals_pass if {
	deny == set() with input as facts(["ada", "grace"], two, []) with data.configuration.teams as teams
}

test_too_few_approvals_name_who_is_missing if {
	denied := deny with input as facts(["ada"], two, []) with data.configuration.teams as teams
	denied == {{"message": "11111111 has 1 of 2 approvals (ada); who can approve: linus"}}
}

test_it_says_why_an_approval_does_not_count if {
	void_approvals := [
		{"head": "1111111122222222", "counts": false, "reason": "grace approved 11111111, but is a co-author of commit 5d6e7f80"},
		{"head": "0000000000000000", "counts": false, "reason": "linus approved 00000000, but the proposed head is 11111111 now"},
		{"head": "9999999999999999", "counts": false, "reason": "linus approved 99999999, but no proposal has this head"},
	]
	denied := deny with input as facts(["ada"], two, void_approvals) with data.configuration.teams as teams
	denied == {{"message": concat("; ", [
		"11111111 has 1 of 2 approvals (ada)",
		"who can approve: linus",
		"grace approved 11111111, but is a co-author of commit 5d6e7f80",
		"linus approved 00000000, but the proposed head is 11111111 now",
	])}}
}

test_each_team_must_be_among_them if {
	required := {"count": 1, "teams": ["sre"]}
	denied := deny with input as facts(["ada"], required, []) with data.configuration.teams as teams
	denied == {{"message": "11111111 has no approval of team sre; who can approve: linus"}}
	deny == set() with input as facts(["linus"], required, []) with data.configuration.teams as teams
}

test_a_team_that_is_not_there_is_never_among_them if {
	count(deny) == 1 with input as facts(["ada"], {"count": 1, "teams": ["ghosts"]}, []) with data.configuration.teams as teams
}

test_every_head_is_asked_about if {
	both := json.patch(facts(["ada", "grace"], two, []), [{
		"op": "add",
		"path": "/range/heads/-",
		"value": {"head": "3333333344444444", "approvers": [], "couldApprove": []},
	}])
	denied := deny with input as both with data.configuration.teams as teams
	denied == {{"message": "33333333 has 0 of 2 approvals (nobody); who can approve: nobody"}}
}

test_a_removal_is_approved_where_it_is_asked_for if {
	removal := json.patch(facts([], two, []), [{"op": "replace", "path": "/change/operation", "value": "remove"}])
	deny == set() with input as removal with data.configuration.teams as teams
}
