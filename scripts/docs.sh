#!/usr/bin/env bash
# Builds the documentation into docs/_build; a warning (a broken link, too) is an error.
set -euo pipefail
CDPATH= cd "$(dirname "$0")/.."
source scripts/environment.sh
install_environment docs
rm -rf docs/_build
python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs docs/_build
echo "docs/_build/index.html"
