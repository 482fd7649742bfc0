"""Calibration of confidences of labels and words on a decoded set.

    python scripts/bench_confidence.py EXP DATA.jsonl --json confidence.json

Decodes DATA with a beam search and no language model and compares each measure of confidence with
the transcript: the posterior peak that decoders give, the posterior of a label given the others
(forward-backward), and the share of the n-best list. A label or word is right if an alignment
with minimum edits pairs it with an equal one. "auc" is the probability that a right answer has a
higher confidence than a wrong one.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

import seqlabel
from seqlabel.corpora.manifest import read_manifest
from seqlabel.decoding import BeamDecoder
from seqlabel.decoding.alignment import word_spans
from seqlabel.decoding.confidence import (
    calibration,
    result_confidences,
    with_label_confidences,
)
from seqlabel.files import write_json

N_BEST = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="EXP")
    parser.add_argument("data", metavar="DATA")
    parser.add_argument("--beam", type=int, default=50)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="only 20 utterances")
    args = parser.parse_args()
    model, utterances = seqlabel.load(args.model), read_manifest(args.data)
    utterances = utterances[: 20 if args.quick else None]
    decoder = BeamDecoder(model.alphabet, beam=args.beam)
    answers: dict[tuple[str, str], tuple[list[float], list[bool]]] = {}

    def note(unit: str, measure: str, confidences: Sequence[float], right: list[bool]) -> None:
        confident, correct = answers.setdefault((unit, measure), ([], []))
        confident.extend(confidences)
        correct.extend(right)

    for utterance, output in model.outputs(utterances):
        log_probs = output.log_probs
        result = decoder.decode(log_probs[None], np.array([len(log_probs)]), N_BEST)[0]
        sure = with_label_confidences(result, log_probs, model.alphabet, utterance.id)
        right = correct(result.labels, utterance.labels)
        note("label", "peak", [span.probability for span in result.spans], right)
        note("label", "posterior", [span.probability for span in sure.spans], right)
        note("label", "n-best", result_confidences(result), right)
        if " " in model.alphabet:
            right = correct(result.text.split(), utterance.text.split())
            note("word", "peak", [w.probability for w in word_spans(result.spans)], right)
            note("word", "posterior", [w.probability for w in word_spans(sure.spans)], right)
            note("word", "n-best", result_confidences(result, words=True), right)

    rows = []
    print("unit   measure    answers  accuracy  confidence     ECE   Brier    auc")
    for (unit, measure), (confident, right) in answers.items():
        found = calibration(confident, right)
        row = {
            "unit": unit,
            "measure": measure,
            "answers": len(right),
            "accuracy": found.accuracy,
            "confidence": found.confidence,
            "expected_calibration_error": found.expected_error,
            "brier": found.brier,
            "auc": auc(confident, right),
            "bins": [vars(b) for b in found.bins],
        }
        rows.append(row)
        print(
            f"{unit:<6} {measure:<10} {row['answers']:>7} {row['accuracy']:>9.4f} "
            f"{row['confidence']:>11.4f} {row['expected_calibration_error']:>7.4f} "
            f"{row['brier']:>7.4f} {row['auc']:>6.3f}"
        )
    if args.json:
        facts = {"model": args.model, "data": args.data, "beam": args.beam, "n_best": N_BEST}
        write_json(args.json, {**facts, "utterances": len(utterances), "measures": rows})


def correct(hypothesis: Sequence[str], reference: Sequence[str]) -> list[bool]:
    """For each element of the hypothesis whether the alignment pairs it with its equal."""
    right = [False] * len(hypothesis)
    for block in Levenshtein.opcodes(list(hypothesis), list(reference)):
        if block.tag == "equal":
            right[block.src_start : block.src_end] = [True] * (block.src_end - block.src_start)
    return right


def auc(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Area under the ROC curve, ties counted half; 0.5 if all answers are the same."""
    sure, correct = np.asarray(confidences), np.asarray(right)
    wrong = np.sort(sure[~correct])
    below = [np.searchsorted(wrong, sure[correct], side) for side in ("left", "right")]
    pairs = len(wrong) * int(correct.sum())
    return float(np.mean(below, axis=0).sum() / pairs) if pairs else 0.5


if __name__ == "__main__":
    main()
