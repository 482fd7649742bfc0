"""The scoring protocols: which labels or words of a transcript are counted, and how.

Error rates under different protocols are not comparable: with silence scored or optional the same
TIMIT systems differ by 1 to 2.5 points (Kaldi, commit bdd752b4b, 2014). A protocol turns a
transcript into the sequence of tokens that is aligned and counted; every report names it.

The errors are the Levenshtein distance, as editdistance, jiwer and SpeechBrain count them and as
Graves et al. (ICML 2006) define the label error rate. Only Kaldi's recipe for TIMIT scores with
sclite, whose costs can give more errors; the two protocols that follow it use these costs.
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from seqlabel.alphabet.phones import ANY_TO_39, PHONES_61
from seqlabel.alphabet.units import graphemes, split_text
from seqlabel.errors import InputError
from seqlabel.scoring.transcripts.transcript import Transcript, Transcripts


@dataclass(frozen=True)
class Protocol:
    """How a transcript becomes tokens.

    note: a description in one line.
    tokens: "labels" unchanged, or "characters", "graphemes" or "words" of the text.
    unit: of a token; "" for that of the data ("plain").
    fold: symbol -> class, None for symbols that are removed; it knows no others, see `keeping`.
    collapse: classes whose repetitions count once, in references and hypotheses.
    optional: classes that may be missing from a hypothesis at no cost.
    ignore_case, ignore_punctuation, ignore_spaces: for text (spaces: for characters only). Where
        punctuation is ignored, runs of white space count as one blank, and none at the ends.
    costs: of the alignment, "unit" (the errors are the Levenshtein distance) or "sclite"; see
        `seqlabel.scoring.alignment`.
    """

    name: str
    note: str
    tokens: Literal["labels", "characters", "graphemes", "words"] = "labels"
    unit: str = ""
    fold: Mapping[str, str | None] | None = None
    collapse: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    ignore_case: bool = False
    ignore_punctuation: bool = False
    ignore_spaces: bool = False
    costs: Literal["unit", "sclite"] = "unit"

    def __call__(self, transcript: Transcript, of_characters: bool) -> tuple[str, ...]:
        """The tokens of one transcript; KeyError for a symbol that `fold` lacks.

        of_characters: whether the transcript's labels are characters or graphemes, which join
        without gaps.
        """
        if self.tokens == "labels":
            labels = transcript.labels
            words = (transcript.text or "").split()
            return self._folded(tuple(words) if labels is None else labels)
        if of_characters and transcript.labels is not None:
            text = "".join(transcript.labels)
        else:
            known = transcript.text
            text = " ".join(transcript.labels or ()) if known is None else known
        text = unicodedata.normalize("NFC", text)
        if self.ignore_case:
            text = text.casefold()
        if self.ignore_punctuation:
            text = "".join(c for c in text if not unicodedata.category(c).startswith("P"))
            text = " ".join(text.split())
        if self.ignore_case or self.ignore_punctuation:
            text = unicodedata.normalize("NFC", text)  # both can leave text that is not composed
        if self.tokens == "words":
            return tuple(text.split())
        if self.ignore_spaces:
            text = "".join(text.split())
        split = graphemes(text) if self.tokens == "graphemes" else tuple(text)
        return tuple(" " if c.isspace() else c for c in split)

    def _folded(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        if self.fold is not None:
            # A list, because a tuple from a generator takes 1.5 times as long.
            folded = map(self.fold.__getitem__, labels)
            labels = tuple([label for label in folded if label is not None])
        if self.collapse:
            runs = ((label, list(run)) for label, run in groupby(labels))
            labels = tuple(
                label for label, run in runs for _ in (run[:1] if label in self.collapse else run)
            )
        return labels

    def lacking(self, symbols: Iterable[str]) -> list[str]:
        """Those of some symbols that `fold` does not know."""
        if self.fold is None or self.tokens != "labels":
            return []
        return [symbol for symbol in symbols if symbol not in self.fold]

    def keeping(self, symbols: Iterable[str]) -> "Protocol":
        """The same protocol where symbols that `fold` does not know stand for themselves.

        So symbols that a model lacks are scored: as errors, whatever the map knows.
        """
        lacking = self.lacking(symbols)
        if not lacking or self.fold is None:
            return self
        return replace(self, fold={**self.fold, **{symbol: symbol for symbol in lacking}})

    def ignoring(self, case: bool, punctuation: bool, spaces: bool) -> "Protocol":
        """The protocol with more ignored, and a name for it; InputError if it does not apply."""
        wanted = {"case": case, "punctuation": punctuation, "spaces": spaces}
        added = [what for what, on in wanted.items() if on and not getattr(self, f"ignore_{what}")]
        if not added:
            return self
        if self.tokens == "labels" or (self.tokens == "words" and spaces):
            raise InputError(
                f"protocol {self.name!r} scores {self.tokens}: {', '.join(added)} cannot be "
                f"ignored; use cer or wer (spaces: cer)"
            )
        words = " and ".join(added)
        return replace(
            self,
            name=f"{self.name}, ignoring {words}",
            note=f"{self.note}; {words} ignored",
            ignore_case=self.ignore_case or case,
            ignore_punctuation=self.ignore_punctuation or punctuation,
            ignore_spaces=self.ignore_spaces or spaces,
        )


_SIL = frozenset({"sil"})

PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("plain", "all labels, unchanged"),
        Protocol(
            "kaldi",
            "39 phone classes, q removed, silence scored like any phone, repeats kept",
            unit="phone",
            fold=ANY_TO_39,
            costs="sclite",
        ),
        Protocol(
            "kaldi-optional-sil",
            "39 phone classes, q removed, a missing silence costs nothing "
            "(Kaldi before November 2014, pytorch-kaldi; sclite -D)",
            unit="phone",
            fold=ANY_TO_39,
            optional=_SIL,
            costs="sclite",
        ),
        Protocol(
            "speechbrain",
            "39 phone classes, q removed, runs of silence count once",
            unit="phone",
            fold=ANY_TO_39,
            collapse=_SIL,
        ),
        Protocol(
            "graves2006",
            "all 61 phone symbols, nothing folded, q and silence scored",
            unit="phone",
            fold={phone: phone for phone in PHONES_61},
        ),
        Protocol(
            "cer",
            "characters, including the spaces between words",
            tokens="characters",
            unit="character",
        ),
        Protocol(
            "cer-nospace",
            "characters, white space removed",
            tokens="characters",
            unit="character",
            ignore_spaces=True,
        ),
        Protocol(
            "cer-grapheme",
            "graphemes (grapheme clusters of Unicode TR29), including spaces",
            tokens="graphemes",
            unit="grapheme",
        ),
        Protocol("wer", "words, separated by white space", tokens="words", unit="word"),
    )
}
"""Every protocol by name. Case and punctuation count unless `Protocol.ignoring` says otherwise."""


def get_protocol(name: str | Protocol) -> Protocol:
    """The protocol of that name (a Protocol passes through); InputError lists the names."""
    if isinstance(name, Protocol):
        return name
    if name not in PROTOCOLS:
        raise InputError(f"unknown protocol {name!r}; known: {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def default_protocol(
    references: Transcripts, unit: str, unseen: Collection[str] = ()
) -> tuple[Protocol, str]:
    """The protocol for labels of a unit ("" if unknown), and the reason.

    unseen: labels of the references that the model lacks, which decide nothing.

    Characters are scored by "cer", and so is the text of subwords, graphemes by "cer-grapheme",
    words by "wer", phones by "kaldi" when all of them are TIMIT's and by "plain" when not,
    everything else by "plain".
    """
    if unit == "character":
        return PROTOCOLS["cer"], "the labels are characters"
    if unit == "grapheme":
        return PROTOCOLS["cer-grapheme"], "the labels are graphemes"
    if unit == "subword":
        return PROTOCOLS["cer"], "the labels are subwords, whose text is scored"
    if unit == "word":
        return PROTOCOLS["wer"], "the labels are words"
    if unit == "phone":
        symbols = {label for t in references.by_id.values() for label in t.labels or ()}
        if symbols <= ANY_TO_39.keys() | set(unseen):
            return PROTOCOLS["kaldi"], "the labels are TIMIT's phones"
        return PROTOCOLS["plain"], "the labels are phones, but not TIMIT's"
    if unit == "symbol":
        return PROTOCOLS["plain"], "the labels are symbols"
    if unit == "latex":
        return PROTOCOLS["plain"], "the labels are tokens of LaTeX"
    return PROTOCOLS["plain"], "the unit of the labels is not known"


def tokenise(
    transcripts: Transcripts, protocol: Protocol, unit: str = ""
) -> dict[str, tuple[str, ...]]:
    """id -> tokens; InputError names the utterance and the symbol that the map lacks.

    unit: of the other side's labels. Where labels are scored and only text is known, it is split
    by the unit of the transcripts, or else by this one.
    """
    unit = transcripts.unit or unit
    of_characters = transcripts.of_characters()
    if transcripts.unit == "subword" and protocol.tokens == "labels":
        raise InputError(
            f"{transcripts.name}: the labels are subwords, whose text is scored; use cer, "
            f"wer or cer-grapheme instead of {protocol.name}"
        )
    tokens = {}
    for key, transcript in transcripts.by_id.items():
        if protocol.tokens == "labels" and transcript.labels is None:
            transcript = _split(transcript, unit, transcripts.name)
        try:
            tokens[key] = protocol(transcript, of_characters)
        except KeyError as error:
            raise InputError(
                f"{transcripts.name}: utterance {key!r}: symbol {error.args[0]!r} is not in the "
                f"map of protocol {protocol.name!r}; score with --protocol plain or correct it"
            ) from None
    return tokens


def _split(transcript: Transcript, unit: str, name: str) -> Transcript:
    """A transcript whose text is split into labels of a unit."""
    try:
        return replace(transcript, labels=split_text(transcript.text or "", unit))
    except InputError as error:
        raise InputError(f"{name}: utterance {transcript.id!r}: {error}") from None
