"""Every tutorial is run as it stands: its commands, its files and its Python, on synthetic data.

Blocks marked `bash`, `python` and `toml` are run or written in their order, those marked `sh` and
`text` are only shown. Trainings are cut to one epoch.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import seqlabel
from seqlabel.cli import main
from seqlabel.inputs.formats.ink_json import write_ink_json
from seqlabel.synthetic.hands import random_hand, write_text
from seqlabel.synthetic.text import mixed_text
from seqlabel.training.distribution import Workers
from seqlabel.training.experiment import Experiment
from seqlabel.training.run import train

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
BLOCK = re.compile(r"^```(bash|python|toml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def own_handwriting(folder: Path) -> None:
    (folder / "mine").mkdir()
    rng = np.random.default_rng(1)
    hand = random_hand(rng)
    for n in range(24):
        text = mixed_text(rng)
        write_ink_json(folder / "mine" / f"line{n:02d}.json", write_text(text, hand, rng))
        (folder / "mine" / f"line{n:02d}.txt").write_text(text)


def own_speech(folder: Path) -> None:
    """Tones for letters, by four speakers."""
    rng = np.random.default_rng(2)
    for speaker in ("anna", "ben", "carla", "dario"):
        place = folder / "recordings" / speaker
        place.mkdir(parents=True)
        for n in range(1, 7):
            text = "".join(rng.choice(list("abc"), 3))
            time = np.arange(4800) / 16000
            tones = [np.sin(2 * np.pi * (300 + 400 * "abc".index(c)) * time) for c in text]
            sound = 0.3 * np.concatenate(tones) + 0.01 * rng.normal(size=3 * 4800)
            soundfile.write(place / f"{n:04d}.wav", sound, 16000)
            (place / f"{n:04d}.txt").write_text(text)


DATA = {"own_handwriting": own_handwriting, "own_speech": own_speech}


@pytest.mark.parametrize("name", sorted(path.stem for path in TUTORIALS.glob("*.md")))
def test_a_tutorial_runs(name, tmp_path):
    DATA.get(name, lambda folder: None)(tmp_path)
    blocks = BLOCK.findall((TUTORIALS / f"{name}.md").read_text("utf-8"))
    assert blocks
    program = f"{sys.executable} -m seqlabel.cli"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    python: list[str] = []
    for language, block in blocks:
        if language == "toml":
            named = re.match(r"# (\S+\.toml)\n", block)
            assert named, f"{name}: the first line of a configuration names its file"
            (tmp_path / named[1]).write_text(block)
        elif language == "python":
            python.append(block)
        else:
            commands = re.sub(r"(?m)^seqlabel", program, block)
            commands = re.sub(r"(?m)( train .*)$", r"\1 --set phases.0.epochs=1", commands)
            run = subprocess.run(
                ["bash", "-ec", commands],
                cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
            )  # fmt: skip
            assert run.returncode == 0, f"{block}\n{run.stdout}\n{run.stderr}"
    if python:
        code = "\n".join(python)
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"


def test_training_from_a_model_of_the_package_begins_where_that_one_is(tmp_path):
    """One epoch of the tutorial's configuration on other letters does not make it worse."""
    own_handwriting(tmp_path)
    text = (TUTORIALS / "own_handwriting.md").read_text("utf-8")
    (config,) = [block for language, block in BLOCK.findall(text) if language == "toml"]
    (tmp_path / "mine.toml").write_text(config)
    data, folder = tmp_path / "data", tmp_path / "exp"
    assert main(["prepare", "folder", str(tmp_path / "mine"), str(data)]) == 0
    experiment = Experiment.load(tmp_path / "mine.toml", ["phases.0.epochs=1"])
    run = train(experiment, data, folder, Workers())
    assert run.best_error_rate() < 0.1
    begun, first = seqlabel.load(folder).alphabet, seqlabel.load("handwriting").alphabet
    assert set(begun.symbols) == set(first.symbols)
