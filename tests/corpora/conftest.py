"""Files that several tests of readers begin with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from seqlabel.config import build
from seqlabel.corpora import CORPORA

RATE = 8000


@pytest.fixture
def wavs(tmp_path):
    """a.wav: 4 s, mono; b.wav: 3 s, two channels."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "audio"
    folder.mkdir()
    for name, shape in (("a", 4 * RATE), ("b", (3 * RATE, 2))):
        samples = rng.integers(-9999, 9999, shape).astype(np.int16)
        soundfile.write(folder / f"{name}.wav", samples, RATE)
    return folder


@pytest.fixture
def write() -> Callable[[Path, dict[str, Any]], Path]:
    """Writes files below a folder: bytes, text, or rows as JSON lines."""

    def write(folder, files):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content if isinstance(content, str) else _lines(content))
        return folder

    return write


def _lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def prepare() -> Callable[..., tuple[dict[str, Any], Any]]:
    """Prepares a corpus by its name: utterances by their ids, and all of it."""

    def prepare(corpus, source, **options):
        options = {"dev": 0.0, "test": 0.0, **options}
        prepared = CORPORA[corpus].prepare(source, build(CORPORA[corpus].Options, options, corpus))
        return {u.id: u for utterances in prepared.splits.values() for u in utterances}, prepared

    return prepare


@pytest.fixture
def inkml() -> Callable[..., str]:
    """Makes the text of a CROHME file."""
    return _inkml


def _inkml(symbols, latex, traces=6, writer="w1", kind="type"):
    """An expression; symbols: (label, numbers of its traces)."""
    groups = "".join(
        f'<traceGroup xml:id="g{n}"><annotation type="truth">{label}</annotation>'
        + "".join(f'<traceView traceDataRef="{trace}"/>' for trace in parts)
        + "</traceGroup>"
        for n, (label, parts) in enumerate(symbols)
    )
    strokes = "".join(f'<trace id="{n}">{n} 1, {n} 2, 3 {n}</trace>' for n in range(traces))
    return (
        '<ink xmlns="http://www.w3.org/2003/InkML">'
        f'<annotation type="writer">{writer}</annotation><annotation {kind}="truth">${latex}$'
        f'</annotation>{strokes}<traceGroup xml:id="t"><annotation type="truth">Segmentation'
        f"</annotation>{groups}</traceGroup></ink>"
    )


@pytest.fixture
def tiny(tmp_path):
    files = {
        "TrainINKML/HAMEX/one.inkml": _inkml([("x", [0]), ("+", [1, 3]), ("y", [2])], "x+y"),
        "TrainINKML/KAIST/frac.inkml": _inkml(
            [("-", [2]), ("1", [1]), ("\\pi", [3])], "\\frac{1}{\\pi}"
        ),
        "TrainINKML/MfrDB/bad.inkml": "<ink><trace",
        "TestINKMLGT/d.inkml": _inkml([("y", [0])], "y", writer="w2"),
        "TestINKMLGT/e.inkml": _inkml([("y", [1]), ("x", [0])], "y", writer="w2", kind="typx"),
        "TestEM2014GT/t.inkml": _inkml([("x", [5]), ("1", [4])], "x^1", writer="w3"),
    }
    for name, text in files.items():
        path = tmp_path / "crohme" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path
