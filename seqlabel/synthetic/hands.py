"""Synthetic hands, which write any text as ink."""

import functools
import math
from dataclasses import dataclass, replace

import numpy as np

from seqlabel.errors import InputError
from seqlabel.glyphs import GLYPHS, Controls, controls, smooth
from seqlabel.inputs.ink import Ink
from seqlabel.synthetic.allographs import unusual_form

STEP = 0.03
"""Distance of the points from which the movement of the pen is computed, in heights of an x."""


@dataclass(frozen=True)
class Hand:
    """Parameters of a hand. Lengths are in heights of a small x, angles in radians.

    size: height of a small x in units of the whiteboard. aspect: width of the letters. slant:
    lean of the letters to the right. rotation: rise of the lines. drift: sway of the base line.
    spacing: gap between letters; gap: between words. speed: of the pen on straight strokes, per
    second. rate: points per second. jitter: random variation of letters.
    delays: probability that dots and bars follow at the end of the word. links: probability that
    the pen stays down between two letters.
    forms: choice among the outlines of a character. habits: seed of the writer's own shapes,
    `deviation` away from the outlines. variety: share of the characters that the writer has
    unusual forms of, see `seqlabel.synthetic.allographs`.
    """

    size: float = 100.0
    aspect: float = 1.0
    slant: float = 0.0
    rotation: float = 0.0
    drift: float = 0.0
    spacing: float = 0.3
    gap: float = 1.0
    speed: float = 8.0
    rate: float = 75.0
    jitter: float = 0.0
    delays: float = 0.0
    links: float = 0.0
    forms: int = 0
    habits: int = 0
    deviation: float = 0.0
    variety: float = 0.0


def random_hand(rng: np.random.Generator, links: bool = False, varied: bool = False) -> Hand:
    """A random hand from the range of the corpora.

    links: some hands link letters. varied: forms, stroke orders, sizes and sampling rates vary
    more, as with pens, mice and fingers.
    """
    hand = _usual_hand(rng, links)
    if not varied:
        return hand
    return replace(
        hand,
        aspect=float(rng.uniform(0.65, 1.4)),
        slant=math.radians(rng.uniform(-20, 40)),
        rotation=math.radians(rng.normal(0, 2.5)),
        drift=float(rng.uniform(0, 0.25)),
        spacing=float(rng.uniform(0.15, 0.8)),
        gap=float(rng.uniform(0.9, 2.5)),
        speed=float(rng.uniform(3, 14)),
        rate=float(rng.choice([60.0, 75.0, 100.0, 120.0, 200.0])),
        jitter=float(rng.uniform(0.02, 0.07)),
        deviation=float(rng.uniform(0.03, 0.13)),
        variety=float(rng.choice([0.2, 0.5, 0.8])),
    )


def _usual_hand(rng: np.random.Generator, links: bool) -> Hand:
    return Hand(
        size=float(rng.uniform(60, 140)),
        aspect=float(rng.uniform(0.75, 1.25)),
        slant=math.radians(rng.uniform(-15, 30)),
        rotation=math.radians(rng.normal(0, 1.5)),
        drift=float(rng.uniform(0, 0.15)),
        spacing=float(rng.uniform(0.25, 0.5)),
        gap=float(rng.uniform(0.9, 1.5)),
        speed=float(rng.uniform(5, 12)),
        rate=float(rng.uniform(60, 90)),
        jitter=float(rng.uniform(0.02, 0.05)),
        delays=float(rng.choice([0.0, 0.0, 0.9])),
        links=float(rng.choice([0.0, 0.0, 0.3, 0.6])) if links else 0.0,
        forms=int(rng.integers(1 << 16)),
        habits=int(rng.integers(1 << 31)),
        deviation=float(rng.uniform(0.02, 0.06)),
    )


def write_text(text: str, hand: Hand, rng: np.random.Generator) -> Ink:
    """One line of `text` as timed ink: whole coordinates, y downwards, times in hundredths.

    The same hand, text and state of `rng` give the same ink. Raises InputError for a character
    without an outline and for text without any character.
    """
    for character in text:
        if character != " " and character not in GLYPHS:
            raise InputError(f"no outline for the character {character!r} in {text!r}")
    strokes = [stroke for word in _layout(text, hand, rng) for stroke in word]
    if not strokes:
        raise InputError(f"nothing to write in {text!r}")
    placed = _place(strokes, hand, rng)
    clock, points = 0.0, []
    position = placed[0][0]
    for stroke in placed:
        way = math.hypot(*(stroke[0] - position)) / hand.size
        clock += rng.uniform(0.06, 0.12) + way / (1.5 * hand.speed)
        written = _move(stroke / hand.size, clock, hand, rng)
        clock, position = written[-1, 2], stroke[-1]
        written[:, :2] *= hand.size
        points.append(_rounded(written))
    return Ink(points)


def _rounded(points: np.ndarray) -> np.ndarray:
    """Whole coordinates and hundredths of a second, as the whiteboard gives them."""
    return np.column_stack([np.round(points[:, :2]), np.round(points[:, 2], 2)])


def _layout(text: str, hand: Hand, rng: np.random.Generator) -> list[list[np.ndarray]]:
    """Strokes (P, 2) of each word along a straight base line, y upwards, in order of writing."""
    pen = 0.0
    words = []
    for word in text.split(" "):
        strokes: list[np.ndarray] = []
        delayed: list[np.ndarray] = []
        delays = rng.random() < hand.delays
        linked = False
        for character in word:
            shapes = _shapes(character, hand, rng)
            right = max(shape[:, 0].max() for shape in shapes)
            shapes = [shape + np.array([pen, 0.0]) for shape in shapes]
            if linked and strokes and character.islower():
                shapes[0] = np.concatenate([strokes.pop(), shapes[0]])
            strokes.append(shapes[0])
            later = delayed if delays and character in DELAYED else strokes
            later += shapes[1:]
            linked = len(shapes) == 1 and rng.random() < hand.links and character.islower()
            pen += right + max(0.08, hand.spacing + rng.normal(0, 0.05))
        words.append(strokes + delayed)
        pen += hand.gap + rng.normal(0, 0.08)
    return words


DELAYED = "fijtxAEFHT"
"""Letters whose dots and bars some people add at the end of the word."""


def _shapes(character: str, hand: Hand, rng: np.random.Generator) -> list[np.ndarray]:
    """The strokes of one character as smooth curves, with the habits and the jitter of the hand."""
    shapes = []
    for pieces in _habitual(character, hand):
        curves: list[np.ndarray] = []
        for piece in pieces:
            moved = piece + rng.normal(0, hand.jitter, piece.shape)
            if curves:
                moved[0] = curves[-1][-1]
            curves.append(smooth(moved))
        shapes.append(np.concatenate(curves))
    return shapes


@functools.lru_cache(maxsize=4096)
def _habitual(character: str, hand: Hand) -> Controls:
    """The writer's outline of a character."""
    rng = np.random.default_rng([hand.habits, ord(character)])
    if hand.variety and rng.random() < hand.variety:
        form = unusual_form(character, rng)
    else:
        form = controls(character, hand.forms >> (ord(character) % 8))
    return tuple(
        tuple(
            piece * [hand.aspect, 1.0] + rng.normal(0, hand.deviation, piece.shape)
            for piece in pieces
        )
        for pieces in form
    )


def _place(strokes: list[np.ndarray], hand: Hand, rng: np.random.Generator) -> list[np.ndarray]:
    """Strokes on the whiteboard: slant, sway of the base line, size, rotation; y downwards."""
    phase, wave = rng.uniform(0, 2 * math.pi), rng.uniform(8, 16)
    angle = hand.rotation + math.radians(rng.normal(0, 0.5)) * (hand.jitter > 0)
    cos, sin = math.cos(angle), math.sin(angle)
    lean = math.tan(hand.slant)
    origin = rng.uniform([500, 800], [1500, 1200])
    placed = []
    for stroke in strokes:
        x, y = stroke.T
        y = y + hand.drift * np.sin(2 * math.pi * x / wave + phase)
        x = x + lean * y
        board = np.column_stack([x * cos - y * sin, -(x * sin + y * cos)])
        placed.append(board * hand.size + origin)
    return placed


def _move(path: np.ndarray, start: float, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Points (P, 3) of x, y, t sampled while the pen follows a path given in heights of an x.

    The speed falls with the curvature to the power 1/3 (the law of Lacquaniti, Terzuolo & Viviani
    1983) and is low at the ends of a stroke.
    """
    steps = np.diff(path, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    total = lengths.sum()
    if total < STEP:
        count = int(rng.integers(2, 5))
        times = start + np.arange(count) / hand.rate
        return np.column_stack([np.repeat(path[:1], count, axis=0), times])
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    s = np.linspace(0, total, max(8, int(total / STEP)))
    ds = s[1]
    even = np.column_stack([np.interp(s, along, column) for column in path.T])
    dx, dy = np.diff(even, axis=0).T
    turns = np.arctan2(dx[:-1] * dy[1:] - dy[:-1] * dx[1:], dx[:-1] * dx[1:] + dy[:-1] * dy[1:])
    curvature = np.convolve(np.abs(turns) / ds, np.full(5, 0.2))[1:-2]  # one for each step
    ends = ds * (1 + np.minimum(np.arange(len(dx)), np.arange(len(dx))[::-1]))
    speed = hand.speed / np.cbrt(1 + curvature) * np.minimum(1.0, 0.4 + ends / 0.5)
    times = start + np.concatenate([[0.0], np.cumsum(ds / speed)])
    samples = np.arange(times[0], times[-1], 1 / hand.rate)
    if times[-1] - samples[-1] > 0.3 / hand.rate:
        samples = np.append(samples, times[-1])
    return np.column_stack([*(np.interp(samples, times, column) for column in even.T), samples])
