"""recipes/offline: ink of a prepared corpus drawn as images, all the way to batches."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqlabel.cli import main
from seqlabel.corpora.manifest import Utterance, read_manifest
from seqlabel.inputs.image import read_image
from seqlabel.inputs.ink import Ink
from seqlabel.inputs.ink_files import write_ink
from seqlabel.synthetic.image import SCALE, ImageCorpus

RECIPE = Path(__file__).parents[2] / "recipes" / "offline"


@pytest.fixture
def rendered(monkeypatch):
    monkeypatch.syspath_prepend(RECIPE)
    return importlib.import_module("rendered")


def corpus(root: Path, unit: float) -> Path:
    """An L and a T in two sets, in coordinates of so many units a step, prepared."""
    letters = {
        "L": [[(0, 0), (0, 8), (5, 8)]],
        "T": [[(0, 0), (6, 0)], [(3, 0), (3, 8)]],
    }
    for name in ("train", "dev", "test"):
        (root / "ink" / name).mkdir(parents=True)
        for letter, strokes in letters.items():
            path = root / "ink" / name / f"{letter}{name}.inkml"
            write_ink(path, Ink([np.array(s, float) * unit + 1000 for s in strokes]))
            path.with_suffix(".txt").write_text(letter)
    assert main(["prepare", "folder", str(root / "ink"), str(root / "prepared")]) == 0
    return root / "prepared"


def draw(data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RECIPE / "rendered.py"), str(data), str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("unit", [0.01, 1.0, 4000.0])
def test_the_median_stroke_has_its_size_in_whatever_units(rendered, unit):
    strokes = [[(0, 0), (8, 0)], [(3, 0), (3, 6)], [(9, 4), (9, 4.5)]]
    ink = rendered.scaled(Ink([np.array(s) * unit - 7 for s in strokes]), 18)
    extents = [np.ptp(stroke[:, :2], axis=0).max() * SCALE for stroke in ink.strokes]
    np.testing.assert_allclose(extents, [24, 18, 1.5], rtol=1e-6)
    assert ink.points[:, :2].min() == 0


def test_dots_and_long_lines_have_a_size_too(rendered):
    dot = rendered.scaled(Ink([[(5, 5)]]), 16)
    assert dot.points[:, :2].tolist() == [[0, 0]]
    dots = rendered.scaled(Ink([[(5, 5)], [(9, 5)], [(1, 5)]]), 16)
    assert np.ptp(dots.points[:, 0]) * SCALE == pytest.approx(16)
    far = rendered.scaled(Ink([[(0, 0), (1, 0)], [(1e6, 0), (1e6 + 1, 0)]]), 16)
    assert np.ptp(far.points[:, 0]) * SCALE == pytest.approx(rendered.LARGEST)


def test_a_writer_has_one_pen(rendered, tmp_path):
    options = ImageCorpus(seed=3)
    lines = [Utterance(f"u{n}", tmp_path, "ink", (), speaker=who) for n, who in enumerate("aab")]
    pens = [rendered.pen_of(line, options) for line in lines]
    assert pens[0] == pens[1] != pens[2]
    unknown = [Utterance(f"u{n}", tmp_path, "ink", ()) for n in range(2)]
    assert rendered.pen_of(unknown[0], options) != rendered.pen_of(unknown[1], options)


def test_ink_becomes_images_of_the_same_labels(tmp_path):
    data = corpus(tmp_path, 40.0)
    done = draw(data, tmp_path / "images")
    assert done.returncode == 0, done.stderr
    assert main(["prepare", "manifest", str(tmp_path / "images"), str(tmp_path / "data")]) == 0
    for name in ("train", "dev", "test"):
        drawn = read_manifest(tmp_path / "data" / f"{name}.jsonl")
        written = read_manifest(data / f"{name}.jsonl")
        assert [(u.id, u.labels, u.text) for u in drawn] == [
            (u.id, u.labels, u.text) for u in written
        ]
        for utterance in drawn:
            assert utterance.kind == "image"
            pixels = read_image(utterance.source).pixels
            dark = pixels < (pixels.min() + np.median(pixels)) / 2
            rows, columns = np.nonzero(dark)
            low = dark[rows.max() - 2 : rows.max() + 1].any(axis=0).sum()
            high = dark[rows.min() : rows.min() + 3].any(axis=0).sum()
            # an L is wide at its foot, a T at its head
            assert (low > high) == (utterance.labels == ("L",))
            assert 8 < np.ptp(rows) < 40
            assert 6 < np.ptp(columns) < 40
    before = {path: path.read_bytes() for path in (tmp_path / "images").rglob("*.png")}
    again = draw(data, tmp_path / "images")
    assert "there already" in again.stderr
    assert draw(data, tmp_path / "more").returncode == 0
    for path, content in before.items():
        assert (tmp_path / "more" / path.relative_to(tmp_path / "images")).read_bytes() == content


def test_only_ink_is_drawn(tmp_path):
    data = corpus(tmp_path, 1.0)
    lines = (data / "dev.jsonl").read_text().splitlines()
    rows = [{**json.loads(line), "kind": "image"} for line in lines]
    (data / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = draw(data, tmp_path / "images")
    assert done.returncode == 2
    assert (
        done.stderr.strip()
        .splitlines()[-1]
        .endswith("image, only ink is drawn; prepare a corpus of ink")
    )
    assert not (tmp_path / "images").exists()
