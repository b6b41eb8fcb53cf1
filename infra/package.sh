#!/usr/bin/env bash
# Builds dist/FUNCTION.zip for Lambda: of the commit that is checked out, the same bytes wherever it is built.
#
#   infra/package.sh [FUNCTION...]     (default: every function)
#
# ARCH                arm64 (default) or x86_64: what the templates' parameter Architecture says
# DIST                where the zips are put (default: dist)
# PACKAGE_FOLDER      where is built (default: COUNTERSIGN_CACHE/package); its place does not show in the result
# COUNTERSIGN_CACHE   where the tools are kept (default: ~/.cache/countersign)
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${COUNTERSIGN_CACHE:-$HOME/.cache/countersign}
folder=${PACKAGE_FOLDER:-$cache/package}
dist=${DIST:-$root/dist}
arch=${ARCH:-arm64}
requirements=$root/infra/package/requirements.txt
venv=$cache/package-venv-$(sha256sum "$requirements" | cut -c 1-16)
# The glibc of provided.al2023: the binaries ask for no later one, whatever this machine has.
glibc=2.34
limit=15000000

fail() {
    printf 'infra/package.sh: %s\n' "$*" >&2
    exit 1
}

case $arch in
    # As `uname -m` names it, and as Lambda does, which deploy.sh reads of what is written here.
    arm64 | aarch64) arch=arm64 target=aarch64-unknown-linux-gnu ;;
    x86_64) target=x86_64-unknown-linux-gnu ;;
    *) fail "ARCH=$arch: write arm64 or x86_64" ;;
esac
functions=("$@")
[ ${#functions[@]} -gt 0 ] || mapfile -t functions < <(cd "$root/functions" && ls -d */src/main.rs | cut -d / -f 1)

# What is built is what is committed: nothing else could be the same elsewhere.
[ -z "$(git -C "$root" status --porcelain --untracked-files=no)" ] || fail "the working tree differs from the commit: commit first"
commit=$(git -C "$root" rev-parse HEAD)
[ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ] ||
    fail "the standard library of $target is not installed: rustup target add $target, or ARCH=$(uname -m) for this machine's own"

install_tools() {
    if [ ! -e "$venv/complete" ]; then
        printf 'installing cargo-zigbuild and zig (once)\n' >&2
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$requirements" ||
            fail "cargo-zigbuild and zig cannot be installed into $venv: see above"
        touch "$venv/complete"
    fi
}

mkdir -p "$folder" "$dist"
exec 9>"$folder/.lock"
flock 9
install_tools
rm -rf "$folder/source"
mkdir -p "$folder/source"
git -C "$root" archive "$commit" | tar -x -C "$folder/source"

# No path of this machine is in the result.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
maps=("$folder/source=/countersign" "$folder/target=/target" "$cargo_home=/cargo" "$(rustc --print sysroot)=/rust")
rustflags=() cflags=()
for map in "${maps[@]}"; do
    rustflags+=("--remap-path-prefix=$map")
    cflags+=("-ffile-prefix-map=$map")
done
cd "$folder/source"
export PATH="$venv/bin:$PATH" CARGO_TARGET_DIR="$folder/target" CARGO_INCREMENTAL=0
export CFLAGS="${cflags[*]}" CXXFLAGS="${cflags[*]}"
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && printf '%s' "${rustflags[*]}")
export CARGO_ENCODED_RUSTFLAGS
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# Each is built singly, so that none links what another's features ask for.
for function in "${functions[@]}"; do
    [ -f "functions/$function/src/main.rs" ] || fail "there is no function $function"
    cargo zigbuild --quiet --locked --profile lambda --target "$target.$glibc" \
        --package "countersign-$function" --features lambda --bin "countersign-$function"
    python3 infra/package/archive.py "$folder/target/$target/lambda/countersign-$function" "$dist/$function.zip"
    size=$(stat --format %s "$dist/$function.zip")
    [ "$size" -le $limit ] || fail "$function.zip has $size bytes, at most $limit"
    printf '%-9s %s %6d KB\n' "$function" "$(sha256sum "$dist/$function.zip" | cut -c 1-16)" $((size / 1000))
done
(cd "$dist" && sha256sum ./*.zip >SHA256SUMS)
printf 'commit %s for %s, by %s\n' "$commit" "$arch" "$(rustc --version)" | tee "$dist/BUILD"
