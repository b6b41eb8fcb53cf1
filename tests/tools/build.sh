#!/bin/sh
# Builds the real servers that tests and demos run, once, into a cache outside the target folder.
#
#   build.sh NAME...           build each tool; says nothing when it is already in the cache
#   build.sh --print NAME...   the same, then one line "BINARY PATH" on stdout for each of its binaries
#
# A tool is a folder beside this script with these things in it:
#   go.mod, go.sum   whose single-line `require` names the module and its version
#   tools.go         imports the packages, so that `go mod tidy` keeps what they need
#   or, for a program in Java:
#   pom.xml          whose first `version` is the version, and whose dependencies are the program
#   or, for a program in Python:
#   requirements.txt whose first requirement is the program, and whose others are all that it stands on
#   and in every case:
#   recipe.sh        sets binaries="NAME=PACKAGE ..." and takes="20 seconds", and, where needed,
#                    ldflags, tags, cgo=1, and resources="MODULE FOLDER ...", folders of a module that
#                    its programs read at runtime and that are copied beside them; it may read $version
#
# COUNTERSIGN_CACHE     where the cache is (default: ~/.cache/countersign)
# KUBEBUILDER_ASSETS    a folder of ready binaries; those found there are used and not built
set -eu

tools=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${COUNTERSIGN_CACHE:-${HOME:?set HOME or COUNTERSIGN_CACHE}/.cache/countersign}/tools
assets=${KUBEBUILDER_ASSETS:-}
# Builds run, and callers use the printed paths, in other folders.
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac
case $assets in '' | /*) ;; *) assets=$PWD/$assets ;; esac

fail() {
    printf 'tests/tools/build.sh: %s\n' "$*" >&2
    exit 1
}

# Reads the recipe of tool $1 into variables.
recipe() {
    name=$1
    folder=$tools/$name
    [ -f "$folder/recipe.sh" ] || fail "there is no tool \"$name\" in $tools: choose one of its folders that has a recipe.sh"
    if [ -f "$folder/pom.xml" ]; then
        version=$(sed -n 's/^ *<version>\(.*\)<\/version>$/\1/p' "$folder/pom.xml" | head -n 1)
        [ -n "$version" ] || fail "$folder/pom.xml has no line with its \"version\": add one"
    elif [ -f "$folder/requirements.txt" ]; then
        version=$(sed -n 's/^[a-z]*==\(.*\)$/\1/p' "$folder/requirements.txt" | head -n 1)
        [ -n "$version" ] || fail "$folder/requirements.txt has no line NAME==VERSION: add one"
    else
        version=$(awk '$1 == "require" && $2 != "(" { sub(/^v/, "", $3); print $3; exit }' "$folder/go.mod")
        [ -n "$version" ] || fail "$folder/go.mod has no single-line \"require MODULE VERSION\": add one"
    fi
    takes="a while" binaries="" ldflags="" tags="" cgo=0 resources=""
    # shellcheck source=/dev/null
    . "$folder/recipe.sh"
    place=$cache/$name-$version
}

# Prints where binary $1 is: among the ready ones, or in the cache.
path_of() {
    if [ -n "$assets" ] && [ -x "$assets/$1" ]; then
        printf '%s\n' "$assets/$1"
    else
        printf '%s\n' "$place/$1"
    fi
}

# True when every binary of the tool is there.
complete() {
    for pair in $binaries; do
        [ -x "$(path_of "${pair%%=*}")" ] || return 1
    done
}

compile() {
    cd "$folder" || return 1
    if [ -f pom.xml ]; then
        collect_java
        return
    fi
    if [ -f requirements.txt ]; then
        collect_python
        return
    fi
    # A workspace file or module flags of the person who runs this must not change what is built.
    export GOWORK=off GOFLAGS= CGO_ENABLED="$cgo"
    for pair in $binaries; do
        nice go build -mod=readonly -trimpath -tags "$tags" -ldflags "-s -w $ldflags" \
            -o "$place.part/${pair%%=*}" "${pair#*=}" || return 1
    done
    [ -z "$resources" ] || copy_resources
}

# Collects a program in Java with all that it stands on, and writes a command that runs it.
collect_java() {
    nice mvn --quiet --batch-mode --file "$folder/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        "-DoutputDirectory=$place.part/lib" || return 1
    for pair in $binaries; do
        printf '#!/bin/sh\nexec java -Xmx256m "$@" -cp "%s/lib/*" %s\n' "$place" "${pair#*=}" \
            >"$place.part/${pair%%=*}" || return 1
        chmod +x "$place.part/${pair%%=*}"
    done
}

# Collects a program in Python with all that it stands on, and writes a command that runs it. What `pip` would write for
# that holds the path that it was installed at, which is another one in the end.
collect_python() {
    python3 -m venv "$place.part/venv" || return 1
    "$place.part/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile \
        --target "$place.part/lib" --requirement requirements.txt || return 1
    rm -rf "$place.part/venv"
    for pair in $binaries; do
        printf '#!/bin/sh\nPYTHONPATH="%s/lib" exec python3 -m %s "$@"\n' "$place" "${pair#*=}" \
            >"$place.part/${pair%%=*}" || return 1
        chmod +x "$place.part/${pair%%=*}"
    done
}

# Copies what programs read at runtime, so that cleaning Go's cache does not break them.
copy_resources() {
    module=$(go list -mod=readonly -m -f '{{.Dir}}' "${resources%% *}") || return 1
    for resource in ${resources#* }; do
        mkdir -p "$place.part/$(dirname "$resource")" || return 1
        cp -R "$module/$resource" "$place.part/$resource" || return 1
    done
    # Go's cache is read-only, and a copy that is would outlive every attempt to remove it.
    chmod -R u+w "$place.part"
}

build() {
    if [ -f "$folder/pom.xml" ]; then
        for program in mvn java; do
            command -v "$program" >/dev/null || fail "building $name $version needs Maven and Java, and no \"$program\" is on PATH: install Maven 3 and Java 17 or newer"
        done
    elif [ -f "$folder/requirements.txt" ]; then
        command -v python3 >/dev/null || fail "building $name $version needs Python, and no \"python3\" is on PATH: install Python 3.11 or newer"
    else
        command -v go >/dev/null || fail "building $name $version needs the Go toolchain, and no \"go\" is on PATH: install Go 1.25 or newer, or put the binaries into a folder and name it in KUBEBUILDER_ASSETS"
    fi
    command -v flock >/dev/null || fail "building $name $version needs \"flock\", which is not on PATH: install util-linux"
    mkdir -p "$cache" || fail "cannot create the cache $cache: make it writable, or set COUNTERSIGN_CACHE to another folder"
    exec 9>"$cache/.$name-$version.lock"
    flock 9
    # Another caller may have built it while this one waited for the lock.
    if ! complete; then
        printf 'building %s %s (once, about %s)\n' "$name" "$version" "$takes" >&2
        rm -rf "$place.part"
        mkdir "$place.part"
        log=$cache/$name-$version.log
        if ! (compile) >"$log" 2>&1 </dev/null 9>&-; then
            rm -rf "$place.part"
            tail -n 40 "$log" >&2
            fail "building $name $version failed; the lines above are the end of $log"
        fi
        rm -rf "$place"
        mv "$place.part" "$place"
    fi
    exec 9>&-
}

print=no
if [ "${1:-}" = --print ]; then
    print=yes
    shift
fi
[ $# -gt 0 ] || fail "name the tools to build, for example: build.sh etcd kubernetes kwok"
for tool in "$@"; do
    recipe "$tool"
    complete || build
    [ $print = no ] || for pair in $binaries; do
        printf '%s %s\n' "${pair%%=*}" "$(path_of "${pair%%=*}")"
    done
done
