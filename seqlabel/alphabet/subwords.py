"""Subwords: pieces of words by SentencePiece (Kudo & Richardson 2018).

A piece that begins a word begins with `▁`. Text is not normalised, so that its pieces
join to the same text. Training and cutting need the extra `seqlabel[subword]`; joining pieces,
which is enough for decoding, does not.
"""

import io
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal

from seqlabel.errors import InputError

MARK = "▁"
"""The space before a word."""

Kind = Literal["unigram", "bpe"]


def train_subwords(texts: Iterable[str], size: int, kind: Kind = "unigram") -> bytes:
    """A SentencePiece model of at most `size` pieces, as the bytes of its `.model` file.

    Every character of the texts is a piece or part of one. A unigram model of little text has fewer
    pieces than requested. Raises InputError for no text and a size that is too small for the
    characters, and where SentencePiece is not installed.
    """
    library = _library()
    lines = [text for text in texts if text]
    if not lines:
        raise InputError("subwords: no training text")
    stream = io.BytesIO()
    try:
        library.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=stream,
            vocab_size=size + 1,  # <unk>, which is no label, comes on top
            model_type=kind,
            character_coverage=1.0,
            normalization_rule_name="identity",
            hard_vocab_limit=False,
            max_sentence_length=max(len(line.encode()) for line in lines) + 1,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except (RuntimeError, OSError):
        characters = len({c for line in lines for c in line})
        raise InputError(
            f"subwords: SentencePiece cannot make a {kind} model of {size} pieces from texts of "
            f"{characters} characters, each of which is a piece; set a larger number of subwords"
        ) from None
    return stream.getvalue()


def pieces_of(model: bytes) -> tuple[str, ...]:
    """The text pieces of a model, in its order; InputError for bytes that are not a model."""
    processor = _processor(model)
    return tuple(
        processor.id_to_piece(k)
        for k in range(processor.get_piece_size())
        if not (processor.is_unknown(k) or processor.is_control(k) or processor.is_unused(k))
    )


def split_subwords(text: str, model: bytes) -> tuple[str, ...]:
    """The pieces of a text; characters that the model lacks are pieces of their own.

    Raises InputError for text that pieces cannot represent (double spaces, a `▁`).
    """
    pieces = tuple(_processor(model).encode(text, out_type=str))
    if join_subwords(pieces) != text:
        raise InputError(
            f"subwords: {text[:60]!r} cannot be represented by pieces; it has {MARK!r} "
            "or double spaces"
        )
    return pieces


def join_subwords(pieces: Iterable[str]) -> str:
    """Pieces as running text."""
    return "".join(pieces).replace(MARK, " ").removeprefix(" ")


@lru_cache(maxsize=8)
def _processor(model: bytes) -> Any:
    library = _library()
    if not model:
        raise InputError("subwords: the alphabet has no SentencePiece model to cut text with")
    processor = library.SentencePieceProcessor()
    try:
        if not processor.load_from_serialized_proto(model):
            raise RuntimeError
    except RuntimeError:
        raise InputError("subwords: these bytes are not a SentencePiece model") from None
    return processor


def _library() -> Any:
    try:
        import sentencepiece
    except ImportError:
        raise InputError("subwords need SentencePiece; pip install seqlabel[subword]") from None
    return sentencepiece
