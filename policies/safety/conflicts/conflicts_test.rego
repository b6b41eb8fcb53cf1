package safety.conflicts

import rego.v1

web := {"apiVersion": "v1", "kind": "Service", "namespace": "shop", "name": "web"}

owner := {"application": "blog", "environment": "staging", "cluster": "east"}

test_an_object_of_another_target_is_denied if {
	denied := deny with input as {"conflicts": [object.union(web, {"owner": owner})]}
	denied == {{
		"message": "Service shop/web is owned by blog in staging on east already",
		"object": web,
		"field": "/metadata/name",
	}}
}

test_without_conflicts_it_passes if {
	deny == set() with input as {"conflicts": []}
}
