#!/usr/bin/env bash
# IAM-OnDB: lines of handwriting from a whiteboard, the official t2 protocol.
set -euo pipefail
source "$(dirname "$0")/../stages.sh"
config=${config:-$recipe/conf/blstm.toml}
lm_order=5
beam=(--beam 50 --lm '{lm}' --lm-weight 0.5)
protocol=()

prepare() {
    need_corpus
    seqlabel prepare iam_ondb "$corpus" "$exp/data"
}

run_stages
