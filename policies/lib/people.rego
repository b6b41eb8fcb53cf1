# People and teams, as the control repository names them.
package lib.people

import rego.v1

# Everyone in any of the teams.
members(teams) := {person |
	some team in teams
	some person in data.configuration.teams[team].members
}

# The first digits of a commit.
short(commit) := substring(commit, 0, 8)

# Names in their order, or `nobody`.
listed(names) := concat(", ", sort(names)) if count(names) > 0

listed(names) := "nobody" if count(names) == 0
