#!/usr/bin/env bash
# Sets up .venv, lints, checks the types, runs the tests. Arguments go to pytest.
#
#   scripts/test.sh --lowest   runs the tests alone, in .venv-lowest, with the lowest version of every
#                              dependency that pyproject.toml allows
set -euo pipefail
CDPATH= cd "$(dirname "$0")/.."
if [ "${1-}" = --lowest ]; then
    shift
    mkdir -p .venv-lowest
    VENV=${VENV:-$PWD/.venv-lowest} CONSTRAINTS=$PWD/.venv-lowest/constraints.txt
    python3 scripts/lowest.py >"$CONSTRAINTS.new"
    cmp -s "$CONSTRAINTS.new" "$CONSTRAINTS" || mv "$CONSTRAINTS.new" "$CONSTRAINTS"
    source scripts/environment.sh
    install_environment dev
    OMP_NUM_THREADS=1 exec python -m pytest -n "${TEST_WORKERS:-2}" "$@"
fi
source scripts/environment.sh
install_environment dev

ruff check .
ruff format --check .
mypy &
types=$!
status=0
# Two workers: one per core of a small machine. The test process itself wants one thread each.
OMP_NUM_THREADS=1 python -m pytest -n "${TEST_WORKERS:-2}" "$@" || status=$?
wait "$types" || status=1
exit "$status"
