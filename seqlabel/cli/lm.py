"""`seqlabel lm DATA --out LM.arpa`: estimate an n-gram language model from transcripts."""

import argparse
import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqlabel.alphabet import Alphabet
    from seqlabel.corpora.manifest import Utterance

HELP = "estimate an n-gram language model from transcripts"

SPECIAL = frozenset({"<s>", "</s>", "<unk>"})
"""Symbols that the model adds itself."""

LEXICON_SIZE = 20000

Sentences = list[tuple[str, ...]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.description = (
        "Estimate an n-gram language model (interpolated modified Kneser-Ney) and write it as "
        "ARPA. DATA is a prepared folder (its train.jsonl), a manifest, or text with one sentence "
        "per line."
    )
    parser.add_argument(
        "data", metavar="DATA", type=Path, nargs="+", help="data to count; several are joined"
    )
    parser.add_argument("--out", metavar="LM.arpa", type=Path, required=True, help="file, or .gz")
    parser.add_argument("--order", metavar="N", type=int, default=3, help="order (default 3)")
    parser.add_argument(
        "--unit",
        choices=["labels", "words"],
        default="labels",
        help="count labels of the alphabet (default) or words of the text",
    )
    parser.add_argument(
        "--alphabet",
        metavar="FILE",
        type=Path,
        help="alphabet.json; all its labels get a probability (default: that beside DATA)",
    )
    parser.add_argument(
        "--lexicon",
        metavar="FILE",
        type=Path,
        help="with --unit words: write the words, the most frequent first, one per line",
    )
    parser.add_argument(
        "--lexicon-size", metavar="N", type=int, help=f"maximum number of words ({LEXICON_SIZE})"
    )
    parser.add_argument(
        "--test", metavar="DATA", type=Path, help="print the perplexity of these transcripts"
    )


def main(args: argparse.Namespace) -> None:
    """Estimate, write, and print the size in one line; with --test the perplexity in another."""
    from seqlabel.alphabet import Alphabet
    from seqlabel.decoding.lm.ngram import NgramLM
    from seqlabel.errors import InputError
    from seqlabel.files import keep_apart, whole_file

    path, alphabet = args.alphabet, None
    size = LEXICON_SIZE if args.lexicon_size is None else args.lexicon_size
    if args.lexicon is not None and (args.unit != "words" or size < 1):
        raise InputError("--lexicon needs --unit words and a --lexicon-size of at least 1")
    if args.lexicon is None and args.lexicon_size is not None:
        raise InputError("--lexicon-size needs --lexicon FILE")
    if path and args.unit == "words":
        raise InputError("--alphabet is for --unit labels: leave it out")
    first = args.data[0]
    beside = (first if first.is_dir() else first.parent) / "alphabet.json"
    inputs = [_transcripts_of(data, "train") for data in args.data]
    inputs += [] if args.test is None else [_transcripts_of(args.test, "test")]
    inputs += [path or beside] if args.unit == "labels" else []
    for out in filter(None, (args.out, args.lexicon)):
        keep_apart(out, *inputs)
    if args.lexicon is not None and args.lexicon.resolve() == args.out.resolve():
        raise InputError(f"--lexicon {args.lexicon}: is also --out; choose another name")
    if args.unit == "labels" and (path or beside.is_file()):
        alphabet = Alphabet.load(path or beside)
    sentences = [
        sentence
        for data in args.data
        for sentence in read_sentences(data, "train", args.unit, alphabet)
    ]
    vocabulary = None if alphabet is None else alphabet.symbols
    lm = NgramLM.train(sentences, args.order, vocabulary)
    lm.to_arpa(args.out)
    if args.lexicon is not None:
        counts = Counter(word for sentence in sentences for word in sentence)
        words = [word for word, _ in counts.most_common(size)]
        with whole_file(args.lexicon) as stream:
            stream.write("".join(f"{word}\n" for word in words))
    sizes = ", ".join(f"{len(n.tokens)} {k}-grams" for k, n in enumerate(lm.ngrams(), 1))
    print(f"{args.out}: {sizes} from {len(sentences)} sentences")
    if args.lexicon is not None:
        print(f"{args.lexicon}: {len(words)} of {len(counts)} words")
    if args.test is not None:
        fit = lm.fit(read_sentences(args.test, "test", args.unit, alphabet, unseen=True))
        known = ""
        if fit.unknown:
            known = f"; {fit.perplexity_known:.2f} without {fit.unknown} unknown ones"
        print(
            f"{args.test}: perplexity {fit.perplexity:.2f} over {fit.tokens} tokens of "
            f"{fit.sentences} sentences, ends included{known}"
        )


def read_sentences(
    path: Path, name: str, unit: str, alphabet: "Alphabet | None" = None, unseen: bool = False
) -> Sentences:
    """The transcripts of a manifest, of set `name` of a prepared folder, or of a text file.

    unit: "words" takes the text of a manifest, "labels" its labels. Utterances whose text, or whose
    labels, are not known are left out, counted and named. A line of a text file is split by the
    alphabet (into characters or at white space), without one at white space.
    Raises InputError for a file without sentences, and unless `unseen` allows it for a label that
    the alphabet lacks.
    """
    from seqlabel.corpora.manifest import read_manifest
    from seqlabel.errors import InputError
    from seqlabel.files import read_text
    from seqlabel.inputs.reading import naming

    path = _transcripts_of(path, name)
    if path.suffix == ".jsonl":
        utterances = read_manifest(path)
        if unit == "labels":
            unknown = [u for u in utterances if not u.labels_known]
            sentences = [u.labels for u in utterances if u.labels_known]
            if utterances and not sentences:
                raise InputError(f"{path}: the utterances have no labels; add their transcripts")
        else:
            unknown = [u for u in utterances if u.text is None]
            sentences = [tuple(u.text.split()) for u in utterances if u.text is not None]
            if utterances and not any(sentences):
                raise InputError(f"{path}: the utterances have no text; use --unit labels")
        if unknown:
            _name_unknown(path, unknown, len(utterances), unit)
    else:
        lines = [line.strip() for line in read_text(path).split("\n") if line.strip()]
        with naming(path):
            sentences = [
                tuple(line.split()) if alphabet is None else alphabet.split(line) for line in lines
            ]
    if not sentences:
        raise InputError(f"{path}: no sentences")
    for number, sentence in enumerate(sentences, 1):
        if alphabet is not None and not unseen:
            alphabet.encode(sentence, f"{path}, sentence {number}")
        if not SPECIAL.isdisjoint(sentence):
            raise InputError(
                f"{path}, sentence {number}: has <s>, </s> or <unk>, which are added; remove it"
            )
    return sentences


def _name_unknown(path: Path, unknown: "list[Utterance]", total: int, unit: str) -> None:
    """Warn of the utterances whose transcript is not known."""
    from seqlabel.errors import some_of

    shown = some_of([utterance.id for utterance in unknown])
    logging.getLogger("seqlabel").warning(
        "%s: %d of %d utterances left out, their %s unknown: %s",
        path, len(unknown), total, "labels are" if unit == "labels" else "text is", shown,
    )  # fmt: skip


def _transcripts_of(path: Path, name: str) -> Path:
    """The manifest of a set of a prepared folder, or the given file."""
    return path / f"{name}.jsonl" if path.is_dir() else path
