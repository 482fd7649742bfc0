"""Delayed strokes: dots and bars that are written after the rest of a word."""

import numpy as np

from seqlabel.features.ink.script_lines import ScriptLines, script_lines
from seqlabel.inputs.ink import Ink

ASIDE = 0.4
"""How far beside the stroke below it a dot may stand, in corpus heights."""
LEFTWARDS = 2.0
"""Corpus heights by which writing has to run to the left, to be taken for that of such a script."""


def delayed_strokes(ink: Ink, lines: ScriptLines | None = None) -> np.ndarray:
    """(strokes,) bool: which strokes of level, upright ink are delayed.

    A stroke is delayed when it lies above writing that was there before it, after Liwicki & Bunke:
    its centre is no further right than the rightmost point so far; it ends above the middle
    of the corpus; it is lower than the corpus is high; and it overlaps horizontally, or nearly so
    (`ASIDE`), with an earlier stroke that reaches below it. Delayed strokes are no support for
    further ones. Writing that runs to the left (Hebrew, Arabic) is mirrored first.
    """
    lines = lines or script_lines(ink)
    aside = ASIDE * lines.corpus_height
    middle = (lines.corpus + lines.base) / 2
    low, high = ink.boxes
    if _runs_left((low[:, 0] + high[:, 0]) / 2, lines.corpus_height):
        low[:, 0], high[:, 0] = -high[:, 0], -low[:, 0]
    boxes = np.concatenate([low, high], axis=1).tolist()
    delayed = np.zeros(len(boxes), dtype=bool)
    kept: list[tuple[float, ...]] = []
    for number, box in enumerate(boxes):
        left, top, right, bottom = box
        delayed[number] = (
            bottom < middle
            and bottom - top < lines.corpus_height
            and any((left + right) / 2 <= other[2] for other in kept)
            and any(
                other[0] - aside <= right and left <= other[2] + aside and other[3] > bottom
                for other in kept
            )
        )
        if not delayed[number]:
            kept.append(box)
    return delayed


def _runs_left(centres: np.ndarray, corpus_height: float) -> bool:
    """Whether the middles of strokes (S,) in the order of writing fall by LEFTWARDS altogether.

    The fall is that of a straight line through them, which dots set back from the end do not turn.
    """
    if len(centres) < 2:
        return False
    slope = np.polyfit(np.arange(len(centres)), centres, 1)[0]
    return bool(slope * (len(centres) - 1) < -LEFTWARDS * corpus_height)


def remove_delayed_strokes(ink: Ink, lines: ScriptLines | None = None) -> Ink:
    """Ink without its delayed strokes; removing twice changes nothing. The first stroke stays."""
    delayed = delayed_strokes(ink, lines)
    if not delayed.any():
        return ink
    kept = [stroke for stroke, late in zip(ink.strokes, delayed, strict=True) if not late]
    return Ink(kept, ink.unit, ink.timed)
