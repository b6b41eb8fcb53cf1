#!/bin/sh
# Fetches GitHub's published OpenAPI description, once, into the cache, for the tests of the GitHub adapter. The
# version is that of package.json, and npm checks the digest that package-lock.json names.
#
# COUNTERSIGN_CACHE   where the cache is (default: ~/.cache/countersign)
set -eu

folder=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${COUNTERSIGN_CACHE:-${HOME:?set HOME or COUNTERSIGN_CACHE}/.cache/countersign}/tools
version=$(sed -n 's/.*"@octokit\/openapi": "\([0-9.]*\)".*/\1/p' "$folder/package.json")
place=$cache/github-openapi-$version
[ ! -f "$place/api.github.com.json" ] || exit 0

command -v npm >/dev/null || {
    echo "tests/tools/github-openapi/fetch.sh: \"npm\" is not on PATH: install Node.js, or leave out the tests that need GitHub's description" >&2
    exit 1
}
mkdir -p "$cache"
part=$(mktemp -d "$cache/.github-openapi.XXXXXX")
trap 'rm -rf "$part"' EXIT
echo "fetching GitHub's OpenAPI description $version (once, about 30 seconds)" >&2
cp "$folder/package.json" "$folder/package-lock.json" "$part/"
(cd "$part" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
mkdir -p "$place"
mv "$part/node_modules/@octokit/openapi/generated/api.github.com.json" "$place/"
