"""Which ink became which label: strokes given to the labels that were read from them.

The output of a CTC network fires once for a label, anywhere in the ink that it stands for. A stroke
in which one label fires is that label's; a stroke in which several fire (joined letters) is shared
by them; a stroke in which none fires joins the label that fires nearest in time. Labels that no pen
writes, such as the blank between words, own nothing.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike


def fired_at(span: tuple[str, float, float, float], times: np.ndarray) -> float:
    """The time in seconds at which a label fires: the start of the middle frame of its span.

    times: (T,) start of each frame, as in `Result.with_times`.
    """
    first = int(np.searchsorted(times, span[1], side="left"))
    last = int(np.searchsorted(times, span[2], side="left")) - 1
    return float(times[(first + max(first, last)) // 2])


def owners(strokes: Sequence[ArrayLike], fired: Sequence[float]) -> list[list[int]]:
    """For each stroke the labels that it belongs to, as positions in `fired`, in order of time.

    strokes: (P, 3 or more) x, y, t with P >= 1. fired: when each label fires, on the clock of t.
    Empty lists where `fired` is empty.
    """
    times = np.asarray(fired, np.float64)
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    found: list[list[int]] = []
    for stroke in strokes:
        t = np.asarray(stroke, np.float64)[:, 2]
        a, b = np.searchsorted(ordered, t[0], "left"), np.searchsorted(ordered, t[-1], "right")
        inside = order[a:b].tolist()
        if not inside and len(times):
            inside = [int(np.argmin(np.abs(times - (t[0] + t[-1]) / 2)))]
        found.append(inside)
    return found


def strokes_of_labels(
    strokes: Sequence[np.ndarray],
    labels: Sequence[str],
    fired: Sequence[float],
    inkless: Collection[str] = (),
    seen: Collection[int] | None = None,
) -> list[tuple[int, ...]]:
    """The numbers of the strokes of each label, ascending; every stroke is some label's.

    strokes, fired: as in `owners`. inkless: labels that no pen writes. seen: strokes that the
    network saw. One that it did not see (a dot taken out because it was written later) goes to the
    label of the ink nearest below or above it, not to that nearest in time.
    """
    inked = [k for k, label in enumerate(labels) if label not in inkless]
    own = [fired[k] for k in inked]
    held = owners(strokes, own)
    kept = [s for s in range(len(strokes)) if seen is None or s in seen]
    if own and kept:
        for s in set(range(len(strokes))) - set(kept):
            held[s] = [_label_beside(strokes[s], [strokes[k] for k in kept], own)]
    found: list[list[int]] = [[] for _ in labels]
    for s, positions in enumerate(held):
        for position in positions:
            found[inked[position]].append(s)
    return [tuple(numbers) for numbers in found]


def _label_beside(stroke: np.ndarray, others: Sequence[np.ndarray], fired: Sequence[float]) -> int:
    """The label of the point of other strokes that is nearest horizontally to a stroke's middle."""
    middle = (stroke[:, 0].min() + stroke[:, 0].max()) / 2
    distances = [np.abs(other[:, 0] - middle) for other in others]
    nearest = int(np.argmin([distance.min() for distance in distances]))
    time = others[nearest][int(np.argmin(distances[nearest])), 2]
    candidates = owners([others[nearest]], fired)[0]
    return min(candidates, key=lambda k: abs(fired[k] - time))
