# shellcheck shell=sh disable=SC2034  # Variables are shared with build.sh.
takes="20 seconds"
binaries="elasticmq=org.elasticmq.server.Main"
