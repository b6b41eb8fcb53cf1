# shellcheck shell=sh disable=SC2034  # Variables are shared with build.sh.
takes="30 seconds"
binaries="aws=awscli"
