# Sourced by every recipe's run.sh: options, stages, and the lines they print.
#
#   --stage N        first stage to run (default 0)      --corpus DIR   the corpus on disk
#   --stop-stage M   last stage to run (default 5)       --exp DIR      where everything is written
#   --set KEY=VALUE  override the configuration          --config FILE  another configuration
#   --processes N    train on N processes of this machine, one for each GPU or core (default 1)
#
# Stages: 0 data, 1 features, 2 language model, 3 train, 4 decode, 5 score. Each can be repeated;
# a stage that finds its result does nothing, except decoding and scoring, which are quick.
# The recipes do not set -u: bash 3.2, which macOS has, takes an empty array for an unset variable.

recipe=$(CDPATH= cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
root=$(CDPATH= cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ -d "$root/.venv/bin" ] && export PATH="$root/.venv/bin:$PATH"

stage=0
stop_stage=5
corpus=
exp=
config=
processes=1
overrides=()

usage() {
    echo "usage: $0 ${usage_corpus---corpus DIR} [--exp DIR] [--stage N] [--stop-stage M]" \
        "[--config FILE] [--processes N] [--set KEY=VALUE]..."
}

while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --stage | --stop-stage | --corpus | --exp | --config | --processes | --set)
        if [ $# -lt 2 ]; then
            echo "$0: $1 needs a value" >&2
            exit 2
        fi
        case $1 in
        --stage) stage=$2 ;;
        --stop-stage) stop_stage=$2 ;;
        --corpus) corpus=$2 ;;
        --exp) exp=$2 ;;
        --config) config=$2 ;;
        --processes) processes=$2 ;;
        --set) overrides+=(--set "$2") ;;
        esac
        shift 2
        ;;
    *)
        echo "$0: unknown option $1" >&2
        usage >&2
        exit 2
        ;;
    esac
done

for number in "$stage" "$stop_stage"; do
    case $number in
    [0-5]) ;;
    *)
        echo "$0: stages are 0 to 5, not $number" >&2
        exit 2
        ;;
    esac
done

if [ "$stage" -gt "$stop_stage" ]; then
    echo "$0: --stage $stage --stop-stage $stop_stage: the first comes after the last" >&2
    exit 2
fi

if [[ ! $processes =~ ^[1-9][0-9]*$ ]]; then
    echo "$0: --processes $processes: a number from 1 on is expected" >&2
    exit 2
fi

if ! command -v seqlabel >/dev/null; then
    echo "$0: seqlabel is not installed; run scripts/quickstart.sh once, or pip install seqlabel" >&2
    exit 2
fi

exp=${exp:-$root/exp/$(basename "$recipe")}

# stage_is N TITLE: whether stage N is to be run; says so.
stage_is() {
    [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ] || return 1
    echo "stage $1: $2"
}

# need_corpus: ends the recipe where the corpus folder is missing.
need_corpus() {
    if [ -z "$corpus" ] || [ ! -d "$corpus" ]; then
        echo "$0: ${corpus:-(no corpus)}: no such folder; name the corpus with --corpus DIR" >&2
        exit 2
    fi
}

# run_stages: all stages of a recipe, which defines
#   prepare          a function that makes $exp/data from $corpus
#   lm_order         order of the n-gram over labels, estimated from the training transcripts;
#                    empty for none
#   beam             options of the beam search (an array); the n-gram is $exp/lm.arpa. Empty for
#                    none
#   protocol         options of seqlabel score (an array)
#   sets             sets to decode and score, the one to report last (default: test)
# and may define
#   decode_more      a function called with set and folder that writes further hypotheses
#   judge            a function called at the end that scores what is no label error, in place of
#                    the table of the sets
#   reading          name of the first hypotheses (default: greedy)
run_stages() {
    local data=$exp/data model=$exp/model launch=() set hypotheses extra
    local first=${reading:-greedy}
    [ "$processes" -eq 1 ] ||
        launch=(torchrun --standalone --nproc-per-node "$processes" --no-python)
    mkdir -p "$exp"
    if stage_is 0 "data -> $data"; then
        prepare
    fi
    if stage_is 1 "features -> $data/features"; then
        seqlabel features "$config" --data "$data" "${overrides[@]}"
    fi
    if [ -n "$lm_order" ] && stage_is 2 "language model of order $lm_order -> $exp/lm.arpa"; then
        [ "$exp/lm.arpa" -nt "$data/train.jsonl" ] ||
            seqlabel lm "$data/train.jsonl" --order "$lm_order" --out "$exp/lm.arpa"
    fi
    if stage_is 3 "train -> $model"; then
        "${launch[@]}" seqlabel train "$config" --data "$data" --out "$model" --resume \
            "${overrides[@]}"
    fi
    if stage_is 4 "decode -> $exp/decode"; then
        for set in "${sets[@]:-test}"; do
            seqlabel decode "$model" "$data/$set.jsonl" --evidence 60 \
                --out "$exp/decode/$set/$first.jsonl"
            [ "${#beam[@]}" -eq 0 ] ||
                seqlabel decode "$model" "$data/$set.jsonl" --evidence 60 \
                    --out "$exp/decode/$set/beam.jsonl" "${beam[@]}"
            if declare -F decode_more >/dev/null; then
                decode_more "$set" "$exp/decode/$set"
            fi
        done
    fi
    if stage_is 5 "score -> $exp/report"; then
        for set in "${sets[@]:-test}"; do
            hypotheses=("$exp/decode/$set/$first.jsonl")
            [ "${#beam[@]}" -eq 0 ] || hypotheses+=("$exp/decode/$set/beam.jsonl")
            for extra in "$exp/decode/$set"/*.jsonl; do
                case $extra in
                */"$first".jsonl | */beam.jsonl) ;;
                *) hypotheses+=("$extra") ;;
                esac
            done
            seqlabel score "$data/$set.jsonl" "${hypotheses[@]}" "${protocol[@]}" \
                --out "$exp/report/$set"
        done
        if declare -F judge >/dev/null; then
            judge
        elif [ "${#sets[@]}" -gt 1 ]; then
            python "$root/recipes/table.py" "$exp/report" --sets "${sets[@]}"
        fi
    fi
}
