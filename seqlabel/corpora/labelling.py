"""Transcripts as labels; subwords are determined from all texts together."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from seqlabel.alphabet import Alphabet
from seqlabel.alphabet.subwords import Kind, pieces_of, split_subwords, train_subwords
from seqlabel.alphabet.units import split_text
from seqlabel.corpora.manifest import Utterance
from seqlabel.errors import InputError
from seqlabel.inputs.reading import naming


def labels_of_text(text: str, unit: str, where: str) -> tuple[str, ...]:
    """The labels of a transcript; none for subwords, which are determined from all texts.

    Raises InputError that begins with `where` for LaTeX with unbalanced braces.
    """
    with naming(where):
        return () if unit == "subword" else split_text(text, unit)


def with_subwords(
    splits: Mapping[str, Sequence[Utterance]],
    size: int,
    kind: Kind = "unigram",
    model: str | os.PathLike[str] = "",
) -> tuple[dict[str, list[Utterance]], Alphabet]:
    """The sets with their texts cut into pieces, and the alphabet of the pieces with its model.

    size, kind: of the model that is trained on the texts of the training set. model: the file of a
    trained SentencePiece model to be used instead. Raises InputError for utterances without text,
    and for a model that cannot represent a training text.
    """
    for utterances in splits.values():
        for utterance in utterances:
            if utterance.text is None:
                raise InputError(
                    f"{utterance.id}: no text, which subwords need; leave the utterance out"
                )
    if model:
        with naming(model):
            trained = _read(Path(model))
            pieces = pieces_of(trained)
    else:
        trained = train_subwords([u.text or "" for u in splits.get("train", ())], size, kind)
        pieces = pieces_of(trained)
    alphabet = Alphabet(pieces, unit="subword", model=trained)
    labelled = {
        name: [_labelled(utterance, trained) for utterance in utterances]
        for name, utterances in splits.items()
    }
    for utterance in labelled.get("train", ()):
        unknown = [label for label in utterance.labels if label not in alphabet]
        if unknown:
            raise InputError(
                f"{model or 'subwords'}: the SentencePiece model has no piece for {unknown[0]!r} "
                f"of utterance {utterance.id}; use a model of this language, or none (one is "
                "trained then)"
            )
    return labelled, alphabet


def _labelled(utterance: Utterance, model: bytes) -> Utterance:
    with naming(utterance.id):
        return dataclasses.replace(utterance, labels=split_subwords(utterance.text or "", model))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError("no such file") from None
    except IsADirectoryError:
        raise InputError("is a folder; name a SentencePiece model") from None
