# shellcheck shell=sh disable=SC2034,SC2154  # Variables are shared with build.sh.
takes="30 seconds"
binaries="kustomize=sigs.k8s.io/kustomize/kustomize/v5 kustomize-loop=./loop"
# The library tells which version it is only to the command that it is built into.
ldflags="-X sigs.k8s.io/kustomize/api/provenance.version=v$version"
# A change of our own program is another tool.
version=$version-$(cksum <"$folder/loop/main.go" | cut -d ' ' -f 1)
