#!/usr/bin/env bash
# Builds wheel and source distribution into dist/, checks them, installs the wheel into an empty
# environment and tries it there, outside this folder.
set -euo pipefail
CDPATH= cd "$(dirname "$0")/.."
source scripts/environment.sh
install_environment release

rm -rf dist
# The tested build backend: a newer one may write metadata that twine does not know yet.
PIP_CONSTRAINT=$CONSTRAINTS python -m build --outdir dist . >/dev/null
python -m twine check --strict dist/*
# Nothing but the package and its metadata may be installed.
strays=$(python -m zipfile --list dist/*.whl | awk 'NR > 1 { print $1 }' |
    grep -vE '^seqlabel(-[^/]*\.dist-info)?/' || true)
if [ -n "$strays" ]; then
    printf 'the wheel holds files outside the package:\n%s\n' "$strays" >&2
    exit 1
fi

trial=$(mktemp -d)
trap 'rm -rf "$trial"' EXIT
VENV="$trial/venv" install_wheel dist/*.whl
cp scripts/smoke.py "$trial"
cd "$trial"
"$trial/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint "$root/scripts/constraints.txt" mypy
# A consumer's code is type-checked against the installed package (py.typed).
"$trial/venv/bin/python" -m mypy --strict smoke.py
"$trial/venv/bin/python" smoke.py
"$trial/venv/bin/seqlabel" --version
ls -l "$root"/dist
