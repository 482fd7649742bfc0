#!/usr/bin/env bash
# Synthetic handwriting in the layout of IAM-OnDB: unseen strings by unseen writers.
# Needs no corpus: it writes its own, the same one every time.
set -euo pipefail
usage_corpus=
source "$(dirname "$0")/../stages.sh"
config=${config:-$recipe/conf/ink.toml}
corpus=${corpus:-$exp/corpus}
lm_order=3
beam=(--beam 25 --lm '{lm}' --lm-weight 0.3)
protocol=()

prepare() {
    [ -e "$corpus/forms.txt" ] || seqlabel synth ink "$corpus" --seed 1
    seqlabel prepare iam_ondb "$corpus" "$exp/data"
}

run_stages
