"""From two sets of transcripts to a report."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from seqlabel.alphabet import UNITS
from seqlabel.errors import InputError
from seqlabel.files import fingerprint
from seqlabel.scoring.alignment import COSTS, Costs, align_all
from seqlabel.scoring.breakdowns import break_down, count_confusions, score_labels
from seqlabel.scoring.formats import read_transcripts
from seqlabel.scoring.protocols import PROTOCOLS, Protocol, default_protocol, get_protocol, tokenise
from seqlabel.scoring.results import Counts, Report, UtteranceScore
from seqlabel.scoring.statistics import bootstrap_interval
from seqlabel.scoring.transcripts import Transcript, Transcripts

Source = str | os.PathLike[str] | Mapping[str, str | Sequence[str]] | Transcripts
"""Transcripts, a file of them, or a mapping of ids to labels (or to text)."""


def score(
    reference: Source,
    hypothesis: Source,
    protocol: str | Protocol | None = None,
    *,
    unit: str | None = None,
    costs: str = "sclite",
    allow_missing: bool = False,
    name: str | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Report:
    """Align hypotheses with references and count the errors.

    reference, hypothesis: a file (manifest or hypotheses .jsonl, .trn, .ctm, .stm, Kaldi text), or
        a mapping of utterance ids to labels or to running text.
    protocol: a name of `PROTOCOLS` or a Protocol; None chooses by what the labels are.
    unit: "phone", "character", "word" or "symbol", when the reference does not say.
    costs: "sclite" (4/3/3) or "unit"; see `seqlabel.scoring.alignment`.
    allow_missing: score utterances without a hypothesis as deletions, and skip hypotheses without a
        reference, instead of refusing both.
    resamples, seed: of the bootstrap behind the interval.
    Raises InputError for utterance sets that differ, repeated ids, symbols outside the protocol's
    map, unreadable files, and a reference set without a single label. When the labels are
    characters the word error rate comes along in `Report.also`.
    """
    references = _transcripts(reference, "the reference")
    hypotheses = _transcripts(hypothesis, "the hypothesis")
    if unit is not None:
        if unit not in UNITS:
            raise InputError(f"unit {unit!r} is none of {', '.join(UNITS)}")
        references = replace(references, unit=unit)
    if costs not in COSTS:
        raise InputError(f"costs {costs!r} are none of {', '.join(COSTS)}")
    hypotheses = replace(hypotheses, unit=references.unit or hypotheses.unit)
    references, missing, skipped = _matched(references, hypotheses, allow_missing)
    chosen = default_protocol(references)[0] if protocol is None else get_protocol(protocol)
    name = hypotheses.name if name is None else name

    def under(rule: Protocol) -> Report:
        return _score(
            references, hypotheses, missing, skipped, rule, COSTS[costs], name, resamples, seed
        )

    report = under(chosen)
    if chosen.tokens != "characters":
        return report
    words = PROTOCOLS["wer"].ignoring(chosen.ignore_case, chosen.ignore_punctuation, False)
    return replace(report, also=(under(words),))


def _transcripts(source: Source, name: str) -> Transcripts:
    if isinstance(source, Transcripts):
        return source
    if isinstance(source, Mapping):
        return Transcripts.of(name, source)
    return read_transcripts(Path(source))


def _matched(
    references: Transcripts, hypotheses: Transcripts, allow_missing: bool
) -> tuple[Transcripts, tuple[str, ...], dict[str, str]]:
    """The references to score, the ids without a hypothesis, and what is skipped, with causes."""
    skipped = dict(references.skipped)
    missing = tuple(key for key in references.by_id if key not in hypotheses.by_id)
    extra = [key for key in hypotheses.by_id if key not in references.by_id and key not in skipped]
    for lost, here, there, effect in (
        (missing, references, hypotheses, "scores them as deletions"),
        (extra, hypotheses, references, "leaves them out"),
    ):
        if lost and not allow_missing:
            named = ", ".join(repr(key) for key in lost[:5]) + (", ..." if len(lost) > 5 else "")
            raise InputError(
                f"{there.name}: {len(lost)} of {len(here.by_id)} utterances of {here.name} are "
                f"absent ({named}); --allow-missing {effect}"
            )
    if len(missing) == len(references.by_id):
        raise InputError(f"{hypotheses.name}: no utterance of {references.name} is in it")
    skipped |= dict.fromkeys(extra, "no reference")
    return references, missing, skipped


def _score(
    references: Transcripts,
    hypotheses: Transcripts,
    missing: tuple[str, ...],
    skipped: Mapping[str, str],
    protocol: Protocol,
    costs: Costs,
    name: str,
    resamples: int,
    seed: int,
) -> Report:
    expected = tokenise(references, protocol)
    known = {key: t for key, t in hypotheses.by_id.items() if key in expected}
    read = tokenise(replace(hypotheses, by_id=known), protocol)
    if not any(expected.values()):
        raise InputError(
            f"{references.name}: not one label to score under protocol {protocol.name!r}"
        )
    alignments = align_all(
        list(expected.values()),
        [read.get(key, ()) for key in expected],
        costs,
        protocol.optional,
    )
    utterances = tuple(
        _utterance(references.by_id[key], alignment.ops, alignment.counts)
        for key, alignment in zip(expected, alignments, strict=True)
    )
    unit = protocol.unit or references.unit or "symbol"
    confusions = count_confusions(utterances)
    person = "writer" if references.kind == "ink" else "speaker"
    return Report(
        name=name,
        metric=UNITS[unit],
        unit=unit,
        kind=references.kind,
        protocol=protocol.name,
        protocol_note=protocol.note,
        costs=costs.name,
        counts=Counts.total(utterance.counts for utterance in utterances),
        utterances=utterances,
        missing=missing,
        skipped=dict(skipped),
        reference_fingerprint=fingerprint(
            "\0".join((key, *expected[key], "\n")) for key in sorted(expected)
        ),
        decoder=str(hypotheses.header.get("decoder", "")),
        system=dict(hypotheses.header),
        interval=bootstrap_interval(utterances, f"{person}s", resamples=resamples, seed=seed),
        breakdowns=break_down(utterances, unit, person),
        labels=score_labels(confusions),
        confusions=confusions,
    )


def _utterance(transcript: Transcript, ops, counts: Counts) -> UtteranceScore:
    return UtteranceScore(
        id=transcript.id,
        ops=ops,
        counts=counts,
        speaker=transcript.speaker,
        tags=transcript.tags,
        duration=transcript.duration,
    )
