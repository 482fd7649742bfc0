#!/usr/bin/env bash
# What each choice is worth for formulas on one line, each with about three minutes of training on
# one core: features, distortion, depth, language model.
#
#   recipes/crohme/choices.sh --corpus /path/crohme [--exp DIR] [--seeds N]
set -euo pipefail
recipe=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$recipe/../.." && pwd)
[ -d "$root/.venv/bin" ] && export PATH="$root/.venv/bin:$PATH"

usage="usage: $0 --corpus DIR [--exp DIR] [--seeds N]"
corpus=
exp=$root/exp/crohme_choices
seeds=3
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --corpus | --exp | --seeds)
        if [ $# -lt 2 ]; then
            echo "$0: $1 needs a value" >&2
            exit 2
        fi
        declare "${1#--}=$2"
        shift 2
        ;;
    *)
        echo "$0: unknown option $1" >&2
        echo "$usage" >&2
        exit 2
        ;;
    esac
done
if [ ! -d "$corpus" ]; then
    echo "$0: ${corpus:-(no corpus)}: no such folder; name the corpus with --corpus DIR" >&2
    exit 2
fi

data=$exp/data
[ -e "$data/corpus.json" ] || seqlabel prepare crohme "$corpus" "$data" --set subset=linear
[ -e "$exp/lm.arpa" ] || seqlabel lm "$data/train.jsonl" --order 4 --out "$exp/lm.arpa"

# variant NAME EPOCHS SETTING...: one row of the table, all seeds. The epochs fill the three minutes.
variant() {
    local name=$1 epochs=$2 model seed settings=() setting
    shift 2
    for setting in "$@"; do
        settings+=(--set "$setting")
    done
    for seed in $(seq "$seeds"); do
        model=$exp/runs/$name/$seed
        seqlabel train "$recipe/conf/blstm.toml" --data "$data" --out "$model" --resume \
            --set "seed=$seed" --set training.threads=1 --set batches.frames=2500 \
            --set "phases.0.epochs=$epochs" "${settings[@]}"
        seqlabel decode "$model" "$data/test.jsonl" --out "$model/test/greedy.jsonl"
        seqlabel decode "$model" "$data/test.jsonl" --out "$model/test/beam.jsonl" --beam 50
        seqlabel decode "$model" "$data/test.jsonl" --out "$model/test/4-gram.jsonl" --beam 50 \
            --lm "$exp/lm.arpa" --lm-weight 0.3 --bonus 0.3
        seqlabel score "$data/test.jsonl" "$model"/test/{greedy,beam,4-gram}.jsonl \
            --out "$model/test"
    done
}

# points SETTING: features of points, several of which make a frame as a Bezier piece does
points() {
    echo "features={kind=\"$1\",times=false,skew=false,size=\"strokes\"}" \
        "front_end={normalise=\"train\",stack=$2,stride=$2}"
}

variant bezier 30
variant bezier,_no_distortion 33 'augmentation={}'
variant bezier,_1_layer 70 model.layers=1
variant bezier,_5_layers 20 model.layers=5
read -r -a settings <<<"$(points ink_raw 3)"
variant raw_points 9 "${settings[@]}"
read -r -a settings <<<"$(points ink_delta 2)"
variant dx,_dy 20 "${settings[@]}"
read -r -a settings <<<"$(points ink_25 2)"
variant 25_features 21 "${settings[@]}"
python "$recipe/../table.py" "$exp/runs"
