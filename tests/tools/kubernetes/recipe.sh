# shellcheck shell=sh disable=SC2034,SC2154  # Variables are shared with build.sh.
takes="4 minutes"
binaries="
kube-apiserver=k8s.io/kubernetes/cmd/kube-apiserver
kube-controller-manager=k8s.io/kubernetes/cmd/kube-controller-manager
kube-scheduler=k8s.io/kubernetes/cmd/kube-scheduler
"
# Without these the servers report v0.0.0, which clients and feature gates misread.
minor=${version#*.} minor=${minor%%.*}
stamp=k8s.io/component-base/version
ldflags="-X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor"
