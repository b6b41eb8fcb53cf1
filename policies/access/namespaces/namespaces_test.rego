package access.namespaces

import rego.v1

web := {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}

target := {"application": "shop", "environment": "staging", "namespaces": ["shop", "shop-jobs"]}

test_an_own_namespace_is_allowed if {
	deny == set() with input as {"target": target, "objects": [web]}
}

test_another_namespace_is_denied_at_its_field if {
	stray := object.union(web, {"namespace": "kube-system"})
	denied := deny with input as {"target": target, "objects": [web, stray]}
	denied == {{
		"message": "apps/Deployment kube-system/web is outside of the namespaces of shop in staging: shop, shop-jobs",
		"object": stray,
		"field": "/metadata/namespace",
	}}
}

test_without_namespaces_nothing_with_a_namespace_is_allowed if {
	count(deny) == 1 with input as {"target": object.union(target, {"namespaces": []}), "objects": [web]}
}
