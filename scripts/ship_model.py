"""Adds a trained model to the package, with 8-bit weights and a model card.

    python scripts/ship_model.py EXP NAME --data exp/an4/data/test.jsonl --card card.toml

EXP is a model directory. It is copied to seqlabel/pretrained/NAME, without checkpoints, logs and
the machine's details in run.json. The error rates of the card are measured here, with 32-bit and
8-bit weights, for the test set as a whole (`seqlabel decode`, which knows the speakers) and for
each file read alone (`seqlabel read`). card.toml has the text:

    title, reads, data, licence, protocol, command, limits    entries of the card
    about                                                     description of the example
    example = "path"                                          a file to try the model on
    notice = "path"                                           licence text to copy
"""

import argparse
import datetime
import shutil
import tempfile
import tomllib
from pathlib import Path

from safetensors.numpy import load_file, save_file

import seqlabel
from seqlabel.corpora.manifest import read_manifest
from seqlabel.files import read_json, write_json
from seqlabel.pretrained import CARD, HERE
from seqlabel.quantisation import quantise
from seqlabel.scoring import score

KEPT = ("config.toml", "alphabet.json", "normalisation.safetensors", "metrics.json")

TEMPLATE = """# {title}

{reads}

    seqlabel read --model {name} FILE

`{example}` is {about}; the model reads it as `{read}`.

| | |
|---|---|
| Data | {data} |
| Licence | {licence} |
| Protocol | {protocol} |
| Trained with | `{command}` |
| Network | {network} |
| Size | {size} |
| Date | {date} |

| error rates on the test set, greedy | 32-bit weights | 8-bit weights (as here) |
|---|---|---|
{rates}

{limits}
"""


def rates(folder: Path, data: Path, alone: bool) -> dict[str, float]:
    """CER and WER of the greedy decoder, the utterances read together or each `alone`."""
    recognizer = seqlabel.load(folder)
    utterances = read_manifest(data)
    if alone:
        results = {u.id: recognizer.read(u.source) for u in utterances}
    else:
        pairs = list(recognizer.outputs(utterances))
        read = recognizer.decode([output for _, output in pairs])
        results = {u.id: result for (u, _), result in zip(pairs, read, strict=True)}
    labels = {key: result.labels for key, result in results.items()}
    references = {u.id: u.labels for u in utterances}
    words = [{k: "".join(v).split() for k, v in side.items()} for side in (references, labels)]
    return {"CER": score(references, labels).rate, "WER": score(*words).rate}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="EXP")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--data", type=Path, required=True, help="the test set's manifest")
    parser.add_argument("--card", type=Path, required=True, help="the text of the card, TOML")
    args = parser.parse_args()
    card = tomllib.loads(args.card.read_text("utf-8"))

    out = Path(tempfile.mkdtemp())
    for name in KEPT:
        if (args.model / name).exists():
            shutil.copy(args.model / name, out)
    save_file(quantise(load_file(args.model / "weights.safetensors")), out / "weights.safetensors")
    run = read_json(args.model / "run.json")
    keys = ("format", "seqlabel", "python", "packages", "weights", "seed")
    write_json(out / "run.json", {key: run[key] for key in keys if key in run})
    for key in ("notice", "example"):
        if key in card:
            source = args.card.parent / card[key]
            shutil.copy(source, out / ("LICENSE" if key == "notice" else f"example{source.suffix}"))

    measured = [
        (how, [rates(folder, args.data, alone) for folder in (args.model, out)])
        for how, alone in (("the set as a whole", False), ("each file alone", True))
    ]
    lines = [
        f"| {metric}, {how} | {100 * full[metric]:.2f} % | {100 * small[metric]:.2f} % |"
        for how, (full, small) in measured
        for metric in ("CER", "WER")
    ]
    model = seqlabel.load(out)
    (example,) = out.glob("example.*")
    options = model.network.model.encoder.options  # type: ignore[attr-defined]
    sides = "cells per direction" if options.bidirectional else "cells, one direction"
    size = (out / "weights.safetensors").stat().st_size
    text = TEMPLATE.format(
        name=args.name,
        network=f"{options.layers} × {options.hidden} {options.cell} {sides}, "
        f"{model.network.model.weight_count:,} weights",  # type: ignore[attr-defined]
        size=f"{size / 1e6:.1f} MB",
        example=example.name,
        read=model.read(example).text,
        date=datetime.date.today().isoformat(),
        rates="\n".join(lines),
        **{k: v for k, v in card.items() if k not in ("notice", "example")},
    )
    (out / CARD).write_text(text, encoding="utf-8")
    place = HERE / args.name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(out, place, copy_function=shutil.copyfile)
    place.chmod(0o755)
    shutil.rmtree(out)
    print(f"{place}\n{text}")


if __name__ == "__main__":
    main()
