# Runs a group of servers in a new temporary folder for the process at the other end of stdin.
# When that process closes the pipe, or dies in whatever way, its end of the pipe is gone: then
# every server is killed and the folder removed. Nothing in the parent has to run for that.
#
# $1 labels the folder, whose path is the only output. Each line of stdin is one call of `start`.
set -u
dir=$(mktemp -d "${TMPDIR:-/tmp}/countersign-$1.XXXXXX") || exit 1
groups=

clean_up() {
    trap '' HUP INT TERM
    # The leader first: one that has not yet made its group has no children that could be missed.
    for group in $groups; do
        kill -s KILL "$group"
        kill -s KILL -- "-$group"
    done
    wait
    cd /
    # A dying server may still finish a write, which makes a folder that was just emptied not empty.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$dir" && return
        sleep 0.2
    done
}
trap 'clean_up 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM

# start NAME PROGRAM ARGUMENT...: output goes to NAME.log; an end is noted in NAME.exit.
start() {
    name=$1
    shift
    # shellcheck disable=SC2016  # The inner shell expands these.
    setsid sh -c '"$@"; echo "$?" >"$0.exit"' "$name" "$@" </dev/null >"$name.log" 2>&1 &
    groups="$groups $!"
}

# A server must not read the settings of the person who runs it, nor write them: Gitea sets some for Git, and would
# put a file in the place of a GIT_CONFIG_GLOBAL that is a device.
export HOME="$dir"
unset GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
cd "$dir" || exit 1
printf '%s\n' "$dir"
while IFS= read -r line; do
    eval "$line"
done
