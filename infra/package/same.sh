#!/usr/bin/env bash
# Builds functions in two folders and compares the zips byte by byte. same.sh [FUNCTION...] (default: witness)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
functions=("$@")
[ ${#functions[@]} -gt 0 ] || functions=(witness)
for folder in one/place another/quite/different/place; do
    PACKAGE_FOLDER=$work/$folder DIST=$work/$folder/dist bash "$here/../package.sh" "${functions[@]}"
done
for function in "${functions[@]}"; do
    cmp "$work/one/place/dist/$function.zip" "$work/another/quite/different/place/dist/$function.zip"
done
printf 'the same bytes from both folders\n'
