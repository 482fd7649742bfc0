#!/usr/bin/env bash
# AN4: spelled words and letters, characters as labels, the official split. Read greedily, with an
# n-gram over characters, and with the corpus' 100 words and a bigram over them.
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

decode_more() {
    need_corpus
    [ -e "$exp/words.arpa" ] ||
        seqlabel lm "$exp/data" --unit words --order 2 --out "$exp/words.arpa"
    # The words of the dictionary, pronunciations and their numbers, as in A(2), left out.
    awk '{ sub(/\(.*/, "", $1); print $1 }' "$corpus/etc/an4.dic" | sort -u >"$exp/words.txt"
    seqlabel decode "$exp/model" "$exp/data/$1.jsonl" --out "$2/words.jsonl" --evidence 60 \
        --beam 100 --lexicon "$exp/words.txt" --word-lm "$exp/words.arpa" --lm-weight 0.3 --bonus 1
}

run_stages
