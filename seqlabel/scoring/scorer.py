"""From two sets of transcripts to a report."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqlabel.alphabet import UNITS
from seqlabel.alphabet.units import join_labels
from seqlabel.errors import InputError
from seqlabel.files import fingerprint
from seqlabel.scoring.alignment import COSTS, Pairs
from seqlabel.scoring.breakdowns import break_down, count_confusions, score_labels
from seqlabel.scoring.protocols import PROTOCOLS, Protocol, default_protocol, get_protocol, tokenise
from seqlabel.scoring.results import Counts, Report, UtteranceScore
from seqlabel.scoring.statistics import bootstrap_interval
from seqlabel.scoring.transcripts.files import read_transcripts
from seqlabel.scoring.transcripts.transcript import Transcript, Transcripts

IGNORABLE = ("case", "punctuation", "spaces")
"""What may not count in text, as `Protocol.ignoring` takes it."""

Source = str | os.PathLike[str] | Mapping[str, str | Sequence[str]] | Transcripts
"""Transcripts, a file of these, or a mapping from ids to labels (or to running text)."""


def score(
    reference: Source,
    hypothesis: Source,
    protocol: str | Protocol | None = None,
    *,
    unit: str = "",
    costs: str | None = None,
    ignore: Collection[str] = (),
    allow_missing: bool = False,
    name: str = "",
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Align hypotheses with references and count the errors.

    reference, hypothesis: a file (manifest or hypotheses .jsonl, .trn, .ctm, .stm, Kaldi text), or
        a mapping of utterance ids to labels or to running text.
    protocol: a name of `PROTOCOLS` or a Protocol; None chooses by the unit of the labels, see
        `default_protocol`; the choice is `Report.protocol`, its reason `Report.protocol_reason`.
    unit: one of `seqlabel.alphabet.UNITS`, if it is not in the files.
    costs: "unit" (Levenshtein) or "sclite" (4/3/3), see `seqlabel.scoring.alignment`; None for
        those of the protocol. `Report.errors_by_costs` has the errors under both.
    ignore: some of `IGNORABLE`, see `Protocol.ignoring`.
    allow_missing: score utterances without a hypothesis as deletions, and skip hypotheses without a
        reference, instead of raising InputError.
    name: of the system in the report; by default that of the hypothesis file.
    resamples, seed: of the bootstrap.
    Raises InputError for utterance sets that differ, repeated ids, symbols outside the protocol's
    map, unreadable files, and if no reference is known. Empty references are scored: all labels of
    the hypothesis are then insertions. Utterances with an unknown reference (a row of a manifest
    without labels and text) are skipped. Under a protocol of characters `Report.also` has the word
    error rate.
    """
    if unit and unit not in UNITS:
        raise InputError(f"unit {unit!r} is not one of {', '.join(UNITS)}")
    if costs is not None and costs not in COSTS:
        raise InputError(f"costs {costs!r} are not one of {', '.join(COSTS)}")
    if unknown := set(ignore) - set(IGNORABLE):
        raise InputError(f"ignore has {unknown.pop()!r}; known: {', '.join(IGNORABLE)}")
    if resamples < 1:
        raise InputError(f"resamples is {resamples}; it must be at least 1")
    references, without = _known(_transcripts(reference, "reference", unit))
    if references.of_characters():
        references = replace(references, unit=references.unit or "character")
    hypotheses = _transcripts(hypothesis, "hypothesis", unit).cut(references, allow_missing)
    hypotheses = hypotheses.like(references.unit)
    task = _Task(
        references,
        hypotheses,
        *_differences(references, hypotheses, without, allow_missing),
        costs,
        name or Path(hypotheses.name).stem,
        resamples,
        seed,
    )
    if protocol is None:
        unit = references.unit or hypotheses.unit
        chosen, reason = default_protocol(references, unit, _unseen(hypotheses))
    else:
        chosen, reason = get_protocol(protocol), ""
    chosen = chosen.ignoring(*(what in ignore for what in IGNORABLE))
    report = task.report(chosen, reason)
    if chosen.tokens not in ("characters", "graphemes"):
        return report
    words = PROTOCOLS["wer"].ignoring(chosen.ignore_case, chosen.ignore_punctuation, False)
    return replace(report, also=(task.report(words, "beside the characters"),))


def assemble(utterances: tuple[UtteranceScore, ...], **known: Any) -> Report:
    """The report of aligned utterances with totals and tables."""
    confusions = count_confusions(utterances)
    person = "writer" if known["kind"] in ("ink", "image") else "speaker"
    return Report(
        utterances=utterances,
        counts=Counts.total(utterance.counts for utterance in utterances),
        breakdowns=break_down(utterances, known["unit"], person),
        labels=score_labels(confusions),
        confusions=confusions,
        **known,
    )


def _transcripts(source: Source, name: str, unit: str) -> Transcripts:
    if isinstance(source, Transcripts):
        found = source
    elif isinstance(source, Mapping):
        found = Transcripts.of(name, source)
    else:
        found = read_transcripts(source)
    found = replace(found, unit=unit) if unit else found
    if found.unit != "subword":
        return found
    return replace(found, by_id={key: _with_text(said) for key, said in found.by_id.items()})


def _unseen(hypotheses: Transcripts) -> Collection[str]:
    """The labels of the references that the model lacks, as the header of its hypotheses says."""
    found = hypotheses.header.get("unseen")
    return found if isinstance(found, dict) else ()


def _with_text(said: Transcript) -> Transcript:
    """A transcript of subwords with its text, which is scored."""
    if said.text is not None or said.labels is None:
        return said
    return replace(said, text=join_labels(said.labels, "subword"))


def _known(references: Transcripts) -> tuple[Transcripts, tuple[str, ...]]:
    """The known references, and the ids of the unknown ones."""
    unknown = tuple(key for key, said in references.by_id.items() if not said.known)
    if len(unknown) == len(references.by_id):
        raise InputError(
            f"{references.name}: neither labels nor text in any utterance; if nothing is said "
            'or written, text is ""'
        )
    known = {key: said for key, said in references.by_id.items() if said.known}
    return replace(references, by_id=known), unknown


def _differences(
    references: Transcripts, hypotheses: Transcripts, unknown: Sequence[str], allow_missing: bool
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Ids without a hypothesis, and why others are not scored; else InputError."""
    missing = tuple(key for key in references.by_id if key not in hypotheses.by_id)
    expected = {*references.by_id, *unknown}
    extra = tuple(key for key in hypotheses.by_id if key not in expected)
    for lost, here, there, effect in (
        (missing, references, hypotheses, "scores them as deletions"),
        (extra, hypotheses, references, "leaves them out"),
    ):
        if lost and not allow_missing:
            named = ", ".join(repr(key) for key in lost[:5]) + (", ..." if len(lost) > 5 else "")
            raise InputError(
                f"{there.name}: {len(lost)} of the {len(here.by_id)} utterances of {here.name} "
                f"are not in it ({named}); --allow-missing {effect}"
            )
    if len(missing) == len(references.by_id):
        raise InputError(f"{hypotheses.name}: it has no utterance of {references.name}")
    excluded = {
        f"{' '.join(part.channel)} {part.start:g}-{part.end:g} s": "excluded by the reference"
        for part in references.ignored
    }
    excluded |= dict.fromkeys(unknown, "the reference has neither labels nor text")
    return missing, excluded | dict.fromkeys(extra, "no reference")


def _people(references: Transcripts) -> dict[str, str]:
    """Names of speakers in reports; writers are numbered, because corpora may have their names."""
    ids = dict.fromkeys(t.speaker for t in references.by_id.values() if t.speaker)
    if references.kind not in ("ink", "image"):
        return {"": "", **{name: name for name in ids}}
    return {"": "", **{name: f"writer {n}" for n, name in enumerate(ids, 1)}}


@dataclass(frozen=True)
class _Task:
    """What to score; `report` does it under one protocol."""

    references: Transcripts
    hypotheses: Transcripts
    missing: tuple[str, ...]
    skipped: Mapping[str, str]
    costs: str | None
    name: str
    resamples: int
    seed: int

    def report(self, protocol: Protocol, reason: str) -> Report:
        references, hypotheses = self.references, self.hypotheses
        protocol = protocol.keeping(_unseen(hypotheses))
        expected = tokenise(references, protocol, hypotheses.unit)
        known = {key: t for key, t in hypotheses.by_id.items() if key in expected}
        read = tokenise(replace(hypotheses, by_id=known), protocol, references.unit)
        costs = self.costs or protocol.costs
        pairs = Pairs(
            list(expected.values()), [read.get(key, ()) for key in expected], protocol.optional
        )
        alignments = pairs.align(costs)
        people = _people(references)
        utterances = tuple(
            UtteranceScore(
                key, found.ops, found.counts, people[said.speaker], said.tags, said.duration
            )
            for (key, said), found in zip(references.by_id.items(), alignments, strict=True)
        )
        unit = protocol.unit or references.unit or hypotheses.unit or "symbol"
        drawn = "writers" if references.kind in ("ink", "image") else "speakers"
        return assemble(
            utterances,
            name=self.name,
            metric=UNITS[unit],
            unit=unit,
            kind=references.kind,
            protocol=protocol.name,
            protocol_note=protocol.note,
            protocol_reason=reason,
            costs=costs,
            errors_by_costs=pairs.errors_by_costs(alignments, costs),
            missing=self.missing,
            skipped=self.skipped,
            reference_fingerprint=fingerprint(
                "\0".join((key, *expected[key], "\n")) for key in sorted(expected)
            ),
            decoder=str(hypotheses.header.get("decoder", "")),
            system=dict(hypotheses.header),
            interval=bootstrap_interval(utterances, drawn, self.resamples, self.seed),
        )
