#!/usr/bin/env bash
# The long forms of what the tests do in short: each part runs to its end, whatever the others came to, and a table
# says how they ended. The variables below make a part longer or shorter; PARTS names those that run.
set -uo pipefail

# The cloud's functions are programs of their own, which are built for tests alone.
programs=${1:?usage: soak.sh FOLDER-OF-THE-PROGRAMS FOLDER-OF-THE-FUNCTIONS} functions=${2:?the folder of the functions}
cd "$(dirname "$0")/.." || exit 2

if [ -n "${SHORT:-}" ]; then
    : "${SEEDS:=200}" "${KILLS:=20}" "${KILL_ONCE:=yes}" "${LOAD_SECONDS:=30}" "${CLOUD_PUSHES:=50}"
    : "${COMPOSITIONS:=500}" "${FUZZ_SECONDS:=20}"
fi
: "${PARTS:=simulation kills load cloud faults render package fuzz}"
: "${SEEDS:=20000}"        # seeds of the simulation
: "${KILLS:=300}"          # kills at random, besides those at every point
: "${KILL_ONCE:=}"         # whether each point is hit only once
: "${LOAD_SECONDS:=600}"   # how long the load lasts
: "${LOAD_RATE:=20}"       # pushes a second
: "${COMPOSITIONS:=5000}"   # kustomizations that are compared with kustomize
: "${CLOUD_PUSHES:=1000}"   # pushes to the cloud form, while everything goes wrong
: "${FUZZ_SECONDS:=600}"   # how long each parser is fuzzed
: "${SEED:=1}"             # what random moments are drawn from

logs=$(mktemp -d "${TMPDIR:-/tmp}/countersign-soak-XXXXXX")
table=()
failed=0

# run NAME COMMAND...: runs a part into its log, and notes its last line or why it failed.
run() {
    local name=$1 begun=$SECONDS log=$logs/$1.log result=passed last
    shift
    printf '%s: running, see %s\n' "$name" "$log" >&2
    if ! "$@" >"$log" 2>&1; then
        result=FAILED
        failed=1
    fi
    last=$(grep -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c 1-100)
    table+=("$(printf '%-22s %-7s %6ss  %s' "$name" "$result" "$((SECONDS - begun))" "$last")")
}

simulation() {
    run simulation "$programs/countersign-simulate" --seeds "$SEEDS"
}

kills() {
    run kills "$programs/countersign-kills" --random "$(((KILLS + 1) / 2))" --seed "$SEED" ${KILL_ONCE:+--once}
}

load() {
    run load "$programs/countersign-load" --seconds "$LOAD_SECONDS" --rate "$LOAD_RATE"
}

cloud() {
    run cloud "$functions/countersign-cloud" --changes "$CLOUD_PUSHES" --seed "$SEED"
}

faults() {
    run faults cargo test --quiet -p countersign-tests --test it -- survival::
}

render() {
    COMPOSITIONS=$COMPOSITIONS COMPOSITION_SEED=$SEED run render cargo test --quiet -p countersign-render \
        --features oracle --test differential -- --nocapture
}

# The same commit gives the same zip, wherever it is built.
package() {
    run package env ARCH="$(uname -m)" bash infra/package/same.sh witness
}

fuzz() {
    local cache=${COUNTERSIGN_CACHE:-$HOME/.cache/countersign} target
    export PATH=$PATH:$cache/tools/cargo-fuzz/bin
    if ! cargo fuzz --version >/dev/null 2>&1; then
        run install-cargo-fuzz cargo install --quiet --locked cargo-fuzz --root "$cache/tools/cargo-fuzz" --target-dir "$cache/tools/build"
    fi
    for target in fuzz/fuzz_targets/*.rs; do
        target=$(basename "$target" .rs)
        mkdir -p "$cache/corpus/$target"
        run "fuzz-$target" cargo +nightly fuzz run --target-dir "$cache/fuzz-target" "$target" "$cache/corpus/$target" -- \
            -max_total_time="$FUZZ_SECONDS" -max_len=65536 -timeout=10 -rss_limit_mb=2048 -print_final_stats=0
    done
}

for part in $PARTS; do
    case $part in
    simulation | kills | load | cloud | faults | render | package | fuzz) "$part" ;;
    *)
        printf 'no part is named %s: there are simulation, kills, load, cloud, faults, render, package, fuzz\n' "$part" >&2
        exit 2
        ;;
    esac
done

printf '\n%-22s %-7s %7s  %s\n' part result time 'last line'
printf '%s\n' "${table[@]}"
exit "$failed"
