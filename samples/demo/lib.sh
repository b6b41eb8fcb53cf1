# How the demo is told: steps, commands as a person would type them, the lines of their output that
# matter, and a check of each claim. Sourced by samples/demo.sh.
# shellcheck shell=bash

bold='' dim='' red='' green='' cyan='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' cyan=$'\e[36m' plain=$'\e[0m'
fi

width=90
number=0
actor=ops
answer=''

# step TITLE: begins a step.
step() {
    number=$((number + 1))
    printf '\n%s%s  %s%s\n' "$bold" "$number" "$1" "$plain"
}

# means SENTENCE: what the output above means.
means() {
    printf '%s\n' "$*" | fold -s -w "$width" | sed "s/^/   $dim/; s/ *\$/$plain/"
}

# as WHO FOLDER: who types from now on, and where.
as() {
    actor=$1
    cd "$2" || fail "there is no folder $2"
}

prompt() {
    printf '   %s%s$%s %s\n' "$cyan" "$actor" "$plain" "$1"
}

# quietly COMMAND: runs it; the demo ends if it fails.
quietly() {
    answer=$(eval "$1" 2>&1) || fail "this failed: $1"
}

# run COMMAND: shows it, then as quietly.
run() {
    prompt "$1"
    quietly "$1"
}

# refuses COMMAND: shows it, and runs it; the demo ends unless it answers with exit code 1, a refusal.
refuses() {
    local code=0
    prompt "$1"
    answer=$(eval "$1" 2>&1) || code=$?
    [ "$code" = 1 ] || fail "this was to be refused with exit code 1, and ended with $code: $1"
}

# until_it_says TEXT COMMAND: shows the command, and runs it until its output holds the text, in which * is
# anything.
until_it_says() {
    local deadline=$((SECONDS + patience))
    prompt "$2"
    # shellcheck disable=SC2053
    until answer=$(eval "$2" 2>&1) && [[ $answer == *$1* ]]; do
        [ "$SECONDS" -lt "$deadline" ] || fail "after $patience seconds this did not say \"$1\": $2"
        is_serving || fail "countersign serve has ended"
        sleep 0.1
    done
}

# says TEXT...: the output holds each text; the demo ends if not.
says() {
    local text
    for text in "$@"; do
        grep -qF -- "$text" <<<"$answer" || fail "the output above was to say: $text"
    done
}

# shows PATTERN...: prints the lines of the output that match one of the patterns; each must match one.
shows() {
    local pattern all='' line
    for pattern in "$@"; do
        grep -qE -- "$pattern" <<<"$answer" || fail "the output was to have a line that matches: $pattern"
        all+="${all:+|}$pattern"
    done
    # Reports are Markdown, which a terminal does not render; and nobody reads long hashes.
    grep -E -- "$all" <<<"$answer" | sed -E 's/\*\*//g; s/\\`/`/g; s/^#+ //; s/([0-9a-f]{12})[0-9a-f]{28,52}/\1…/g' |
        fold -s -w $((width + 10)) | sed 's/ *$//' |
        while IFS= read -r line; do paint "$line"; done
}

paint() {
    local color=''
    case $1 in
    *'does not count'* | *'not clean'* | *denie[sd]* | *Denied* | *refused* | *'rode along'*) color=$red ;;
    *healthy* | *counts* | *'clean:'* | *': deployed'* | *'would be allowed'*) color=$green ;;
    esac
    printf '     %s%s%s\n' "$color" "$1" "${color:+$plain}"
}

# fail WHY: ends the demo loudly.
fail() {
    {
        printf '\n%sThe demo failed in step %s: %s%s\n' "$red" "$number" "$1" "$plain"
        [ -z "$answer" ] || printf '%s\n' '--- the last output' "$answer"
        [ ! -s "$work/serve.log" ] || { printf '%s\n' '--- the end of serve.log' && tail -n 25 "$work/serve.log"; }
        [ ! -s "$work/gitea.log" ] || { printf '%s\n' '--- the end of gitea.log' && tail -n 10 "$work/gitea.log"; }
        [ ! -s "$work/cluster.log" ] || { printf '%s\n' '--- the end of cluster.log' && tail -n 10 "$work/cluster.log"; }
    } >&2
    exit 1
}

# free_port: a port of 127.0.0.1 on which nothing listens.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

# start NAME COMMAND...: starts a server whose first line of output tells that it is ready; sets pid.
start() {
    local name=$1 deadline=$((SECONDS + patience))
    shift
    : >"$work/$name.out"
    "$@" <&0 8<&- 9<&- >"$work/$name.out" 2>>"$work/$name.log" &
    pid=$!
    until [ -s "$work/$name.out" ]; do
        kill -0 "$pid" 2>/dev/null || fail "$name ended before it was ready"
        [ "$SECONDS" -lt "$deadline" ] || fail "$name is not ready after $patience seconds"
        sleep 0.1
    done
}

# The descriptors 9 and 8 hold the input of such programs open, in this shell alone.
held=9

# start_world NAME COMMAND...: as start, a program that runs real servers until its input ends.
start_world() {
    mkfifo "$work/$1.in"
    if [ -n "${KEEP:-}" ]; then
        start "$@" <>"$work/$1.in"
    else
        # It ends when nobody holds its input open any more: also when this shell is killed.
        eval "exec $held<>\"\$work/\$1.in\""
        held=$((held - 1))
        start "$@" <"$work/$1.in"
    fi
}

# stop PID: asks a server to end, and waits until it has.
stop() {
    kill "$1" 2>/dev/null || return 0
    wait "$1" 2>/dev/null || true
}
