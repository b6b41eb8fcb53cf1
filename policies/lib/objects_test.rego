package lib.objects

import rego.v1

web := {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web", "origin": {"file": "a"}}

namespace := {"apiVersion": "v1", "kind": "Namespace", "name": "shop"}

test_kinds_are_named_without_their_version if {
	group_kind(web) == "apps/Deployment"
	group_kind(namespace) == "Namespace"
}

test_a_key_holds_what_names_an_object_and_no_more if {
	key(web) == {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}
	key(namespace) == namespace
}

test_objects_are_shown_as_waivers_write_them if {
	shown(web) == "apps/Deployment shop/web"
	shown(namespace) == "Namespace shop"
}

test_a_kind_without_namespaces_is_known_whatever_the_object_says if {
	cluster_scoped(namespace)
	cluster_scoped({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "namespace": "shop", "name": "x"})
	not cluster_scoped(web)
}
