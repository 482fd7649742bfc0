#!/usr/bin/env bash
# Random search over the vanilla LSTM cell and eight variants (Greff et al. 2015).
#
#   recipes/odyssey/run.sh [--corpus NAME] [--source DIR] [--exp DIR] [--trials N] [--workers N]
#
#   --corpus NAME   speech or ink (synthetic, generated); timit, iam_ondb or an4 (needs --source DIR)
#   --trials N      trials of each of the nine variants (default 200)
#   --workers N     processes on this machine, one core each (default 1)
#   --seed N        seed of the search (default 1)
#   --best SHARE    share of the trials of a variant in the test of the best trials (default 0.1)
#   --set KEY=VALUE override the configuration that all trials share
#   --stage N, --stop-stage M   0 data, 1 search, 2 report (default all)
#
# The same command continues a stopped search. Stage 2 reports the trials finished so far.
# Under Slurm, after `run.sh ... --stop-stage 0`, start an array of any size; each task is a worker:
#   sbatch --array 0-15 --cpus-per-task 1 scripts/train_slurm.sh --run recipes/odyssey/run.sh ...
set -eo pipefail
recipe=$(CDPATH= cd "$(dirname "$0")" && pwd)
root=$(CDPATH= cd "$recipe/../.." && pwd)
[ -d "$root/.venv/bin" ] && export PATH="$root/.venv/bin:$PATH"
export OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1

corpus=speech
source=
exp=
trials=200
workers=1
seed=1
best=0.1
stage=0
stop_stage=2
overrides=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"
        exit 0
        ;;
    --corpus | --source | --exp | --trials | --workers | --seed | --best | --set | --stage | --stop-stage)
        if [ $# -lt 2 ]; then
            echo "$0: $1 needs a value" >&2
            exit 2
        fi
        case $1 in
        --set) overrides+=(--set "$2") ;;
        --stop-stage) stop_stage=$2 ;;
        *) declare "${1#--}=$2" ;;
        esac
        shift 2
        ;;
    *)
        echo "$0: unknown option $1; see --help" >&2
        exit 2
        ;;
    esac
done
for number in "$stage" "$stop_stage"; do
    if [[ ! $number =~ ^[0-2]$ ]]; then
        echo "$0: --stage $stage --stop-stage $stop_stage: stages are 0 to 2" >&2
        exit 2
    fi
done
if [ "$stage" -gt "$stop_stage" ]; then
    echo "$0: --stage $stage --stop-stage $stop_stage: the first comes after the last" >&2
    exit 2
fi
for number in "$trials" "$workers"; do
    if [[ ! $number =~ ^[1-9][0-9]*$ ]]; then
        echo "$0: --trials $trials --workers $workers: both must be at least 1" >&2
        exit 2
    fi
done
config=$recipe/conf/$corpus.toml
if [ ! -f "$config" ]; then
    echo "$0: --corpus $corpus: must be speech, ink, timit, iam_ondb or an4" >&2
    exit 2
fi
exp=${exp:-$root/exp/odyssey_$corpus}
data=$exp/data

prepare() {
    case $corpus in
    speech)
        seqlabel synth speech "$exp/corpus" --speakers 16 --sentences 8
        seqlabel prepare timit "$exp/corpus" "$data" --config "$exp/corpus/speakers.toml"
        ;;
    ink)
        seqlabel synth ink "$exp/corpus"
        seqlabel prepare iam_ondb "$exp/corpus" "$data"
        ;;
    timit | iam_ondb | an4)
        if [ ! -d "$source" ]; then
            echo "$0: ${source:-(no corpus)}: no such folder; name it with --source DIR" >&2
            exit 2
        fi
        local options=()
        [ "$corpus" != an4 ] || options=(--config "$root/recipes/an4/conf/data.toml")
        seqlabel prepare "$corpus" "$source" "$data" "${options[@]}"
        ;;
    esac
    seqlabel features "$config" --data "$data" "${overrides[@]}"
}

# work [--share I/N]: run a worker of the search in this process
work() {
    exec python "$recipe/search.py" --data "$data" --config "$config" --out "$exp" --trials "$trials" \
        --seed "$seed" "${overrides[@]}" "$@"
}

search() {
    local pids=() status=0
    for ((worker = 0; worker < workers; worker++)); do
        work &
        pids+=($!)
    done
    trap 'kill "${pids[@]}" 2>/dev/null' INT TERM
    for pid in "${pids[@]}"; do
        wait "$pid" || status=$?
    done
    trap - INT TERM
    return "$status"
}

if [ -n "$SLURM_ARRAY_TASK_ID" ]; then
    work --share "$SLURM_ARRAY_TASK_ID/$((SLURM_ARRAY_TASK_MAX + 1))"
fi
if [ "$stage" -le 0 ] && [ "$stop_stage" -ge 0 ]; then
    prepare
fi
if [ "$stage" -le 1 ] && [ "$stop_stage" -ge 1 ]; then
    search
fi
if [ "$stop_stage" -ge 2 ]; then
    python "$recipe/analyse.py" "$exp" --trials "$trials" --best "$best"
fi
