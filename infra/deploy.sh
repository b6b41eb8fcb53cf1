#!/usr/bin/env bash
# Deploys one stack with `sam deploy`, of the zips in dist. deploy.sh core|cluster|witness|link FILE [ARGUMENT...]
#
# FILE holds one parameter a line, as `Installation=countersign`; empty lines and lines that begin with # are passed
# over. Give all of them every time: what is left out goes back to its default. Further arguments go to sam.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
dist=$root/dist

fail() {
    printf 'infra/deploy.sh: %s\n' "$*" >&2
    exit 1
}

[ $# -ge 2 ] || fail "usage: infra/deploy.sh core|cluster|witness|link FILE [ARGUMENT...]"
stack=$1 file=$2
shift 2
template=$root/infra/$stack.yaml
[ -f "$template" ] || fail "$stack: there is no such template: core, cluster, witness or link"
[ -f "$file" ] || fail "$file: no such file: write one parameter a line, as Installation=countersign"
command -v sam >/dev/null || fail "sam is not on PATH: install the AWS SAM command line interface"

mapfile -t parameters < <(grep -v -e '^[[:space:]]*$' -e '^#' "$file")
# Parameters of the template, with whether each has a default.
declared=$(awk '
    /^[A-Z]/ { inside = ($1 == "Parameters:") }
    inside && /^  [A-Za-z]+:/ { name = $1; sub(":", "", name); has[name] = 0 }
    inside && /^    Default:/ { has[name] = 1 }
    END { for (name in has) print name, has[name] }' "$template")
for parameter in ${parameters[@]+"${parameters[@]}"}; do
    name=${parameter%%=*}
    grep -q "^$name " <<<"$declared" || fail "$file: $stack.yaml has no parameter $name"
done
while read -r name has; do
    if [ "$has" = 0 ] && ! printf '%s\n' ${parameters[@]+"${parameters[@]}"} | grep -q "^$name="; then
        fail "$file: $name is missing, which has no default"
    fi
done <<<"$declared"

if grep -q '^  Architecture ' <<<"$(sed 's/^/  /' <<<"$declared")"; then
    [ -f "$dist/BUILD" ] || fail "$dist holds no zips: make package"
    (cd "$dist" && sha256sum --quiet --check SHA256SUMS) || fail "$dist: not the zips that were built: make package"
    arch=$(awk '{ print $4 }' "$dist/BUILD" | tr -d ,)
    parameters+=("Architecture=$arch")
fi
installation=$(printf '%s\n' "${parameters[@]}" | sed -n 's/^Installation=//p')
cluster=$(printf '%s\n' "${parameters[@]}" | sed -n 's/^Cluster=//p')
name=${installation:-countersign}
case $stack in
    core) ;;
    cluster) name+=-$cluster ;;
    *) name+=-$stack${cluster:+-$cluster} ;;
esac
sam deploy --template-file "$template" --stack-name "$name" --resolve-s3 --capabilities CAPABILITY_NAMED_IAM \
    --no-fail-on-empty-changeset --parameter-overrides "${parameters[@]}" "$@"
