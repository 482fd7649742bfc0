#!/usr/bin/env bash
# Offline handwriting: images of lines into text, by layers over pixels (MDLSTM) or by convolutions
# and a BLSTM. Needs no corpus: it makes its own, the same one every time.
#
#   (default)       strings of the real digits that come with scikit-learn
#   --writers       synthetic lines by unseen writers, in the layout of IAM
#   --iam           the IAM handwriting database itself, given with --corpus
#   --crohme        CROHME's formulas on one line, given with --corpus as InkML, drawn as images
#   --conv          the convolutional encoder in place of the MDLSTM
set -eo pipefail
kind=digits
encoder=
arguments=()
for argument in "$@"; do
    case $argument in
    --writers) kind=writers ;;
    --iam) kind=iam ;;
    --crohme) kind=crohme ;;
    --conv) encoder=_conv ;;
    *) arguments+=("$argument") ;;
    esac
done
set -- "${arguments[@]}"
usage_corpus='[--writers | --iam --corpus DIR | --crohme --corpus DIR] [--conv]'
source "$(dirname "$0")/../stages.sh"
configured=$kind
[ $kind != iam ] || configured=writers
config=${config:-$recipe/conf/$configured$encoder.toml}
[ "$exp" != "$root/exp/offline" ] || exp=$root/exp/offline_$kind$encoder
lm_order=3
beam=(--beam 25 --lm "$exp/lm.arpa" --lm-weight 0.2)
protocol=()

prepare() {
    case $kind in
    digits)
        corpus=${corpus:-$exp/corpus}
        python "$recipe/digits.py" "$corpus" --seed 1
        seqlabel prepare folder "$corpus" "$exp/data" --set kind=image
        ;;
    writers)
        corpus=${corpus:-$exp/corpus}
        seqlabel synth image "$corpus" --lines 2400 --test-lines 400 --writers 120 --seed 1
        seqlabel prepare iam "$corpus" "$exp/data"
        ;;
    iam)
        need_corpus
        seqlabel prepare iam "$corpus" "$exp/data"
        ;;
    crohme)
        need_corpus
        seqlabel prepare crohme "$corpus" "$exp/ink" --set subset=linear
        python "$recipe/rendered.py" "$exp/ink" "$exp/images"
        seqlabel prepare manifest "$exp/images" "$exp/data" --set unit=symbol
        ;;
    esac
}

run_stages
