"""seqlabel show: pictures of signals, as captured and as the network receives them."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqlabel.corpora.manifest import Utterance

HELP = "draw ink with each step of normalisation, speech with its labels, or images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "source",
        metavar="FILE|DATA",
        type=Path,
        help="ink, audio, image or series file, manifest, or prepared folder",
    )
    parser.add_argument(
        "--out", type=Path, metavar="PICTURE", help=".svg or .png (default: named after FILE|DATA)"
    )
    parser.add_argument("--id", action="append", metavar="ID", help="utterances of DATA to draw")
    parser.add_argument(
        "--count", type=int, default=3, help="number of utterances of DATA (default 3)"
    )
    parser.add_argument("--config", metavar="FILE", help="training configuration with the features")
    parser.add_argument(
        "--features", metavar="KIND", help="features (default fbank, ink_25 or image)"
    )


def main(args: argparse.Namespace) -> None:
    """Draw, write one picture, and print its path."""
    from seqlabel.config import load_toml
    from seqlabel.data.signals import plain_features, read_signal
    from seqlabel.errors import InputError, one_line
    from seqlabel.features.front_end import at_corpus_rate, make_extractor
    from seqlabel.files import keep_apart, whole_file
    from seqlabel.inputs import Image, Ink, Series
    from seqlabel.inputs.reading import naming
    from seqlabel.report.pictures.canvas import Canvas
    from seqlabel.report.pictures.signals import WIDTH, draw, draw_title

    if args.count < 1:
        raise InputError(f"--count {args.count}: at least 1 is expected")
    stem = args.source.resolve().stem
    if args.source.suffix.lower() == ".svg":
        stem += "-shown"  # beside the drawing itself
    out = args.out or Path(f"{stem}.svg")
    keep_apart(out, args.source)
    if out.suffix not in (".svg", ".png"):
        raise InputError(f"--out {out}: the name must end in .svg or .png")
    table = load_toml(args.config).get("features", {}) if args.config else {}
    table = {"kind": args.features} if args.features else table
    canvas = Canvas(WIDTH)
    corpus = args.source if args.source.is_dir() else args.source.parent
    extractors: dict[str, Any] = {}
    for utterance in _utterances(args):
        if utterance.kind not in extractors:
            own = {"kind": "ink_25"} if utterance.kind == "ink" else plain_features(utterance)
            extractors[utterance.kind] = make_extractor(at_corpus_rate(table or own, corpus))
        extractor = extractors[utterance.kind]
        signal = read_signal(utterance, extractor)
        if isinstance(signal, Image):
            size = f"{signal.width} x {signal.height} pixels"
        elif isinstance(signal, Series):
            size = f"{len(signal)} rows of {signal.size} values"
        else:
            size = f"{signal.duration:.2f} s"
        if isinstance(signal, Ink):
            time = size if signal.timed else "untimed"
            size = f"{len(signal.strokes)} strokes, {len(signal)} points, {time}"
        title = f"{utterance.id}  {utterance.text or ' '.join(utterance.labels)}"
        draw_title(canvas, one_line(title.rstrip()), size)
        with naming(utterance.source):
            draw(canvas, signal, extractor, utterance.segments, utterance.words)
    if out.suffix == ".svg":
        with whole_file(out) as stream:
            stream.write(canvas.to_svg())
    else:
        with whole_file(out, "wb") as stream:
            stream.write(canvas.to_png())
    print(out)


def _utterances(args: argparse.Namespace) -> Iterator["Utterance"]:
    """The utterances that the arguments name."""
    from seqlabel.corpora.manifest import read_manifest
    from seqlabel.data.checking import read_sets
    from seqlabel.errors import InputError

    if args.source.is_dir():
        _, splits = read_sets(args.source)
        utterances = [u for split in splits.values() for u in split]
    elif args.source.suffix == ".jsonl":
        utterances = read_manifest(args.source)
    elif args.id:
        raise InputError(f"{args.source}: --id needs prepared data")
    else:
        yield _utterance_of(args.source)
        return
    chosen = [u for u in utterances if u.id in args.id] if args.id else utterances[: args.count]
    missing = set(args.id or ()) - {u.id for u in chosen}
    if missing or not chosen:
        raise InputError(f"{args.source}: no utterance {', '.join(sorted(missing)) or 'at all'}")
    yield from chosen


def _utterance_of(path: Path) -> "Utterance":
    """A single file, with TIMIT's label files if they are beside it."""
    from seqlabel.corpora.manifest import Utterance
    from seqlabel.corpora.own_data import kind_of
    from seqlabel.corpora.timit_labels import read_phones, read_words
    from seqlabel.inputs.audio import read_audio_header

    kind = kind_of(path)
    if kind != "speech":
        return Utterance(path.name, path, kind or "ink", ())
    beside = {other.suffix.upper(): other for other in path.parent.glob(f"{path.stem}.*")}
    if ".PHN" not in beside:
        return Utterance(path.name, path, "speech", ())
    header = read_audio_header(path)
    extent = header.rate, header.frames
    phones = read_phones(beside[".PHN"], *extent)
    words = read_words(beside[".WRD"], *extent) if ".WRD" in beside else ()
    text = " ".join(word.label for word in words)
    return Utterance(path.name, path, "speech", (), text, segments=phones, words=words)
