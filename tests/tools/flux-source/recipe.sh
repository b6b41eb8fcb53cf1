# shellcheck shell=sh disable=SC2034  # Variables are shared with build.sh.
takes="10 minutes"
binaries="source-controller=github.com/fluxcd/source-controller"
# The API server is told of these kinds before the controller starts.
resources="github.com/fluxcd/source-controller config/crd/bases"
