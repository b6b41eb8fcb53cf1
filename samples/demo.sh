#!/usr/bin/env bash
# The main job, from start to end, on this machine: `make demo`, or demo.sh COUNTERSIGN, the program.
#
#   CLUSTER=real   on a real Kubernetes API server, which must have been built: bash tests/tools/build.sh
#   FORGE=gitea    with the application on a real Gitea, and pull requests there
#   KEEP=1         keeps the folder, and leaves everything running
#   NO_COLOR=1     no color, which there is on a terminal only
set -euo pipefail

program=$(cd -- "$(dirname -- "${1:?give the path of the countersign program}")" && pwd)/$(basename -- "$1")
programs=$(dirname -- "$program")
work=$(cd -- "$(mktemp -d "${TMPDIR:-/tmp}/countersign-demo.XXXXXX")" && pwd -P)
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
patience=20 serve='' cluster='' gitea='' pid='' forge=${FORGE:-plain}

# shellcheck source=samples/demo/lib.sh
. "$here/demo/lib.sh"

finish() {
    local code=$?
    trap - EXIT INT TERM HUP
    cd /
    if [ -n "${KEEP:-}" ]; then
        printf '\nKept in %s, and running. To look at it, and to end it:\n' "$work"
        printf '   %s status --data %s/data\n' "$program" "$work"
        [ -z "$gitea" ] || printf '   %s    as ada, grace or root-admin (%s)\n' "$(<"$work/gitea/url")" "$(sed 's/^[^ ]* //' "$work/gitea.out")"
        printf '   kill %s && rm -r %s\n' "$serve${cluster:+ $cluster}${gitea:+ $gitea}" "$work"
    else
        # The last one that was started may not have become ready.
        for server in "$pid" "$serve" "$cluster" "$gitea"; do
            [ -z "$server" ] || stop "$server"
        done
        rm -rf -- "$work"
    fi
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

is_serving() { [ -z "$serve" ] || kill -0 "$serve" 2>/dev/null; }

start_serving() {
    prompt "countersign serve --control repositories/control.git --data data --listen 127.0.0.1:$port &"
    start serve countersign serve --control repositories/control.git --data data --listen "127.0.0.1:$port"
    serve=$pid
}

stop_serving() {
    prompt "kill $serve     # serve"
    stop "$serve"
    serve='' pid=''
}

# Waits until nothing is at work.
until_quiet() {
    until_it_says 'all queues are empty' 'countersign status --data data' >/dev/null
}

# edit FILE SCRIPT: changes a file of the application, and shows the change.
edit() {
    quietly "sed -i.old '$2' $1 && rm $1.old"
    run 'git diff -U0'
    shows '^[-+] '
}

# Changes one byte of a copy of the exported log: of what was denied. Sets leaf, its index.
tamper() {
    local tile
    quietly 'countersign history shop/staging/local --limit 100 --data data'
    leaf=$(awk '/denied .*Run five/ { print $1 }' <<<"$answer")
    tile=$(cd export && echo tile/entries/000.p/*)
    run "cp -r export copy && LC_ALL=C sed 's/Run five/Run fine/' export/$tile > copy/$tile"
    [ "$(cmp -l "export/$tile" "copy/$tile" | wc -l)" -eq 1 ] || fail 'other than one byte was changed'
}

# The settings of whoever runs this change nothing here.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_TERMINAL_PROMPT=0 LC_ALL=C
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE SSH_AUTH_SOCK
export PATH="$work/bin:$PATH"
mkdir "$work/bin"
for name in "$programs"/countersign-demo-*; do
    [ ! -x "$name" ] || ln -s "$name" "$work/bin/"
done
ln -s "$program" "$work/bin/countersign"
cd "$work"
for name in git ssh-keygen; do
    command -v "$name" >/dev/null || fail "there is no $name on this machine: install it"
done
port=$(free_port)

printf '%sCountersign: a change reaches a cluster only when policy has countersigned it.%s\n' "$bold" "$plain"
means "Everything happens in $work."

step 'An installation: two people, a sample application, and a cluster'
on='' kubeconfig=''
if [ "${CLUSTER:-simulated}" = real ]; then
    patience=90
    start_world cluster "$programs/countersign-control-plane" --namespace shop-staging --namespace shop-production
    cluster=$pid
    kubeconfig=$(sed 's/.*"kubeconfig":"\([^"]*\)".*/\1/' cluster.out)
    on=" --kubeconfig $kubeconfig"
fi
[ -f "$here/demo/$forge.sh" ] || fail "FORGE=$forge: there are plain and gitea"
mkdir ada grace
for name in ada grace; do
    quietly "ssh-keygen -q -t ed25519 -N '' -C $name@example.com -f $name/key"
done
run "countersign init control --data data --listen-url http://127.0.0.1:$port --root-key root.pem \\
         --person ada --key ada/key.pub --person grace --key grace/key.pub --sample$on"
shows '^made an installation'
if [ -n "$cluster" ]; then
    run 'countersign cluster add local --control control --data data'
    shows '^created'
fi
start_serving
until_it_says 'shop/production/local*healthy*shop/staging/local*healthy' 'countersign status --data data'
shows '^TARGET' '^shop/production/local .* healthy' '^shop/staging/local .* healthy'
look="countersign-demo-look shop-staging${on:- --data data}"
# shellcheck source=samples/demo/plain.sh
# shellcheck source=samples/demo/gitea.sh
. "$here/demo/$forge.sh"

step 'A thief alters an authorization, and puts it to work'
as ops "$work"
until_quiet
quietly "$look"
before=$answer
stop_serving
run 'countersign-demo-thief --data data'
shows '^took' '^changed' '^put it'
start_serving
until_it_says 'refused: signature' 'countersign history shop/staging/local --limit 10 --data data'
shows 'refused: signature'
until_quiet
run "$look"
says "$before"
shows 'shop-staging/web'
means 'Whoever holds the store and the queues, but no key, changes nothing: the refusal is in the log, and the' \
    'deployment was not even written to.'

step 'An auditor verifies the log without trusting anyone here'
run 'countersign audit export export --data data'
shows '^export: '
run 'countersign audit verify --log export --genesis control/genesis.json'
shows '^clean: '
tamper
refuses 'countersign audit verify --log copy --genesis control/genesis.json'
shows "^leaf $leaf: " '^not clean: '
means 'One byte of one leaf is other than it was signed, and verification says in which.'

printf '\n%sWhere to look next%s\n' "$bold" "$plain"
while IFS='|' read -r what where; do printf '   %-50s %s\n' "$what" "$where"; done <<'NEXT'
every command, with examples|countersign --help
why a change was denied, replayed from its facts|countersign explain COMMIT --replay --data DIR
each stage's real output for one push|samples/trace/README.md
how it is built, and what must hold|docs/ARCHITECTURE.md
what a thief of each key and store can do|docs/THREATS.md
this installation, kept running|KEEP=1 make demo
the same on a real Kubernetes API server|make demo CLUSTER=real
the same with pull requests on a real Gitea|make demo FORGE=gitea
NEXT
printf '\n%sEvery claim above was checked, in %s seconds.%s\n' "$green" "$SECONDS" "$plain"
