"""Two systems on the same references: paired tests and utterances with different errors."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seqlabel.errors import InputError
from seqlabel.scoring.results import Interval, Report, UtteranceScore
from seqlabel.scoring.statistics import PairedTest, mapsswe, paired_bootstrap, sign_test


@dataclass(frozen=True)
class Difference:
    """One utterance in which two systems make different numbers of errors."""

    id: str
    first_errors: int
    second_errors: int
    reference_tokens: int


@dataclass(frozen=True)
class Comparison:
    """The second system against the first.

    difference: rate of the second minus rate of the first, on the utterances compared; negative
        when the second is better. interval: of the difference; None for a single utterance.
    utterances: how many were compared; left_out: ids that only one report has, or whose
        references differ (only with `anyway`).
    tests: mapsswe, sign, bootstrap.
    differing: utterances with different numbers of errors, largest difference first.
    """

    first: str
    second: str
    metric: str
    difference: float
    interval: Interval | None
    utterances: int
    left_out: tuple[str, ...]
    tests: tuple[PairedTest, ...]
    differing: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values; an infinite statistic becomes null."""
        value = asdict(self)
        for test in value["tests"]:
            if abs(test["statistic"]) == float("inf"):
                test["statistic"] = None
        return value


def compare(
    first: Report, second: Report, anyway: bool = False, resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Paired tests between two reports.

    Raises InputError if protocol, costs or reference fingerprint differ, because the rates are then
    not comparable; with `anyway` the utterances whose references agree are compared. Speakers are
    those of the first report, or of the second if the first has none.
    """
    for what, one, other in (
        ("protocols", first.protocol, second.protocol),
        ("alignment costs", first.costs, second.costs),
        ("reference fingerprints", first.reference_fingerprint, second.reference_fingerprint),
    ):
        if one != other and not anyway:
            raise InputError(
                f"{first.name} and {second.name}: {what} differ ({one}, {other}), so their rates "
                f"are not comparable; score both in the same way, or use --anyway"
            )
    a, b, left_out = _paired(first, second)
    if not a:
        raise InputError(f"{first.name} and {second.name}: no utterance with the same reference")
    people = "writers" if {first.kind, second.kind} & {"ink", "image"} else "speakers"
    interval, bootstrap = paired_bootstrap(a, b, people, resamples, seed)
    differing = [
        Difference(x.id, x.counts.errors, y.counts.errors, x.counts.reference_tokens)
        for x, y in zip(a, b, strict=True)
        if x.counts.errors != y.counts.errors
    ]
    differing.sort(key=lambda d: (-abs(d.first_errors - d.second_errors), d.id))
    return Comparison(
        first=first.name,
        second=second.name,
        metric=first.metric,
        difference=bootstrap.statistic,
        interval=interval,
        utterances=len(a),
        left_out=left_out,
        tests=(mapsswe(a, b), sign_test(a, b, people), bootstrap),
        differing=tuple(differing),
    )


def _paired(
    first: Report, second: Report
) -> tuple[Sequence[UtteranceScore], Sequence[UtteranceScore], tuple[str, ...]]:
    """Utterances of both reports with the same id and reference, in the first one's order."""
    others = {utterance.id: utterance for utterance in second.utterances}
    pairs = [
        (utterance, others[utterance.id])
        for utterance in first.utterances
        if utterance.id in others and utterance.reference == others[utterance.id].reference
    ]
    kept = {utterance.id for utterance, _ in pairs}
    everything = dict.fromkeys([*(u.id for u in first.utterances), *others])
    left_out = tuple(key for key in everything if key not in kept)
    return [a for a, _ in pairs], [b for _, b in pairs], left_out
