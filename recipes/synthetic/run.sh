#!/usr/bin/env bash
# Synthetic handwriting in the layout of IAM-OnDB: unseen strings by unseen writers.
# Needs no corpus: it writes its own, the same one every time.
#
#   --words    sentences of a made-up language with a lexicon, a fifth of whose words stand in no
#              training sentence
set -eo pipefail
kind=ink
arguments=()
for argument in "$@"; do
    case $argument in
    --words) kind=words ;;
    *) arguments+=("$argument") ;;
    esac
done
set -- "${arguments[@]}"
usage_corpus='[--words]'
source "$(dirname "$0")/../stages.sh"
config=${config:-$recipe/conf/${kind}.toml}
[ "$exp" != "$root/exp/synthetic" ] || exp=$root/exp/synthetic_$kind
corpus=${corpus:-$exp/corpus}
lm_order=3
beam=(--beam 25 --lm "$exp/lm.arpa" --lm-weight 0.3)
protocol=()

prepare() {
    seqlabel synth ink "$corpus" --seed 1 $([ $kind = ink ] || echo --words)
    seqlabel prepare iam_ondb "$corpus" "$exp/data"
}

if [ $kind = words ]; then
    decode_more() {
        [ "$exp/words.arpa" -nt "$corpus/text.txt" ] ||
            seqlabel lm "$corpus/text.txt" --unit words --order 2 --out "$exp/words.arpa"
        seqlabel decode "$exp/model" "$exp/data/$1.jsonl" --out "$2/lexicon.jsonl" --evidence 60 \
            --beam 100 --lexicon "$corpus/words.txt" --word-lm "$exp/words.arpa" --lm-weight 0.5
    }
fi

run_stages
