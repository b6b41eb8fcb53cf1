package lib.people

import rego.v1

teams := {"shop": {"members": ["ada", "grace"]}, "sre": {"members": ["linus"]}}

test_members_of_several_teams if {
	members({"shop", "sre"}) == {"ada", "grace", "linus"} with data.configuration.teams as teams
}

test_a_team_that_is_not_there_has_no_members if {
	members({"ghosts"}) == set() with data.configuration.teams as teams
}

test_names_are_listed_in_order if {
	listed({"grace", "ada"}) == "ada, grace"
	listed([]) == "nobody"
}

test_a_commit_is_shortened if short("1234567890abcdef") == "12345678"
