package safety.removal

import rego.v1

facts(operation) := {
	"change": {"operation": operation},
	"target": {"application": "shop", "environment": "staging"},
}

configured(state) := {"applications": {"shop": {"environments": {"staging": {"state": state}}}}}

test_a_removal_that_is_asked_for_passes if {
	deny == set() with input as facts("remove") with data.configuration as configured("removed")
}

test_a_removal_that_nobody_asked_for_is_denied if {
	denied := deny with input as facts("remove") with data.configuration as configured("active")
	denied == {{"message": "nobody asked for the removal of shop from staging"}}
	count(deny) == 1 with input as facts("remove") with data.configuration as {"applications": {}}
}

test_what_is_to_be_removed_is_not_deployed if {
	denied := deny with input as facts("deploy") with data.configuration as configured("removed")
	denied == {{"message": "shop is to be removed from staging"}}
	deny == set() with input as facts("deploy") with data.configuration as configured("active")
}
