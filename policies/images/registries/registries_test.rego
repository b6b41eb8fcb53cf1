package images.registries

import rego.v1

web := {"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "web"}

an_image(registry, repository) := {
	"reference": "written",
	"registry": registry,
	"repository": repository,
	"object": web,
	"field": "/spec/containers/0/image",
}

registries := {"allowed": ["r.example/shop", "docker.io/library/"]}

test_an_allowed_repository_passes if {
	allowed_images := [an_image("r.example", "shop"), an_image("r.example", "shop/web"), an_image("docker.io", "library/nginx")]
	deny == set() with input as {"images": allowed_images} with data.registries as registries
}

test_another_registry_is_denied_at_its_field if {
	denied := deny with input as {"images": [an_image("evil.example", "shop/web")]} with data.registries as registries
	denied == {{
		"message": "image written comes from evil.example/shop/web, which is not allowed",
		"object": web,
		"field": "/spec/containers/0/image",
	}}
}

test_a_repository_that_only_begins_alike_is_denied if {
	count(deny) == 1 with input as {"images": [an_image("r.example", "shopping/web")]} with data.registries as registries
	count(deny) == 1 with input as {"images": [an_image("r.example.evil", "shop/web")]} with data.registries as registries
}

test_a_missing_list_allows_nothing if {
	count(deny) == 1 with input as {"images": [an_image("r.example", "shop/web")]} with data.registries as {}
}
