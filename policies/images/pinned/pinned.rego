# METADATA
# title: Images are pinned by digest
# description: >-
#   A tag can be moved to other bytes after the review. A digest names the very bytes that were reviewed.
# custom:
#   severity: error
#   remedy: >-
#     Write the image as REPOSITORY:TAG@sha256:DIGEST. `docker buildx imagetools inspect REPOSITORY:TAG` and
#     `crane digest REPOSITORY:TAG` print the digest.
#   controls: [SOC2 CC8.1, NIST SSDF PS.3.1, CIS Kubernetes 5.5, PCI DSS 6.3.2]
package images.pinned

import rego.v1

deny contains finding if {
	some image in input.images
	not image.digest
	finding := {
		"message": sprintf("image %s is not pinned by digest", [image.reference]),
		"object": image.object,
		"field": image.field,
	}
}

deny contains finding if {
	some image in input.images
	digest := image.digest
	not regex.match(`^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$`, digest)
	finding := {
		"message": sprintf("image %s has a digest of no known form", [image.reference]),
		"object": image.object,
		"field": image.field,
	}
}
