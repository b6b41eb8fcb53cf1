# shellcheck shell=sh disable=SC2034,SC2154  # Variables are shared with build.sh.
takes="4 minutes"
binaries="gitea=code.gitea.io/gitea"
tags="sqlite sqlite_unlock_notify"
cgo=1
ldflags="-X main.Version=$version"
# Gitea reads its templates and translations from these at runtime.
resources="code.gitea.io/gitea options public templates"
