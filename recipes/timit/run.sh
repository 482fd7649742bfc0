#!/usr/bin/env bash
# TIMIT phones: 61 labels, folded to 39 for scoring, core test set.
#
# For a sample or another corpus in TIMIT's layout give its speaker lists:
#   recipes/timit/run.sh --corpus /path/sample \
#       --corpus-config recipes/timit/conf/sample_speakers.toml \
#       --config recipes/timit/conf/sample_blstm.toml
set -eo pipefail
corpus_config=
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    --corpus-config)
        corpus_config=${2:?--corpus-config needs a file}
        shift 2
        ;;
    *)
        arguments+=("$1")
        shift
        ;;
    esac
done
set -- "${arguments[@]}"
usage_corpus='--corpus DIR [--corpus-config FILE]'
source "$(dirname "$0")/../stages.sh"
config=${config:-$recipe/conf/blstm.toml}
lm_order=3
beam=(--beam 100 --lm "$exp/lm.arpa" --lm-weight 0.3 --bonus 0.5)
protocol=(--protocol kaldi)

prepare() {
    need_corpus
    seqlabel prepare timit "$corpus" "$exp/data" ${corpus_config:+--config "$corpus_config"}
}

run_stages
