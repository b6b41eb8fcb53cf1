#!/usr/bin/env bash
# Checks the templates of infra/: our own rules, cfn-lint, checkov. What was clean is not checked again until it changes.
#
# COUNTERSIGN_CACHE   where the tools are kept (default: ~/.cache/countersign)
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${COUNTERSIGN_CACHE:-$HOME/.cache/countersign}/infra
requirements=$root/tests/infra/requirements.txt
venv=$cache/venv-$(sha256sum "$requirements" | cut -c 1-16)

fail() {
    printf 'tests/infra/check.sh: %s\n' "$*" >&2
    exit 1
}

# Everything that the outcome depends on.
digest_of_inputs() {
    cd "$root"
    find infra tests/infra -type f -not -name "*.pyc" -print0 | sort -z |
        xargs -0 sha256sum crates/core/src/keys.rs docs/COST.md docs/OPERATIONS.md |
        sha256sum | cut -c 1-16
}

install_tools() {
    command -v python3 >/dev/null || fail "python3 is not on PATH: install Python 3.11 or newer"
    mkdir -p "$cache"
    exec 9>"$cache/.lock"
    flock 9
    if [ ! -x "$venv/bin/checkov" ] || [ ! -e "$venv/complete" ]; then
        printf 'installing cfn-lint and checkov (once, about a minute)\n' >&2
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements" ||
            fail "cfn-lint and checkov cannot be installed into $venv: see above"
        touch "$venv/complete"
    fi
    exec 9>&-
}

clean=$cache/clean-$(digest_of_inputs)
if [ -e "$clean" ]; then
    printf 'infra: clean (nothing changed since it was checked)\n'
    exit 0
fi
install_tools
cd "$root"
export AWS_DEFAULT_REGION=us-east-1 PYTHONDONTWRITEBYTECODE=1
"$venv/bin/python" -m unittest discover --quiet --start-directory tests/infra
"$venv/bin/cfn-lint" infra/*.yaml
"$venv/bin/checkov" --config-file tests/infra/checkov.yaml --directory infra
touch "$clean"
printf 'infra: clean\n'
