#!/usr/bin/env bash
# Framewise labelling, prediction and CTC on generated data: recipes/tasks/run.sh TASK
#
#   TASK            activity, anomaly, music, process, protein, signs or traffic
#   --file FILE     your own data, for tasks that accept them (see README.md)
#   --scale S       share of the synthetic sequences (default 1)
set -eo pipefail
task=
making=()
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    activity | anomaly | music | process | protein | signs | traffic)
        if [ -n "$task" ]; then
            echo "$0: $task $1: one task at a time" >&2
            exit 2
        fi
        task=$1
        ;;
    --file | --scale)
        making+=("$1" "${2:?$1 needs a value}")
        shift
        ;;
    *) arguments+=("$1") ;;
    esac
    shift
done
set -- "${arguments[@]}"
usage_corpus='TASK [--file FILE] [--scale S]'
source "$(dirname "$0")/../stages.sh"
if [ -z "$task" ]; then
    usage >&2
    exit 2
fi
[ "$exp" != "$root/exp/tasks" ] || exp=$root/exp/tasks_$task
config=${config:-$recipe/conf/$task.toml}
corpus=${corpus:-$exp/corpus}
lm_order=
beam=()
protocol=()
sets=(dev test)
unit=symbol
reading=greedy
case $task in
anomaly | music | traffic) reading=values ;;
signs) unit=word ;;
esac

# The rows of a user's data may have another size.
fit() {
    if [ -f "$corpus/size" ]; then
        overrides+=(--set "features.size=$(cat "$corpus/size")")
        if [ $task = traffic ]; then
            overrides+=(--set "criterion.size=$(($(cat "$corpus/size") - 4))")
        fi
    fi
}

prepare() {
    python "$recipe/$task.py" make "$corpus" "${making[@]}"
    seqlabel prepare manifest "$corpus" "$exp/data" --set "unit=$unit"
    fit
}

judge() {
    python "$recipe/$task.py" judge "$exp/data" "$exp/decode" --out "$exp/report/$task.json"
}

[ "$stage" -eq 0 ] || fit
run_stages
