# METADATA
# title: Images come from known registries
# description: >-
#   Whoever can write to a registry decides what runs. Images come only from the registries and repositories
#   that data/registries.yaml allows.
# custom:
#   severity: error
#   remedy: >-
#     Copy the image to a registry that is allowed, or ask for its repository to be added to
#     data/registries.yaml in the control repository.
#   controls: [SOC2 CC6.8, NIST SSDF PW.4.1, CIS Kubernetes 5.5]
package images.registries

import rego.v1

deny contains finding if {
	some image in input.images
	repository := sprintf("%s/%s", [image.registry, image.repository])
	not allowed(repository)
	finding := {
		"message": sprintf("image %s comes from %s, which is not allowed", [image.reference, repository]),
		"object": image.object,
		"field": image.field,
	}
}

# Each entry allows itself and everything below it: `r.example/shop` allows `r.example/shop/web`, and does not
# allow `r.example/shopping`.
allowed(repository) if repository in data.registries.allowed

allowed(repository) if {
	some entry in data.registries.allowed
	below := sprintf("%s/", [trim_suffix(entry, "/")])
	startswith(repository, below)
}
