package images.pinned

import rego.v1

web := {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}

an_image(more) := object.union({"reference": "r.example/web:1", "object": web, "field": "/spec/image"}, more)

good := "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

test_a_digest_passes if {
	deny == set() with input as {"images": [an_image({"digest": good})]}
}

test_a_tag_is_denied_at_its_field if {
	denied := deny with input as {"images": [an_image({"tag": "1"}), an_image({"digest": good})]}
	denied == {{"message": "image r.example/web:1 is not pinned by digest", "object": web, "field": "/spec/image"}}
}

test_a_short_digest_is_denied if {
	denied := deny with input as {"images": [an_image({"digest": "sha256:0123"})]}
	denied == {{"message": "image r.example/web:1 has a digest of no known form", "object": web, "field": "/spec/image"}}
}
