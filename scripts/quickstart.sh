#!/usr/bin/env bash
# The main job on a fresh machine: sets up .venv, writes a corpus of synthetic handwriting, trains
# a network on it, decodes the writing of unseen writers, scores it and shows the report.
set -euo pipefail
CDPATH= cd "$(dirname "$0")/.."
source scripts/environment.sh
install_environment synth
recipes/synthetic/run.sh "$@"
