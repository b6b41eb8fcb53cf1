# shellcheck shell=sh disable=SC2034  # Variables are shared with build.sh.
takes="50 seconds"
binaries="versitygw=github.com/versity/versitygw/cmd/versitygw"
