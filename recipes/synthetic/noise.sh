#!/usr/bin/env bash
# Noise on the weights against overfitting: strings of synthetic handwriting from few lines.
#
#   recipes/synthetic/noise.sh [--exp DIR] [--lines N] [--seeds N]
#
# A network is trained without noise, then further in three ways: without noise, with noise of one
# deviation, with one that is learned for each weight. What is finished is not repeated.
set -eo pipefail
recipe=$(CDPATH= cd "$(dirname "$0")" && pwd)
root=$(CDPATH= cd "$recipe/../.." && pwd)
[ -d "$root/.venv/bin" ] && export PATH="$root/.venv/bin:$PATH"
export OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1

usage="usage: $0 [--exp DIR] [--lines N] [--seeds N]"
exp=$root/exp/synthetic_noise
lines=200
seeds=3
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --exp | --lines | --seeds)
        if [ $# -lt 2 ]; then
            echo "$0: $1 needs a value" >&2
            exit 2
        fi
        declare "${1#--}=$2"
        shift 2
        ;;
    *)
        echo "$0: unknown option $1; $usage" >&2
        exit 2
        ;;
    esac
done

for number in "$seeds" "$lines"; do
    if [[ ! $number =~ ^[1-9][0-9]*$ ]]; then
        echo "$0: --seeds $seeds --lines $lines: numbers from 1 on are expected" >&2
        exit 2
    fi
done
if [ ! -f "$exp/data/train.jsonl" ]; then
    seqlabel synth ink "$exp/corpus" --lines "$lines" --seed 1
    seqlabel prepare iam_ondb "$exp/corpus" "$exp/data"
fi
ways=(start none fixed adaptive)
for seed in $(seq "$seeds"); do
    for way in "${ways[@]}"; do
        conf=$recipe/conf/few_$way.toml
        more=(--set "initial=$exp/start/$seed")
        if [ "$way" = start ]; then
            conf=$recipe/conf/few.toml
            more=()
        fi
        seqlabel train "$conf" --data "$exp/data" --out "$exp/$way/$seed" --resume \
            --set "seed=$seed" "${more[@]}"
        seqlabel decode "$exp/$way/$seed" "$exp/data/test.jsonl" --out "$exp/$way/$seed/test.jsonl"
    done
done
for way in "${ways[@]}"; do
    seqlabel score "$exp/data/test.jsonl" "$exp/$way"/*/test.jsonl --seeds --out "$exp/$way/report"
done
