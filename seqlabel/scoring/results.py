"""Results of scoring: counts, alignments, breakdowns, and the report with all of these.

All are frozen dataclasses of plain values; `Report.to_json` is the content of `score.json`.
`seqlabel.report` writes reports as text and HTML.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

Operation = tuple[str, str, str]
"""(op, reference label, hypothesis label); op is "C" correct, "S" substituted, "D" deleted or "I"
inserted. A missing label is "": ("D", "sil", ""). ("C", "sil", "") is an optional
label that was left out, at no cost."""


@dataclass(frozen=True)
class Counts:
    """Numbers of labels correct, substituted, deleted and inserted."""

    correct: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference_tokens(self) -> int:
        """Labels of the reference: the denominator of the rate."""
        return self.correct + self.substitutions + self.deletions

    @property
    def rate(self) -> float:
        """Errors per reference label; it may exceed 1.

        Without reference labels the rate is the number of insertions, so that an empty hypothesis
        has 0 (as in jiwer 4).
        """
        return self.errors / max(1, self.reference_tokens)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.correct + other.correct,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

    @classmethod
    def total(cls, parts: Iterable["Counts"]) -> "Counts":
        """The sum of any number of counts."""
        return sum(parts, cls())


@dataclass(frozen=True)
class UtteranceScore:
    """One utterance: its alignment and its errors.

    ops: the aligned pair, left to right, after the protocol's mapping.
    speaker, tags, duration: of the reference (duration in seconds, 0 if unknown); writers of ink
        are numbered, because some corpora contain their real names.
    """

    id: str
    ops: tuple[Operation, ...]
    counts: Counts
    speaker: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    duration: float = 0.0

    @property
    def reference(self) -> tuple[str, ...]:
        """The reference labels."""
        return tuple(reference for op, reference, _ in self.ops if op != "I")

    @property
    def hypothesis(self) -> tuple[str, ...]:
        """The hypothesis labels."""
        return tuple(hypothesis for op, _, hypothesis in self.ops if op != "D" and hypothesis)


@dataclass(frozen=True)
class Group:
    """One row of a breakdown: a speaker, a region, a phone class, a reference word, ...

    utterances: number of utterances of the row, or with an occurrence of it.
    """

    name: str
    utterances: int
    counts: Counts


@dataclass(frozen=True)
class LabelScore:
    """One label: occurrences in the references and hypotheses, and agreements."""

    label: str
    reference: int
    hypothesis: int
    correct: int

    @property
    def precision(self) -> float:
        """Share of its occurrences in hypotheses that are correct; 0 if it never occurs."""
        return self.correct / max(1, self.hypothesis)

    @property
    def recall(self) -> float:
        """Share of its occurrences in references that were recognised; 0 if it never occurs."""
        return self.correct / max(1, self.reference)


FEW = 8
"""Units below which a bootstrap interval is too narrow more often than it says."""


@dataclass(frozen=True)
class Interval:
    """A bootstrap confidence interval of the rate.

    over: what was resampled, "speakers", "writers" or "utterances"; units: how many there were.
    """

    low: float
    high: float
    level: float
    over: str
    units: int
    resamples: int

    @property
    def doubtful(self) -> bool:
        """Whether there are too few units, or no differences between them, to rely on it."""
        return self.units < FEW or self.low == self.high


@dataclass(frozen=True)
class Report:
    """The errors of one system on one reference set under one protocol.

    name: of the system, normally the name of the hypothesis file.
    metric, unit: "PER" and "phone", "CER" and "character", "WER" and "word", "SER" and "symbol".
    kind: "speech", "ink" or "image" of the references, or "".
    protocol, protocol_note: the protocol's name and its description in one line.
    protocol_reason: why it was chosen; "" if it was given by the user.
    costs: of the alignment, "unit" (the errors are the Levenshtein distance) or "sclite"
        (substitution 4, deletion and insertion 3).
    errors_by_costs: name of the costs -> errors, for these costs and the others.
    utterances: in the order of the reference; `worst()` orders them.
    missing: ids without a hypothesis, scored as deletions.
    skipped: id -> why it was not scored.
    reference_fingerprint: digest of the ids and scored labels of the references; two reports are
        comparable when protocol and fingerprint agree.
    decoder, system: description of the decoder, and the header of the hypothesis file.
    interval: of the rate; None if there is only one utterance to resample.
    breakdowns: "speaker", "sex", "region", "writer", "length", "class", "word", ... -> rows, worst
        first (lengths ascending); only those for which the references have data.
    labels: per label, most frequent first.
    confusions: (reference label, hypothesis label) -> count; "" is no label:
        ("aa", "") is a deletion, ("", "aa") an insertion, and ("aa", "aa") counts agreements.
    also: the same system under further protocols (the WER beside a CER).
    """

    name: str
    metric: str
    unit: str
    kind: str
    protocol: str
    protocol_note: str
    costs: str
    counts: Counts
    utterances: tuple[UtteranceScore, ...]
    missing: tuple[str, ...]
    skipped: Mapping[str, str]
    reference_fingerprint: str
    decoder: str
    system: Mapping[str, Any]
    interval: Interval | None
    breakdowns: Mapping[str, tuple[Group, ...]]
    labels: tuple[LabelScore, ...]
    confusions: Mapping[tuple[str, str], int]
    protocol_reason: str = ""
    errors_by_costs: Mapping[str, int] = field(default_factory=dict)
    also: tuple["Report", ...] = ()

    @property
    def rate(self) -> float:
        """The error rate: all errors over all reference labels."""
        return self.counts.rate

    @property
    def unseen(self) -> Mapping[str, int]:
        """Labels of the references that the model lacks, with their counts.

        `seqlabel decode` writes them into the header of the hypotheses. They are scored as errors.
        """
        found = self.system.get("unseen")
        return found if isinstance(found, dict) else {}

    @property
    def sentence_errors(self) -> int:
        """Utterances with at least one error."""
        return sum(utterance.counts.errors > 0 for utterance in self.utterances)

    @property
    def costs_note(self) -> str:
        """Description of the costs, with `other_costs_note`."""
        named = {"unit": "unit (Levenshtein distance)", "sclite": "sclite (4/3/3)"}
        return "; ".join(filter(None, (named.get(self.costs, self.costs), self.other_costs_note)))

    @property
    def other_costs_note(self) -> str:
        """Difference of the errors under other costs; "" if there is none."""
        return "; ".join(
            f"under {name} costs {errors - self.counts.errors:+d} errors, "
            f"{errors / max(1, self.counts.reference_tokens):.3%}"
            for name, errors in self.errors_by_costs.items()
            if errors != self.counts.errors
        )

    def worst(self) -> list[UtteranceScore]:
        """Utterances by falling error rate, then falling number of errors, then id."""
        return sorted(self.utterances, key=lambda u: (-u.counts.rate, -u.counts.errors, u.id))

    def top_confusions(self, n: int | None = None) -> list[tuple[str, str, int]]:
        """(reference, hypothesis, count) of the n most frequent errors ("" for no label)."""
        pairs = [(r, h, count) for (r, h), count in self.confusions.items() if r != h]
        pairs.sort(key=lambda pair: (-pair[2], pair[0], pair[1]))
        return pairs[:n]

    def confusion_matrix(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Labels (sorted, "" last) and the matrix (L, L) of counts, rows reference."""
        names = {label for pair in self.confusions for label in pair} - {""}
        labels = (*sorted(names), "")
        place = {label: i for i, label in enumerate(labels)}
        matrix = np.zeros((len(labels), len(labels)), np.int64)
        for (reference, hypothesis), count in self.confusions.items():
            matrix[place[reference], place[hypothesis]] = count
        return labels, matrix

    def totals_to_json(self) -> dict[str, Any]:
        """The totals and their conditions, as printed by `seqlabel score --json`."""
        return {
            "name": self.name,
            "metric": self.metric,
            **_counts(self.counts),
            "interval": None if self.interval is None else asdict(self.interval),
            "utterances": len(self.utterances),
            "sentence_errors": self.sentence_errors,
            "missing": len(self.missing),
            "skipped": len(self.skipped),
            "unseen": dict(self.unseen),
            "unit": self.unit,
            "protocol": self.protocol,
            "protocol_note": self.protocol_note,
            "costs": self.costs,
            "errors_by_costs": dict(self.errors_by_costs),
            "reference_fingerprint": self.reference_fingerprint,
            "decoder": self.decoder,
            "also": [other.totals_to_json() for other in self.also],
        }

    def to_json(self) -> dict[str, Any]:
        """The content of `score.json`: totals, interval, breakdowns, labels and confusions.

        `seqlabel.report.write_report` writes the alignments into another file.
        """
        return self.totals_to_json() | {
            "kind": self.kind,
            "system": dict(self.system),
            "missing_utterances": list(self.missing),
            "skipped_utterances": dict(self.skipped),
            "breakdowns": {
                name: [_group(row) for row in rows] for name, rows in self.breakdowns.items()
            },
            "labels": [_label(score) for score in self.labels],
            "confusions": [list(pair) for pair in self.top_confusions()],
        }


def _counts(counts: Counts) -> dict[str, float | int]:
    return {
        "rate": counts.rate,
        "correct": counts.correct,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
        "errors": counts.errors,
        "reference_tokens": counts.reference_tokens,
    }


def _group(group: Group) -> dict[str, Any]:
    return {"name": group.name, "utterances": group.utterances, **_counts(group.counts)}


def _label(score: LabelScore) -> dict[str, Any]:
    return asdict(score) | {"precision": score.precision, "recall": score.recall}
