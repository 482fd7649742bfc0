"""The figure of merit of keyword spotting."""

from collections.abc import Iterable
from dataclasses import dataclass

from seqlabel.decoding.results import Span


@dataclass(frozen=True)
class Merit:
    """Results of keyword spotting.

    merit: the figure of merit, 0..1. occurrences, found, false_alarms: counts over all hits given.
    """

    merit: float
    occurrences: int
    found: int
    false_alarms: int

    @property
    def recall(self) -> float:
        """Share of the occurrences that were found; 0 if there are none."""
        return self.found / self.occurrences if self.occurrences else 0.0

    @property
    def precision(self) -> float:
        """Share of the hits that are true; 0 if there are none."""
        hits = self.found + self.false_alarms
        return self.found / hits if hits else 0.0


def figure_of_merit(
    hits: Iterable[tuple[str, Span]],
    truth: Iterable[tuple[str, tuple[str, float, float]]],
    seconds: float,
) -> tuple[Merit, dict[str, Merit]]:
    """NIST's figure of merit: the detection rate averaged over 0 to 10 false alarms per hour.

    hits, truth: (utterance, hit) and (utterance, (keyword, start, end)), times in the same unit.
    seconds: length of all that was searched. A hit is true when its middle lies in an occurrence
    of its keyword that no more probable hit has claimed (Rohlicek et al. 1989; the HTK book, on
    HResults). With T hours and p_i the share of occurrences found before the i-th false alarm, the
    figure of a keyword is the mean of p_1, ..., p_10T, the last one in part if 10T is not whole.
    Returns that of all keywords, weighted by their occurrences, and that of each.
    """
    if seconds <= 0:
        raise ValueError(f"{seconds} seconds of signal; they must be more than 0")
    places: dict[str, list[tuple[str, float, float]]] = {}
    for utterance, (word, start, stop) in truth:
        places.setdefault(word, []).append((utterance, start, stop))
    found: dict[str, list[tuple[str, Span]]] = {word: [] for word in places}
    for utterance, hit in hits:
        found.setdefault(hit.label, []).append((utterance, hit))
    each = {
        word: _merit(found[word], places.get(word, []), seconds / 360.0) for word in sorted(found)
    }
    total = sum(m.occurrences for m in each.values())
    overall = Merit(
        merit=sum(m.merit * m.occurrences for m in each.values()) / max(total, 1),
        occurrences=total,
        found=sum(m.found for m in each.values()),
        false_alarms=sum(m.false_alarms for m in each.values()),
    )
    return overall, each


def _merit(
    hits: list[tuple[str, Span]], places: list[tuple[str, float, float]], budget: float
) -> Merit:
    """The figure of one keyword; `budget` is the number of false alarms at ten an hour."""
    free = list(places)
    found, rates = 0, []  # rates[i]: share found before false alarm i + 1
    for utterance, hit in sorted(hits, key=lambda pair: -pair[1].probability):
        middle = (hit.start + hit.end) / 2
        place = next((p for p in free if p[0] == utterance and p[1] <= middle <= p[2]), None)
        if place is None:
            rates.append(found / max(len(places), 1))
        else:
            free.remove(place)
            found += 1
    recall = found / max(len(places), 1)
    total, whole = 0.0, int(budget)
    for i in range(whole + 1):
        weight = 1.0 if i < whole else budget - whole
        total += weight * (rates[i] if i < len(rates) else recall)
    return Merit(total / budget, len(places), found, len(rates))
