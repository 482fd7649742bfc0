#!/usr/bin/env bash
# AN4: spelled words and letters, the official split, characters or phones as labels. Read greedily,
# with an n-gram over labels, and with the corpus' 100 words and a bigram over them.
#
#   --unit phone   the phones of the corpus' dictionary (default: character)
#   --unit word    its words, --unit level   its words, made of phones (hierarchical CTC)
set -eo pipefail
unit=character
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    --unit)
        unit=${2:?--unit is character, phone, word or level}
        shift 2
        ;;
    *)
        arguments+=("$1")
        shift
        ;;
    esac
done
set -- "${arguments[@]}"
usage_corpus='--corpus DIR [--unit character|phone|word|level]'
source "$(dirname "$0")/../stages.sh"
config=${config:-$recipe/conf/${unit}s.toml}
lm_order=5
beam=(--beam 50 --lm "$exp/lm.arpa" --lm-weight 0.8 --bonus 1.5)
protocol=()
labels=(--set "unit=$unit")
[ "$unit" != level ] || labels=(--set unit=word --set 'levels=["phone"]')
case $unit in
word | level)
    lm_order=2
    beam=(--beam 50 --lm "$exp/lm.arpa" --lm-weight 0.3 --bonus 1)
    ;;
esac

prepare() {
    need_corpus
    seqlabel prepare an4 "$corpus" "$exp/data" --config "$recipe/conf/data.toml" "${labels[@]}"
}

# The words of the dictionary as a lexicon. Of several pronunciations, as A and A(2), the first is
# the one that the transcripts of phones are made with.
lexicon() {
    local dictionary
    dictionary=$(find -L "$corpus" -maxdepth 4 -path '*/etc/an4.dic' | head -n 1)
    if [ -z "$dictionary" ]; then
        echo "$0: $corpus: no etc/an4.dic; name the folder of AN4 with --corpus" >&2
        exit 2
    fi
    if [ "$unit" = phone ]; then
        grep -v '^[^ ]*(' "$dictionary"
    else
        awk '{ sub(/\(.*/, "", $1); print $1 }' "$dictionary" | sort -u
    fi
}

decode_more() {
    case $unit in
    word) return ;;
    level)
        seqlabel score "$exp/data/$1.jsonl" "$2/greedy.jsonl" --level phone \
            --out "$exp/report/$1-phones"
        return
        ;;
    esac
    need_corpus
    [ "$exp/words.arpa" -nt "$exp/data/train.jsonl" ] ||
        seqlabel lm "$exp/data" --unit words --order 2 --out "$exp/words.arpa"
    lexicon >"$exp/words.txt"
    seqlabel decode "$exp/model" "$exp/data/$1.jsonl" --out "$2/words.jsonl" --evidence 60 \
        --beam 100 --lexicon "$exp/words.txt" --word-lm "$exp/words.arpa" --lm-weight 0.3 --bonus 1
    if [ "$unit" = phone ]; then
        seqlabel score "$exp/data/$1.jsonl" "$2/words.jsonl" --protocol wer \
            --out "$exp/report/$1-words"
    fi
}

run_stages
