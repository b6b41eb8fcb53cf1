# shellcheck shell=sh disable=SC2034  # Variables are shared with build.sh.
takes="5 minutes"
binaries="kustomize-controller=github.com/fluxcd/kustomize-controller"
# The API server is told of this kind before the controller starts.
resources="github.com/fluxcd/kustomize-controller config/crd/bases"
