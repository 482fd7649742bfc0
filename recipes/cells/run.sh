#!/usr/bin/env bash
# What each cell of the literature can and cannot learn, on generated sequences.
#
#   recipes/cells/run.sh [reber|wave|order|adding|odyssey|counting|gaps]... [--seeds N] [--quick] [--json FILE]
set -eo pipefail
recipe=$(CDPATH= cd "$(dirname "$0")" && pwd)
root=$(CDPATH= cd "$recipe/../.." && pwd)
[ -d "$root/.venv/bin" ] && export PATH="$root/.venv/bin:$PATH"
export OMP_NUM_THREADS=1
exec python "$recipe/run.py" "$@"
