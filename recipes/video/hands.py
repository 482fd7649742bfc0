"""Synthetic videos of a hand that makes one gesture after the other.

A hand has a palm and up to five visible fingers. It swipes left, right, up or down, circles, waves,
opens (fingers appear) or closes; between gestures it rests for some frames and drifts. Size,
position, speed, angle of the fingers, brightness and noise are random for each video.
"""

from collections.abc import Sequence

import numpy as np

GESTURES = ("left", "right", "up", "down", "circle", "wave", "open", "close")
SIZE = 16
"""Height and width of a frame in pixels."""


def hand(x: float, y: float, fingers: float, radius: float, angle: float) -> np.ndarray:
    """A frame (SIZE, SIZE), 0 ... 1: palm at (x, y); fingers 0 ... 5, the last one fractional."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    palm = np.hypot(columns - x, rows - y)
    frame = np.clip(radius + 0.5 - palm, 0, 1)
    for number in range(5):
        length = radius * 2.2 * np.clip(fingers - number, 0, 1)
        if length <= 0:
            continue
        direction = angle + (number - 2) * 0.45 - np.pi / 2
        along = (columns - x) * np.cos(direction) + (rows - y) * np.sin(direction)
        across = (rows - y) * np.cos(direction) - (columns - x) * np.sin(direction)
        finger = np.clip(1.0 - np.abs(across), 0, 1) * np.clip(along + 0.5, 0, 1)
        frame = np.maximum(frame, finger * np.clip(length + 0.5 - along, 0, 1))
    return frame


def path(gesture: str, frames: int, rng: np.random.Generator) -> np.ndarray:
    """(frames, 3): offsets x and y from the rest position, and the change in fingers."""
    t = np.linspace(0, 1, frames)
    out = np.zeros((frames, 3))
    swing, reach = np.sin(np.pi * t), rng.uniform(3.5, 5)
    if gesture in ("left", "right"):
        out[:, 0] = reach * swing * (1 if gesture == "right" else -1)
    elif gesture in ("up", "down"):
        out[:, 1] = reach * swing * (1 if gesture == "down" else -1)
    elif gesture == "circle":
        turn = 2 * np.pi * t * rng.choice([-1, 1])
        out[:, 0], out[:, 1] = 0.6 * reach * np.sin(turn), 0.6 * reach * (1 - np.cos(turn)) - 1
    elif gesture == "wave":
        out[:, 0] = 0.5 * reach * np.sin(2 * np.pi * 2 * t)
    else:
        out[:, 2] = 3 * swing * (1 if gesture == "open" else -1)
    return out


def video(gestures: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """The video (T, 1, SIZE, SIZE), uint8, of a sequence of gestures."""
    parts = [np.zeros((int(rng.integers(1, 4)), 3))]
    for gesture in gestures:
        parts.append(path(gesture, int(rng.integers(7, 12)), rng))
        parts.append(np.zeros((int(rng.integers(2, 5)), 3)))
    track = np.concatenate(parts)
    drift = np.cumsum(rng.normal(0, 0.12, (len(track), 2)), axis=0)
    centre = SIZE / 2 - 0.5 + rng.uniform(-1.5, 1.5, 2)
    radius, angle = rng.uniform(1.6, 2.3), rng.uniform(-0.3, 0.3)
    light, noise = rng.uniform(0.7, 1.0), rng.uniform(0.02, 0.1)
    frames = [
        light * hand(*(centre + shift + (x, y)), 3 + fingers, radius, angle)
        for (x, y, fingers), shift in zip(track, drift, strict=True)
    ]
    noisy = np.stack(frames) + rng.normal(0, noise, (len(track), SIZE, SIZE))
    return np.round(255 * np.clip(noisy, 0, 1)).astype(np.uint8)[:, None]


def corpus(count: int, seed: int) -> tuple[list[np.ndarray], list[list[str]]]:
    """Videos of one to four gestures each, and their labels."""
    rng = np.random.default_rng(seed)
    labels = [list(rng.choice(GESTURES, rng.integers(1, 5))) for _ in range(count)]
    return [video(gestures, rng) for gestures in labels], labels
