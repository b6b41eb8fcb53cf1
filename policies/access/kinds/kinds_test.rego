package access.kinds

import rego.v1

role := {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": "reader"}

service := {"apiVersion": "v1", "kind": "Service", "namespace": "shop", "name": "web"}

target(kinds) := {"application": "shop", "clusterKinds": kinds}

test_a_kind_of_a_namespace_is_allowed if {
	deny == set() with input as {"target": target([]), "objects": [service]} with data.kinds as {"forbidden": []}
}

test_a_kind_of_the_cluster_is_denied if {
	denied := deny with input as {"target": target([]), "objects": [role]} with data.kinds as {"forbidden": []}
	denied == {{
		"message": "rbac.authorization.k8s.io/ClusterRole reader belongs to the cluster, and shop may not hold rbac.authorization.k8s.io/ClusterRole",
		"object": role,
		"field": "/kind",
	}}
}

test_a_kind_of_the_cluster_is_denied_also_with_a_namespace if {
	hidden := object.union(role, {"namespace": "shop"})
	count(deny) == 1 with input as {"target": target([]), "objects": [hidden]} with data.kinds as {"forbidden": []}
}

test_a_listed_kind_of_the_cluster_is_allowed if {
	deny == set() with input as {"target": target(["rbac.authorization.k8s.io/ClusterRole"]), "objects": [role]}
		with data.kinds as {"forbidden": []}
}

test_a_forbidden_kind_is_denied if {
	denied := deny with input as {"target": target([]), "objects": [service]} with data.kinds as {"forbidden": ["Service"]}
	denied == {{"message": "Service shop/web is of a forbidden kind", "object": service, "field": "/kind"}}
}

test_a_missing_list_denies if {
	count(deny) == 1 with input as {"target": target([]), "objects": [service]} with data.kinds as {}
}
