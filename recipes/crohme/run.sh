#!/usr/bin/env bash
# CROHME: handwritten mathematics, symbols in writing order.
#
#   --subset linear   only the expressions on one line (default: all)
#   --extra DIR       further formulas for training, as recombine.py writes them
#   --tests "A B"     test sets: years, or folders below the corpus (default: that of 2014)
set -eo pipefail
subset=all
extra=
tests=()
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    --subset)
        subset=${2:?--subset is all or linear}
        shift 2
        ;;
    --extra)
        extra=${2:?--extra is a folder}
        shift 2
        ;;
    --tests)
        read -r -a tests <<<"${2:?--tests are years or folders}"
        shift 2
        ;;
    *)
        arguments+=("$1")
        shift
        ;;
    esac
done
set -- "${arguments[@]}"
usage_corpus='--corpus DIR [--subset all|linear] [--extra DIR] [--tests "2014 2016"]'
source "$(dirname "$0")/../stages.sh"
config=${config:-$recipe/conf/blstm.toml}
lm_order=4
beam=(--beam 50 --lm "$exp/lm.arpa" --lm-weight 0.3 --bonus 0.3)
protocol=()
if [ -n "$extra" ]; then
    if [ ! -d "$extra" ]; then
        echo "$0: --extra $extra: no such folder" >&2
        exit 2
    fi
    extra=$(CDPATH= cd "$extra" && pwd)
fi

list=
for name in "${tests[@]}"; do
    list+="${list:+, }\"$name\""
done
if [ "${#tests[@]}" -gt 1 ]; then
    read -r -a sets <<<"$(python -c 'import sys
from seqlabel.corpora.crohme_sets import name_of_test_set
print(*map(name_of_test_set, sys.argv[1:]))' "${tests[@]}")"
fi

prepare() {
    need_corpus
    seqlabel prepare crohme "$corpus" "$exp/data" --set subset="$subset" --set extra="$extra" \
        --set "test=[$list]"
}

run_stages
