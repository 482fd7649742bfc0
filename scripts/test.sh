#!/usr/bin/env bash
# Sets up .venv, lints, checks the types, runs the tests. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
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
