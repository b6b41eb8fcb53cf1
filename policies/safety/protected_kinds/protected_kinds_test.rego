package safety.protected_kinds

import rego.v1

claim := {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "shop", "name": "orders"}

facts(operation, change) := {
	"change": {"operation": operation},
	"diff": [object.union(claim, {"change": change, "fields": []})],
}

kinds := {"protected": ["PersistentVolumeClaim"]}

test_deleting_a_protected_object_is_denied if {
	denied := deny with input as facts("deploy", "removed") with data.kinds as kinds
	denied == {{
		"message": "PersistentVolumeClaim shop/orders would be deleted, with all that it holds",
		"object": claim,
	}}
}

test_changing_it_passes if {
	deny == set() with input as facts("deploy", "changed") with data.kinds as kinds
}

test_deleting_another_kind_passes if {
	deny == set() with input as facts("deploy", "removed") with data.kinds as {"protected": ["Namespace"]}
}

test_removing_the_application_passes if {
	deny == set() with input as facts("remove", "removed") with data.kinds as kinds
}

test_a_missing_list_denies if {
	count(deny) == 1 with input as facts("deploy", "changed") with data.kinds as {}
}
