package access.owners

import rego.v1

facts := {
	"target": {"application": "shop"},
	"change": {"operation": "deploy"},
	"range": {"heads": [{"head": "1111111122222222"}]},
	"pullRequests": [{"head": "1111111122222222", "title": "Faster", "author": "ada", "authorShownAs": "ada (account 1)"}],
}

configuration := {
	"applications": {"shop": {"team": "shop"}},
	"teams": {"shop": {"members": ["ada"]}, "platform": {"members": ["grace"]}},
}

proposed_by(author) := json.patch(facts, [{"op": "replace", "path": "/pullRequests/0/author", "value": author}])

test_a_member_of_the_owning_team_may_propose if {
	deny == set() with input as facts
		with data.configuration as configuration
		with data.contributors as {"applications": {}}
}

test_another_person_may_not if {
	denied := deny with input as proposed_by("grace")
		with data.configuration as configuration
		with data.contributors as {"applications": {}}
	denied == {{"message": "grace proposed \"Faster\" (11111111), and is in none of the teams that may change shop: shop"}}
}

test_a_contributing_team_may if {
	deny == set() with input as proposed_by("grace")
		with data.configuration as configuration
		with data.contributors as {"applications": {"shop": ["platform"]}}
}

test_a_stranger_may_not if {
	stranger := json.patch(facts, [
		{"op": "remove", "path": "/pullRequests/0/author"},
		{"op": "replace", "path": "/pullRequests/0/authorShownAs", "value": "mallory (account 9)"},
	])
	denied := deny with input as stranger
		with data.configuration as configuration
		with data.contributors as {"applications": {}}
	denied == {{"message": "\"Faster\" (11111111) was proposed by mallory (account 9), whom the control repository does not know"}}
}

test_an_application_that_nobody_owns_is_changed_by_nobody if {
	count(deny) == 1 with input as facts
		with data.configuration as object.union(configuration, {"applications": {"shop": null}})
		with data.contributors as {"applications": {}}
}

test_proposals_that_carry_nothing_are_not_asked_about if {
	deny == set() with input as json.patch(proposed_by("grace"), [{"op": "replace", "path": "/range/heads", "value": []}])
		with data.configuration as configuration
		with data.contributors as {"applications": {}}
}
