#!/usr/bin/env bash
# A peephole convolutional LSTM on videos: predicts a square and digits, labels hand gestures.
#
#   recipes/video/run.sh [square|digits|gestures]... [--exp DIR] [--minutes M] [--seed N]
#
# M minutes of processor time for each network (default: 1 for the square, 3 for the others).
set -eo pipefail
recipe=$(CDPATH= cd "$(dirname "$0")" && pwd)
root=$(CDPATH= cd "$recipe/../.." && pwd)
[ -d "$root/.venv/bin" ] && export PATH="$root/.venv/bin:$PATH"
export OMP_NUM_THREADS=1

usage="usage: $0 [square|digits|gestures]... [--exp DIR] [--minutes M] [--seed N]"
exp=$root/exp/video
seed=0
experiments=()
options=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    square | digits | gestures)
        experiments+=("$1")
        shift
        ;;
    --exp)
        exp=${2:?--exp wants a folder}
        shift 2
        ;;
    --seed)
        seed=${2:?--seed wants a number}
        shift 2
        ;;
    --minutes)
        options+=("$1" "${2:?$1 wants a number}")
        shift 2
        ;;
    *)
        echo "$0: unknown option $1; $usage" >&2
        exit 2
        ;;
    esac
done
mkdir -p "$exp"
options+=(--seed "$seed")

# wants NAME: whether an experiment was requested; without names, all are.
wants() {
    [ ${#experiments[@]} -eq 0 ] || [[ " ${experiments[*]} " == *" $1 "* ]]
}

if wants square; then
    for setting in "12 0" "12 10" "12 50" "12 200" "24 50"; do
        read -r field videos <<<"$setting"
        for network in "convlstm 8" "lstm 128"; do
            read -r network cells <<<"$network"
            python "$recipe/square.py" --field $field --videos $videos --network $network \
                --cells $cells --json "$exp/square-$field-$videos-$network-$seed.json" "${options[@]}"
        done
    done
fi
if wants digits; then
    for network in convlstm lstm; do
        python "$recipe/digits.py" --network $network --size 32 \
            --json "$exp/digits-$network-$seed.json" "${options[@]}"
    done
fi
if wants gestures; then
    for encoder in convlstm frames; do
        python "$recipe/gestures.py" --data "$exp/gestures" --encoder $encoder \
            --json "$exp/gestures-$encoder-$seed.json" "${options[@]}"
    done
fi
