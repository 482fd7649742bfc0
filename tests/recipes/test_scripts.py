"""The shell scripts of the recipes: what they refuse, and that they find their own folder."""

import os
import subprocess
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


def run(*command, **environment):
    options = {"cwd": RECIPES.parent, "env": {**os.environ, **environment}}
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


SCRIPTS = sorted(str(path.relative_to(RECIPES)) for path in RECIPES.glob("*/*.sh"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_and_a_cd_that_prints_its_folder(script):
    """With CDPATH, `cd` prints where it goes."""
    done = run("bash", "-x", f"recipes/{script}", "--help", CDPATH=".")
    assert done.returncode == 0
    assert Path(script).name in done.stdout
    assert f"+ recipe={RECIPES / Path(script).parent}\n" in done.stderr


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ("phones/run.sh", ["--seeds", "0"]),
        ("phones/run.sh", ["--epochs", "x"]),
        ("synthetic/run.sh", ["--stage", "4", "--stop-stage", "2"]),
        ("tasks/run.sh", ["anomaly", "process"]),
        ("odyssey/run.sh", ["--stage", "3"]),
        ("odyssey/run.sh", ["--stage", "2", "--stop-stage", "1"]),
        ("synthetic/noise.sh", ["--seeds", "x"]),
        ("synthetic/noise.sh", ["--lines", "0"]),
    ],
)
def test_options_that_cannot_work_are_refused(script, wrong, tmp_path):
    (tmp_path / "train.jsonl").write_text("")
    data = ["--data", str(tmp_path)] if script == "phones/run.sh" else []
    done = run("bash", f"recipes/{script}", *data, "--exp", str(tmp_path / "exp"), *wrong)
    assert done.returncode == 2
    assert " ".join(wrong) in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "exp").exists()
