#!/usr/bin/env bash
# The effect of each option for formulas on one line, each with a few minutes of training on one
# core: features, distortion, depth, language model.
#
#   recipes/crohme/choices.sh --corpus /path/crohme [--exp DIR] [--seeds N]
set -eo pipefail
recipe=$(CDPATH= cd "$(dirname "$0")" && pwd)
root=$(CDPATH= cd "$recipe/../.." && pwd)
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
if [[ ! $seeds =~ ^[1-9][0-9]*$ ]]; then
    echo "$0: --seeds $seeds: a number from 1 on is expected" >&2
    exit 2
fi
if [ ! -d "$corpus" ]; then
    echo "$0: ${corpus:-(no corpus)}: no such folder; name the corpus with --corpus DIR" >&2
    exit 2
fi

data=$exp/data
[ -e "$data/corpus.json" ] || seqlabel prepare crohme "$corpus" "$data" --set subset=linear
[ -e "$exp/lm.arpa" ] || seqlabel lm "$data/train.jsonl" --order 4 --out "$exp/lm.arpa"

# variant NAME SEED EPOCHS SETTING...: one training and its error rates. The epochs of
# all take about as long.
variant() {
    local model=$exp/runs/$1/$2 seed=$2 epochs=$3 settings=() setting
    shift 3
    for setting in "$@"; do
        settings+=(--set "$setting")
    done
    seqlabel train "$recipe/conf/blstm.toml" --data "$data" --out "$model" --resume \
        --set "seed=$seed" --set training.threads=1 --set batches.frames=800 \
        --set "phases.0.epochs=$epochs" "${settings[@]}"
    seqlabel decode "$model" "$data/test.jsonl" --out "$model/test/greedy.jsonl"
    seqlabel decode "$model" "$data/test.jsonl" --out "$model/test/beam.jsonl" --beam 50
    seqlabel decode "$model" "$data/test.jsonl" --out "$model/test/4-gram.jsonl" --beam 50 \
        --lm "$exp/lm.arpa" --lm-weight 0.3 --bonus 0.3
    seqlabel score "$data/test.jsonl" "$model"/test/{greedy,beam,4-gram}.jsonl --out "$model/test"
}

# points KIND SMOOTHING: features of points, without the steps for lines of text; two to six points
# make a frame, as a Bezier piece does
points() {
    echo "features={kind=\"$1\",times=false,skew=false,slant=false,width=false,delayed=false," \
        "size=\"strokes\",smoothing=$2}"
}

for seed in $(seq "$seeds"); do
    variant bezier "$seed" 25
    variant bezier,_no_places "$seed" 25 features.places=false
    variant bezier,_no_smoothing "$seed" 25 features.smoothing=0.0
    variant bezier,_tolerance_0.02 "$seed" 20 features.tolerance=0.02
    variant bezier,_no_distortion "$seed" 30 'augmentation={}'
    variant bezier,_1_layer "$seed" 60 model.layers=1
    variant bezier,_5_layers "$seed" 17 model.layers=5
    variant dx,_dy "$seed" 14 "$(points ink_delta 0.03)" front_end.stack=2 front_end.stride=2
    variant raw_points "$seed" 8 "$(points ink_raw 0.0)" front_end.stack=3 front_end.stride=3
    variant 25_features "$seed" 15 "$(points ink_25 0.03)" front_end.stack=2 front_end.stride=2
    variant 25_features,_0.065 "$seed" 15 "$(points ink_25 0.03)" features.spacing=0.065 \
        front_end.stack=6 front_end.stride=6
    variant 25_features,_0.065,_places "$seed" 15 "$(points ink_25 0.03)" features.spacing=0.065 \
        features.places=true front_end.stack=6 front_end.stride=6
done
python "$recipe/../table.py" "$exp/runs"
