# shellcheck shell=sh disable=SC2034  # Variables are shared with build.sh.
takes="80 seconds"
binaries="kwok=sigs.k8s.io/kwok/cmd/kwok"
