#!/usr/bin/env bash
# The main job, from start to end, on this machine: `make demo`, or demo.sh COUNTERSIGN, the program.
#
#   CLUSTER=real   on a real Kubernetes API server, which must have been built: bash tests/tools/build.sh
#   KEEP=1         keeps the folder, and leaves everything running
#   NO_COLOR=1     no color, which there is on a terminal only
set -euo pipefail

program=$(cd -- "$(dirname -- "${1:?give the path of the countersign program}")" && pwd)/$(basename -- "$1")
programs=$(dirname -- "$program")
work=$(cd -- "$(mktemp -d "${TMPDIR:-/tmp}/countersign-demo.XXXXXX")" && pwd -P)
patience=20 serve='' cluster='' pid=''

# shellcheck source=samples/demo/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/demo/lib.sh"

finish() {
    local code=$?
    trap - EXIT INT TERM HUP
    cd /
    if [ -n "${KEEP:-}" ]; then
        printf '\nKept in %s, and running. To look at it, and to end it:\n' "$work"
        printf '   %s status --data %s/data\n' "$program" "$work"
        printf '   kill %s && rm -r %s\n' "$serve${cluster:+ $cluster}" "$work"
    else
        # The last one that was started may not have become ready.
        for server in "$pid" "$serve" "$cluster"; do
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

# Where the report of the commit that is checked out is kept, in the repository itself.
# shellcheck disable=SC2016
report='refs/countersign/reports/$(git rev-parse HEAD):staging.md'

# A person with a key and a clone of the application, who signs what they commit and say.
person() {
    git clone -q repositories/shop.git "$1/shop" &&
        git -C "$1/shop" config user.name "$1" &&
        git -C "$1/shop" config user.email "$1@example.com" &&
        git -C "$1/shop" config gpg.format ssh &&
        git -C "$1/shop" config user.signingKey "$work/$1/key" &&
        git -C "$1/shop" config commit.gpgSign true &&
        git -C "$1/shop" config countersign.repository local/shop &&
        git -C "$1/shop" config --add remote.origin.fetch '+refs/countersign/reports/*:refs/countersign/reports/*' &&
        git -C "$1/shop" config alias.report "!git fetch -q && git show $report"
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
    mkfifo cluster.in
    set -- "$programs/countersign-control-plane" --namespace shop-staging --namespace shop-production
    if [ -n "${KEEP:-}" ]; then
        start cluster "$@" <>cluster.in
    else
        # The servers end when nobody holds their input open any more: also when this shell is killed.
        exec 9<>cluster.in
        start cluster "$@" <cluster.in
    fi
    cluster=$pid
    kubeconfig=$(sed 's/.*"kubeconfig":"\([^"]*\)".*/\1/' cluster.out)
    on=" --kubeconfig $kubeconfig"
fi
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
quietly 'person ada && person grace'
means 'The first commit of the application was accepted with the control repository, so it runs. Every later' \
    'one needs its approvals.'

step 'A change that policy denies'
as ada "$work/ada/shop"
edit deploy/staging/deployment.yaml 's|image: .*|image: registry.example.com/shop/web:1.5.0|'
run "git commit -qam 'Use version 1.5.0' && countersign propose"
shows '^proposed'
run "git config --get alias.report"
shows '^!git fetch'
until_it_says 'images.pinned' 'git report'
shows '^# .*: denied' '^- .*deployment.yaml:[0-9]+' '^Why: A tag' '^What to do: Write the image' '^Rule `images.pinned'
means 'The report, which Countersign writes into the repository, names the rule, the file and the line, says why,' \
    'and what to do.'

step 'The same change as policy wants it: reviewed, merged, deployed'
digest=4a1c4b21597c1b4415bdbecb28a3296c6b5e23ca4f9feeb599860a1dac6a0108
edit deploy/staging/deployment.yaml "s|web:1.5.0|web:1.5.0@sha256:$digest|"
run 'git commit -qa --amend --no-edit && countersign propose'
until_it_says 'only reviews are missing' 'git report'
shows '^# .*: waiting for reviews' '^- .*who can approve: grace'
run 'countersign approve HEAD'
until_it_says 'but signed the proposal' 'git report'
shows '^- .*who can approve: grace'
means 'Who proposes a change cannot approve it.'
change=$(git rev-parse --short HEAD)
as grace "$work/grace/shop"
run "git fetch -q && git diff --stat origin/main $change && countersign approve $change"
shows '^approved'
as ada "$work/ada/shop"
until_it_says 'would allow' 'git report'
shows '^# .*: would be allowed' '^- ada .*' '^- grace .*'
run 'git push -q origin HEAD:main'
until_it_says 'Deployed and healthy' 'git report'
shows '^# .*: deployed' '^all 3 objects'
as ops "$work"
run "$look"
says 'shop/web:1.5.0@'
shows '^shop-staging/web'
means 'The merge was decided again, logged, authorized for this one cluster, applied, and followed until healthy.'

step 'An unapproved commit cannot ride along with an approved one'
as ada "$work/ada/shop"
run 'git switch -q -c greeting'
edit deploy/staging/configmap.yaml 's|greeting: .*|greeting: Good morning|'
run "git commit -qam 'Greet politely' && countersign propose"
greeting=$(git rev-parse --short HEAD)
as grace "$work/grace/shop"
run "git fetch -q && countersign approve $greeting"
shows '^approved'
as ada "$work/ada/shop"
until_it_says 'would allow' 'git report'
shows '^# .*: would be allowed'
run 'git switch -q -C main origin/main'
edit deploy/staging/deployment.yaml 's|replicas: .*|replicas: 5|'
run "git commit -qam 'Run five replicas'"
hurried=$(git rev-parse --short=8 HEAD)
run "git merge -q --no-ff -m 'Merge the greeting' greeting && git push -q origin main"
until_it_says 'approvals.explained' 'git report'
says "commit $hurried (Run five replicas) rode along"
shows '^# .*: denied' '^- commit .* rode along' '^What to do: Propose the commit'
means 'The change is measured from what was last authorized, and each commit in it must have been reviewed.'
run "git revert --no-edit $hurried && git push -q origin main"
until_it_says 'Deployed and healthy' 'git report'
shows '^# .*: deployed' '^all 3 objects'
means 'Without the commit that rode along, exactly what grace reviewed is left, and it is deployed.'

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
NEXT
printf '\n%sEvery claim above was checked, in %s seconds.%s\n' "$green" "$SECONDS" "$plain"
