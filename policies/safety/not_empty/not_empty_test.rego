package safety.not_empty

import rego.v1

facts(operation, objects) := {"change": {"operation": operation}, "objects": objects, "target": {"path": "deploy/staging"}}

test_objects_pass if {
	deny == set() with input as facts("deploy", [{"kind": "Pod"}])
}

test_an_empty_render_is_denied if {
	denied := deny with input as facts("deploy", [])
	denied == {{"message": "deploy/staging renders to no objects"}}
	count(deny) == 1 with input as facts("rollback", [])
}

test_a_removal_renders_nothing if {
	deny == set() with input as facts("remove", [])
}
