#!/usr/bin/env bash
# What each criterion reaches on the same phones, network and number of epochs.
#
#   recipes/phones/run.sh --data FOLDER [--exp DIR] [--seeds N] [--epochs N] [--protocol NAME]
#
# FOLDER is a prepared corpus of phones (`seqlabel prepare`). Framewise training needs the times of
# its phones, and is left out where the corpus has none.
set -eo pipefail
recipe=$(CDPATH= cd "$(dirname "$0")" && pwd)
root=$(CDPATH= cd "$recipe/../.." && pwd)
[ -d "$root/.venv/bin" ] && export PATH="$root/.venv/bin:$PATH"

usage="usage: $0 --data FOLDER [--exp DIR] [--seeds N] [--epochs N] [--protocol NAME]"
data=
exp=$root/exp/phones
seeds=3
epochs=40
protocol=plain
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    --data | --exp | --seeds | --epochs | --protocol)
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
if [ ! -f "$data/train.jsonl" ]; then
    echo "$0: ${data:-(no folder)}: no prepared corpus; name one with --data FOLDER" >&2
    exit 2
fi

for number in "$seeds" "$epochs"; do
    if [[ ! $number =~ ^[1-9][0-9]*$ ]]; then
        echo "$0: --seeds $seeds --epochs $epochs: numbers from 1 on are expected" >&2
        exit 2
    fi
done

# train NAME SEED [INITIAL]: trains conf/NAME.toml; what begins with or goes on from another model
# has half of the epochs
train() {
    local own=$epochs
    if [ "$1" = ctc_start ] || [ -n "${3-}" ]; then
        own=$(((epochs + 1) / 2))
    fi
    seqlabel train "$recipe/conf/$1.toml" --data "$data" --out "$exp/$1/$2" --resume \
        --set "seed=$2" --set "training.protocol=$protocol" --set training.threads=1 \
        --set "phases.0.epochs=$own" ${3:+--set "initial=$exp/$3/$2"}
}

# judge NAME SEED: greedy and beam on the test set
judge() {
    local folder=$exp/$1/$2/test
    seqlabel decode "$exp/$1/$2" "$data/test.jsonl" --out "$folder/greedy.jsonl"
    seqlabel decode "$exp/$1/$2" "$data/test.jsonl" --beam 20 --out "$folder/beam.jsonl"
    seqlabel score "$data/test.jsonl" "$folder/greedy.jsonl" "$folder/beam.jsonl" \
        --protocol "$protocol" --out "$folder"
}

criteria=(ctc transducer pretrained_transducer expected_error)
if grep -q '"segments"' "$data/train.jsonl"; then
    criteria+=(framewise)
fi
for seed in $(seq "$seeds"); do
    train ctc_start "$seed"
    for name in "${criteria[@]}"; do
        case $name in
        pretrained_transducer | expected_error) train "$name" "$seed" ctc_start ;;
        *) train "$name" "$seed" ;;
        esac
        judge "$name" "$seed"
    done
done
python "$recipe/../table.py" "$exp"
