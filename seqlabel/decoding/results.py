"""Results of decoders: labels with times and probabilities, and alternatives."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple


class _Span(NamedTuple):
    label: str
    start: float
    end: float
    probability: float


class Span(_Span):
    """One label (or word) and its part of the signal: a tuple of four.

    start (inclusive) and end (exclusive) are frame numbers, or seconds after `Result.with_times`.
    probability: the largest posterior that the label has within its span; of a word, the minimum
    of its labels. Of ink, `strokes` are the numbers of its strokes; it is not part of the tuple.
    """

    strokes: tuple[int, ...] | None = None
    """Strokes from 0 in the order of writing, () for a space between words; None for speech."""

    def of_strokes(self, strokes: Iterable[int]) -> "Span":
        """The same span with the numbers of its strokes."""
        span = Span(*self)
        span.strokes = tuple(strokes)
        return span

    def _replace(self, **changes: Any) -> "Span":
        span = Span(*super()._replace(**changes))
        span.strokes = self.strokes
        return span

    def to_json(self) -> list[Any]:
        """[label, start, end, probability], for ink followed by the list of strokes."""
        return [*self, *([] if self.strokes is None else [list(self.strokes)])]


def make_spans(
    labels: Iterable[str],
    starts: Iterable[float],
    ends: Iterable[float],
    probabilities: Iterable[float],
) -> tuple[Span, ...]:
    """A span of each label, in two thirds of the time that `Span` takes for them."""
    rows = zip(labels, starts, ends, probabilities, strict=True)
    return tuple(map(partial(tuple.__new__, Span), rows))


@dataclass(frozen=True)
class Result:
    """A labelling of one utterance.

    labels: the symbols, without blanks and repeats.
    log_prob: natural log. Of a beam search: the summed probability of the paths of the labelling,
        plus the weighted language model and bonus terms if used. Of a greedy search:
        the probability of the one best path. -inf, with no labels, if every path is impossible.
    spans: one for each label, in order; empty for alternatives and partial results.
    alternatives: the next best labellings, best first.
    text: the labels as running text; with a lexicon, the words.
    words: one span for each word, if the decoder has words.
    levels: the results of lower levels of labels by name, the finest first.
    """

    labels: tuple[str, ...]
    log_prob: float
    spans: tuple[Span, ...] = ()
    alternatives: tuple["Result", ...] = ()
    text: str = ""
    words: tuple[Span, ...] = ()
    levels: Mapping[str, "Result"] = field(default_factory=dict)

    def with_times(self, times: Sequence[float], period: float) -> "Result":
        """The same result with spans in seconds.

        times: (T,) start of each frame in seconds, increasing; period: the nominal length of a
        frame. A span ends one period after its last frame starts, or earlier if the next
        frame starts earlier (so a pen lift after a label does not lengthen it).
        """

        def seconds(span: Span) -> Span:
            last = int(span.end) - 1
            end = times[last] + period
            if last + 1 < len(times):
                end = min(end, times[last + 1])
            return span._replace(start=float(times[int(span.start)]), end=float(end))

        return replace(
            self,
            spans=tuple(map(seconds, self.spans)),
            words=tuple(map(seconds, self.words)),
            levels={name: level.with_times(times, period) for name, level in self.levels.items()},
        )

    def with_strokes(
        self, strokes_of: Callable[[Sequence[Span]], Sequence[tuple[int, ...]]]
    ) -> "Result":
        """The same result of ink with the strokes of its spans, words and levels.

        strokes_of: the strokes of each of some spans in seconds. A word has those of its labels.
        """
        spans = tuple(
            span.of_strokes(own)
            for span, own in zip(self.spans, strokes_of(self.spans), strict=True)
        )
        words = tuple(
            word.of_strokes(
                sorted(
                    {
                        number
                        for span in spans
                        if word.start <= span.start and span.end <= word.end
                        for number in span.strokes or ()
                    }
                )
            )
            for word in self.words
        )
        levels = {name: level.with_strokes(strokes_of) for name, level in self.levels.items()}
        return replace(self, spans=spans, words=words, levels=levels)

    def to_json(self) -> dict[str, Any]:
        """The result as one line of a hypothesis file, for `json.dumps`; no log_prob is null."""
        value: dict[str, Any] = {
            "labels": list(self.labels),
            "text": self.text,
            "log_prob": _finite(self.log_prob),
            "spans": [span.to_json() for span in self.spans],
            "alternatives": [
                {
                    "labels": list(other.labels),
                    "text": other.text,
                    "log_prob": _finite(other.log_prob),
                }
                for other in self.alternatives
            ],
        }
        if self.words:
            value["words"] = [span.to_json() for span in self.words]
        if self.levels:
            value["levels"] = {name: list(level.labels) for name, level in self.levels.items()}
        return value

    def __str__(self) -> str:
        lines = [f"{self.text or '(nothing)'}  [log-probability {self.log_prob:.3f}]"]
        for span in self.words or self.spans:
            lines.append(f"  {span.start:>8g} {span.end:>8g}  {span.probability:.3f}  {span.label}")
        for name, level in self.levels.items():
            lines.append(f"  {name}: {level.text or '(nothing)'}")
        for other in self.alternatives:
            lines.append(f"  or {other.text or '(nothing)'}  [{other.log_prob:.3f}]")
        return "\n".join(lines)


def _finite(value: float) -> float | None:
    # JSON has no infinity.
    return value if math.isfinite(value) else None
