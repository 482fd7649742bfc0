"""Single-stroke outlines of letters, digits and signs.

An outline lists the points a pen passes, `x,y` in hundredths of the height of a small x, y growing
upwards from the base line. Points are joined by a smooth curve; `|` makes the point before it a
corner, `;` lifts the pen. Several outlines of a character are ways in which people write it.
"""

import functools

import numpy as np

GLYPHS: dict[str, tuple[str, ...]] = {
    "a": ("80,85 46,100 8,50 38,0 76,42 82,96 | 80,18 97,2",),
    "b": ("10,190 10,4 | 12,58 46,98 82,52 48,0 12,18",),
    "c": ("80,82 48,100 8,50 42,0 82,20",),
    "d": ("80,82 45,100 8,50 38,0 76,42 82,190 | 80,18 97,2",),
    "e": ("10,48 46,50 80,62 66,94 44,100 8,50 42,0 82,20",),
    "f": ("74,172 50,192 30,155 30,0; 4,98 62,98", "74,172 50,192 32,150 22,-60 2,-80; 4,98 62,98"),
    "g": ("80,82 46,100 8,55 38,6 76,45 82,96 | 80,-40 48,-85 10,-62",),
    "h": ("10,190 10,0 | 12,58 44,98 72,66 74,0",),
    "i": ("18,98 18,16 34,2; 18,150",),
    "j": ("30,98 30,-48 6,-84 -14,-62; 30,150",),
    "k": ("10,190 10,0; 70,98 12,42 | 76,0",),
    "l": ("14,190 14,22 36,0",),
    "m": ("8,98 8,0 | 10,58 34,98 54,68 56,0 | 58,58 84,98 106,68 108,0",),
    "n": ("8,98 8,0 | 10,58 42,98 70,66 72,0",),
    "o": ("60,97 38,98 8,50 46,0 86,50 58,98",),
    "p": ("10,98 10,-85 | 12,52 46,98 82,52 48,0 14,16",),
    "q": ("80,82 46,100 8,55 38,6 76,45 82,96 | 80,-86 | 108,-58",),
    "r": ("8,98 8,0 | 10,56 36,96 64,88",),
    "s": ("72,86 42,100 12,78 42,52 74,26 40,0 8,14",),
    "t": ("32,150 32,20 50,0 68,10; 4,98 62,98",),
    "u": ("8,98 10,26 38,0 68,30 72,98 | 72,16 88,2",),
    "v": ("5,98 | 38,0 | 72,98",),
    "w": ("5,98 | 28,0 | 52,76 | 76,0 | 100,98",),
    "x": ("8,98 72,0; 72,98 8,0",),
    "y": ("8,98 10,42 38,12 70,44 74,98 | 72,-44 42,-86 8,-66", "5,98 | 38,8; 74,98 10,-84"),
    "z": ("8,98 72,98 | 8,0 | 76,0", "8,98 72,98 | 8,0 | 76,0; 22,50 62,50"),
    "0": ("56,169 34,168 8,88 45,0 84,88 54,171",),
    "1": ("10,122 46,172 | 46,0",),
    "2": ("10,138 42,172 76,132 52,66 6,0 | 84,0",),
    "3": ("12,152 45,172 74,134 34,94 | 82,50 42,0 6,24",),
    "4": ("54,172 6,58 | 88,58; 64,106 64,0",),
    "5": ("20,172 14,98 | 52,112 84,56 44,0 6,18; 20,172 80,172",),
    "6": ("72,168 30,122 8,48 45,0 82,46 48,90 14,50",),
    "7": ("8,172 82,172 | 34,0", "8,172 82,172 | 34,0; 26,86 74,86"),
    "8": ("74,146 42,172 12,134 46,90 80,44 44,0 8,44 42,90 74,146",),
    "9": ("78,132 46,172 10,128 44,84 78,132 | 76,66 60,0",),
    "A": ("5,0 50,180 | 95,0; 22,65 78,65",),
    "B": ("12,180 12,0; 12,180 74,164 68,104 14,94 | 88,76 80,10 12,0",),
    "C": ("98,145 60,180 10,90 58,0 100,35",),
    "D": ("12,180 12,0; 12,180 76,158 96,90 74,18 12,0",),
    "E": ("12,180 12,0 | 80,0; 12,180 78,180; 12,95 65,95",),
    "F": ("12,180 12,0; 12,180 78,180; 12,95 62,95",),
    "G": ("98,145 60,180 10,90 58,0 98,40 98,85 | 64,85",),
    "H": ("12,180 12,0; 90,180 90,0; 12,95 90,95",),
    "I": ("30,180 30,0; 2,180 58,180; 2,0 58,0",),
    "J": ("60,180 60,40 35,0 4,30; 32,180 90,180",),
    "K": ("12,180 12,0; 86,180 14,84 | 92,0",),
    "L": ("12,180 12,0 | 82,0",),
    "M": ("8,0 18,180 | 60,60 | 102,180 | 112,0",),
    "N": ("12,0 12,180 | 88,0 | 88,180",),
    "O": ("74,178 48,177 8,90 60,0 114,90 72,179",),
    "P": ("12,180 12,0; 12,180 80,160 80,102 14,86",),
    "Q": ("74,178 48,177 8,90 60,0 114,90 72,179; 70,45 116,-16",),
    "R": ("12,180 12,0; 12,180 80,160 78,106 14,92 | 90,0",),
    "S": ("84,150 48,180 12,140 48,95 88,50 46,0 6,28",),
    "T": ("50,180 50,0; 4,180 96,180",),
    "U": ("12,180 12,60 50,0 90,60 90,180",),
    "V": ("5,180 | 50,0 | 95,180",),
    "W": ("5,180 | 35,0 | 65,140 | 95,0 | 125,180",),
    "X": ("8,180 92,0; 92,180 8,0",),
    "Y": ("8,180 50,90 | 92,180; 50,90 50,0",),
    "Z": ("8,180 92,180 | 6,0 | 96,0",),
    ".": ("10,2",),
    ",": ("14,8 4,-24",),
    "'": ("12,185 8,148",),
    '"': ("8,185 8,148; 30,185 30,148",),
    "-": ("6,55 58,55",),
    "_": ("0,-12 80,-12",),
    "+": ("6,60 74,60; 40,94 40,26",),
    "=": ("6,78 74,78; 6,42 74,42",),
    "<": ("66,100 | 8,60 | 66,20",),
    ">": ("8,100 | 66,60 | 8,20",),
    "#": ("34,170 20,10; 70,170 56,10; 4,115 88,115; 0,62 84,62",),
    "*": ("40,160 40,80; 8,140 72,100; 72,140 8,100",),
    "%": ("80,170 10,0; 26,168 8,140 26,112 44,140 26,168; 66,56 48,28 66,0 84,28 66,56",),
    "&": ("90,0 24,130 46,172 66,134 10,46 40,0 92,66",),
    "@": ("72,104 44,118 26,84 46,54 72,74 72,108 | 84,54 106,90 64,150 8,84 54,8 98,20",),
    "!": ("14,180 14,52; 14,2",),
    "?": ("8,140 40,178 70,140 38,88 38,50; 38,2",),
    ":": ("12,90; 12,10",),
    ";": ("14,90; 16,8 6,-24",),
    "/": ("60,185 4,-10",),
    "\\": ("4,185 60,-10",),
    "|": ("10,190 10,-30",),
    "(": ("40,190 10,85 40,-25",),
    ")": ("8,190 38,85 8,-25",),
    "[": ("42,190 12,190 | 12,-25 | 42,-25",),
    "]": ("8,190 38,190 | 38,-25 | 8,-25",),
    "{": ("46,190 26,160 26,105 6,82 26,60 26,5 46,-25",),
    "}": ("6,190 26,160 26,105 46,82 26,60 26,5 6,-25",),
    "^": ("8,130 | 38,180 | 68,130",),
    "~": ("4,60 26,80 52,58 76,78",),
    "$": ("76,140 44,164 12,132 44,88 78,50 42,12 6,38; 44,186 44,-10",),
}

Controls = tuple[tuple[np.ndarray, ...], ...]
"""Strokes of smooth pieces; a piece is an array (P, 2) of the points its curve passes."""


@functools.cache
def controls(character: str, form: int = 0) -> Controls:
    """The points of an outline, in units of the height of a small x, y growing upwards.

    Raises KeyError for a character without an outline; `form` counts modulo its outlines.
    """
    forms = GLYPHS[character]
    return controls_of(forms[form % len(forms)])


def controls_of(form: str) -> Controls:
    """The points of an outline in the notation of `GLYPHS`, in heights of a small x."""
    strokes = []
    for stroke in form.split(";"):
        pieces: list[np.ndarray] = []
        for piece in stroke.split("|"):
            points = np.array([[float(v) for v in p.split(",")] for p in piece.split()]) / 100
            pieces.append(np.concatenate([pieces[-1][-1:], points]) if pieces else points)
        strokes.append(tuple(pieces))
    return tuple(strokes)


ROUNDNESS = 1.4
"""Four points of a circle give a circle at 1.66 and a lozenge at 1."""

SAMPLES = np.arange(8) / 8
"""Where a curve is sampled between two of its points."""

HERMITE = np.array(
    [
        (1 + 2 * SAMPLES) * (1 - SAMPLES) ** 2,
        SAMPLES * (1 - SAMPLES) ** 2,
        SAMPLES**2 * (3 - 2 * SAMPLES),
        SAMPLES**2 * (SAMPLES - 1),
    ]
)
"""Weights of start, start tangent, end and end tangent at the samples."""


def smooth(points: np.ndarray) -> np.ndarray:
    """A curve through points (P, 2), sampled eight times from one point to the next.

    Centripetal Catmull-Rom (Barry & Goldman 1988), written as cubic Hermite pieces with tangents
    longer by `ROUNDNESS`; the end tangents are those of a parabola through the outer points.
    """
    if len(points) < 2:
        return points
    steps = points[1:] - points[:-1]
    d = np.sqrt(np.hypot(steps[:, :1], steps[:, 1:])) + 1e-9
    slopes = steps / d
    if len(points) == 2:
        tangents = slopes[[0, 0]]
    else:
        inner = (slopes[:-1] * d[1:] + slopes[1:] * d[:-1]) / (d[:-1] + d[1:])
        first = 1.5 * slopes[:1] - 0.5 * inner[:1]
        last = 1.5 * slopes[-1:] - 0.5 * inner[-1:]
        tangents = ROUNDNESS * np.concatenate([first, inner, last])
    pieces = np.stack([points[:-1], tangents[:-1] * d, points[1:], tangents[1:] * d], axis=1)
    return np.concatenate([(HERMITE.T @ pieces).reshape(-1, 2), points[-1:]])


def outline(character: str) -> list[np.ndarray]:
    """The drawn strokes of a character, each (P, 2); an empty list for one without an outline."""
    if character not in GLYPHS:
        return []
    return [np.concatenate([smooth(piece) for piece in stroke]) for stroke in controls(character)]
