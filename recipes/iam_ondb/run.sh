#!/usr/bin/env bash
# IAM-OnDB: lines of handwriting from a whiteboard, the official t2 protocol. Read greedily, with an
# n-gram over characters, and as in Graves et al. 2009 with the 20,000 most frequent words and a
# bigram over words.
#
#   --text FILE    more text for words and bigram, one sentence a line (default: training text only)
set -eo pipefail
text=()
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    --text)
        text=("${2:?--text needs a file}")
        shift 2
        ;;
    *)
        arguments+=("$1")
        shift
        ;;
    esac
done
set -- "${arguments[@]}"
usage_corpus='--corpus DIR [--text FILE]'
source "$(dirname "$0")/../stages.sh"
config=${config:-$recipe/conf/blstm.toml}
lm_order=5
beam=(--beam 50 --lm "$exp/lm.arpa" --lm-weight 0.5 --bonus 0.5)
protocol=()
for file in "${text[@]}"; do
    if [ ! -f "$file" ]; then
        echo "$0: --text $file: no such file" >&2
        exit 2
    fi
done

prepare() {
    need_corpus
    seqlabel prepare iam_ondb "$corpus" "$exp/data"
}

decode_more() {
    seqlabel lm "$exp/data" "${text[@]}" --unit words --order 2 --out "$exp/words.arpa" \
        --lexicon "$exp/words.txt" --lexicon-size 20000
    seqlabel decode "$exp/model" "$exp/data/$1.jsonl" --out "$2/dictionary.jsonl" --evidence 60 \
        --beam 100 --lexicon "$exp/words.txt" --word-lm "$exp/words.arpa" --lm-weight 0.5 \
        --bonus 1 --unknown-penalty 10
}

run_stages
