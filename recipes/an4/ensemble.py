"""Several CTC models read a set together, as an upper bound of what one of them can do.

    python recipes/an4/ensemble.py DATA.jsonl EXP EXP... --out HYP.jsonl --beam 50 [...]

Every model's beam search proposes its N best labellings l of an utterance x; the one that is
chosen has the largest

    1/M Σ_m ln p_m(l | x) + terms of the language model

with all paths of l summed. Models place their labels in different frames, so that the mean of their
probabilities at each frame would blur them. The options of the decoder are those of
`seqlabel decode`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

import seqlabel
from seqlabel.alphabet import Alphabet
from seqlabel.cli.decoders import add_decoder_arguments, make_decoder
from seqlabel.cli.failures import run_command
from seqlabel.corpora.manifest import read_manifest
from seqlabel.data.tensors import pad_targets
from seqlabel.decoding import Result
from seqlabel.errors import InputError
from seqlabel.files import write_jsonl
from seqlabel.models.ctc import ctc_loss
from seqlabel.recognizer import Recognizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA", help="manifest, such as data/test.jsonl")
    parser.add_argument("models", type=Path, nargs="+", metavar="EXP", help="model directories")
    parser.add_argument("--out", type=Path, required=True, metavar="HYP", help="JSON-lines file")
    parser.add_argument("--n-best", type=int, default=20, help="labellings of each model (20)")
    add_decoder_arguments(parser)
    options = parser.parse_args()
    if options.beam is None or options.n_best < 1:
        raise InputError("labellings are proposed by a beam search: give --beam 50, --n-best 1 ...")
    models = [seqlabel.load(path) for path in options.models]
    check_models(models, options.models)
    utterances = read_manifest(options.data)
    found = []
    for model in models:
        model.decoder, description = make_decoder(options, model)
        outputs = [output for _, output in model.outputs(utterances)]
        results = model.decode(outputs, options.n_best)
        found.append(list(zip(outputs, results, strict=True)))
    rows = []
    for utterance, of_models in zip(utterances, zip(*found, strict=True), strict=True):
        frames = [torch.from_numpy(output.log_probs) for output, _ in of_models]
        best = choose([result for _, result in of_models], frames, models[0].alphabet)
        rows.append({"id": utterance.id, **best.to_json()})
    header = {
        "decoder": f"{description}, {len(models)} models",
        "model": ", ".join(map(str, options.models)),
        "data": str(options.data),
        "unit": models[0].alphabet.unit,
    }
    write_jsonl(options.out, [header, *rows])


def check_models(models: Sequence[Recognizer], paths: Sequence[Path]) -> None:
    """Raise InputError for models that cannot choose together with the first one."""
    for model, path in zip(models, paths, strict=True):
        if model.values is not None or not model.network.per_label or model.alphabet.levels:
            raise InputError(f"{path}: gives no probabilities of labels at each frame; take CTC")
        if model.alphabet != models[0].alphabet:
            raise InputError(f"{path}: has other labels than {paths[0]}; train on the same data")


def choose(results: Sequence[Result], frames: Sequence[torch.Tensor], alphabet: Alphabet) -> Result:
    """The best of what M models propose for an utterance, with `log_prob` of all of them.

    results: of each model, with their alternatives. frames: (T, K) log-probabilities of each.
    """
    proposed = [(m, r) for m, best in enumerate(results) for r in (best, *best.alternatives)]
    labels, sizes = pad_targets([alphabet.encode(r.labels, "") for _, r in proposed])
    log_probs = []
    for x in frames:
        length = torch.full((len(proposed),), len(x))
        log_probs.append(-ctc_loss(x.expand(len(proposed), -1, -1), length, labels, sizes))
    each = torch.stack(log_probs).double()
    totals = each.mean(dim=0)
    for n, (m, result) in enumerate(proposed):
        totals[n] += result.log_prob - each[m, n]  # what the language model adds
    winner = int(totals.argmax())
    chosen = proposed[winner][1]
    return Result(chosen.labels, float(totals[winner]), text=chosen.text)


if __name__ == "__main__":
    sys.exit(run_command("ensemble.py", main))
