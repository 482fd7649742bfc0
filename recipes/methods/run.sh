#!/usr/bin/env bash
# Training without gradient descent: Evolino, the Kalman filter, evolution strategies, with baselines.
#
#   recipes/methods/run.sh [sines|counting|labels]... [--exp DIR] [--seeds N]
#
# Needs no corpus. Finished steps are not repeated.
set -eo pipefail
recipe=$(CDPATH= cd "$(dirname "$0")" && pwd)
root=$(CDPATH= cd "$recipe/../.." && pwd)
[ -d "$root/.venv/bin" ] && export PATH="$root/.venv/bin:$PATH"
export OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1

usage="usage: $0 [sines|counting|labels]... [--exp DIR] [--seeds N]"
exp=$root/exp/methods
seeds=3
tasks=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --exp | --seeds)
        if [ $# -lt 2 ]; then
            echo "$0: $1 needs a value" >&2
            exit 2
        fi
        declare "${1#--}=$2"
        shift 2
        ;;
    sines | counting | labels)
        tasks+=("$1")
        shift
        ;;
    *)
        echo "$0: unknown task $1; $usage" >&2
        exit 2
        ;;
    esac
done
if [[ ! $seeds =~ ^[1-9][0-9]*$ ]]; then
    echo "$0: --seeds $seeds: must be at least 1" >&2
    exit 2
fi
[ ${#tasks[@]} -gt 0 ] || tasks=(sines counting labels)

# data TASK K OUT: make data with series.py and prepare them
data() {
    if [ ! -f "$3/data/train.jsonl" ]; then
        python "$recipe/series.py" "$1" "$2" "$3/lists"
        seqlabel prepare manifest "$3/lists" "$3/data"
    fi
}

# train CONF DATA OUT [KEY=VALUE]...: train with every seed
train() {
    local conf=$1 data=$2 out=$3 seed more=()
    shift 3
    for setting in "$@"; do
        more+=(--set "$setting")
    done
    for seed in $(seq "$seeds"); do
        seqlabel train "$recipe/conf/$conf.toml" --data "$data" --out "$out/$seed" --resume \
            --set "seed=$seed" "${more[@]}"
    done
}

sines() {
    local k folder conf more
    for k in 1 2 3 4 5; do
        folder=$exp/sines$k
        conf=sines_evolino
        more=()
        if [ "$k" -gt 3 ]; then
            conf=sines_evolino_many
            more=(model.hidden=60)
        fi
        data sines "$k" "$folder"
        train $conf "$folder/data" "$folder/evolino"
        train $conf "$folder/data" "$folder/random" phases.0.epochs=1
        train sines_gradient "$folder/data" "$folder/gradient" "${more[@]}"
        python "$recipe/judge.py" sines "$folder/data" "$folder"/{evolino,random,gradient}/*
    done
}

counting() {
    local letters folder sizes name
    for letters in 2 3; do
        folder=$exp/counting$letters
        data counting "$letters" "$folder"
        sizes=(model.hidden="$letters")
        for name in features criterion; do
            sizes+=("$name.size=$((letters + 1))")
        done
        train counting_kalman "$folder/data" "$folder/kalman100" "${sizes[@]}"
        train counting_annealed "$folder/data" "$folder/annealed100" "${sizes[@]}"
        train counting_gradient "$folder/data" "$folder/gradient100" "${sizes[@]}" \
            phases.0.epochs=10
        train counting_gradient "$folder/data" "$folder/gradient600" "${sizes[@]}"
        python "$recipe/judge.py" counting "$folder/data" "$folder"/{kalman,annealed,gradient}*/*
    done
}

labels() {
    local folder=$exp/labels seed name
    if [ ! -f "$folder/data/train.jsonl" ]; then
        seqlabel synth ink "$folder/corpus" --seed 1
        seqlabel prepare iam_ondb "$folder/corpus" "$folder/data"
    fi
    train labels "$folder/data" "$folder/labels"
    for seed in $(seq "$seeds"); do
        for name in labels_evolution labels_gradient; do
            seqlabel train "$recipe/conf/$name.toml" --data "$folder/data" \
                --out "$folder/$name/$seed" --resume --set "seed=$seed" \
                --set "initial=$folder/labels/$seed"
        done
    done
    for name in labels labels_evolution labels_gradient; do
        for seed in $(seq "$seeds"); do
            seqlabel decode "$folder/$name/$seed" "$folder/data/test.jsonl" \
                --out "$folder/$name/$seed/test.jsonl"
        done
        seqlabel score "$folder/data/test.jsonl" "$folder/$name"/*/test.jsonl --seeds \
            --out "$folder/$name/report"
    done
}

for task in "${tasks[@]}"; do
    $task
done
