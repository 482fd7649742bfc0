#!/usr/bin/env bash
# AN4: spelled words and letters, characters as labels, the official split.
set -euo pipefail
source "$(dirname "$0")/../stages.sh"
config=${config:-$recipe/conf/characters.toml}
lm_order=5
beam=(--beam 50 --lm '{lm}' --lm-weight 0.8 --bonus 1.5)
protocol=()

prepare() {
    need_corpus
    seqlabel prepare an4 "$corpus" "$exp/data" --config "$recipe/conf/data.toml"
}

run_stages
