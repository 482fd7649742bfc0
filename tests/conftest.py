"""Fixtures shared by all tests: where the real corpora lie, and a quiet single-threaded torch."""

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import torch

from seqlabel.alphabet import Alphabet
from seqlabel.corpora import iam_ondb
from seqlabel.corpora.manifest import Segment, read_manifest, write_manifest
from seqlabel.features.front_end import FrontEnd, make_extractor
from seqlabel.synthetic import ink as synthetic_ink
from seqlabel.training.experiment import Experiment
from seqlabel.training.run_directory import (
    WEIGHTS,
    make_model,
    save_weights,
    write_description,
)

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SEQLABEL_DATA", ROOT.parent / "shared" / "data"))

# Programs started in the background of a script ignore Ctrl-C, and so would those of the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _corpus(name: str) -> Path:
    path = DATA / name
    if not path.is_dir():
        pytest.skip(f"{path} is absent (set SEQLABEL_DATA to the folder that holds {name}/)")
    return path


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """After training or loading a model denormals are flushed, and hypothesis draws none then."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def untrained() -> Callable[..., Path]:
    """make(folder, alphabet, seed) -> a small model directory for speech with random weights."""

    def make(folder: Path, alphabet: Alphabet, seed: int = 0) -> Path:
        folder.mkdir()
        (folder / "given.toml").write_text(
            'features.kind = "fbank"\nfront_end.normalise = "utterance"\n'
            "model.hidden = 4\nmodel.layers = 1\n"
        )
        experiment = Experiment.load(folder / "given.toml")
        front_end = FrontEnd(make_extractor(experiment.features), experiment.front_end)
        torch.manual_seed(seed)
        write_description(folder, experiment, alphabet, front_end, {})
        model = make_model(experiment, front_end, alphabet)
        save_weights(folder / WEIGHTS, model.state_dict())
        return folder

    return make


@pytest.fixture(scope="session")
def cases() -> Callable[[int], range]:
    """The numbers of so many random cases; a fiftieth of them where kernels are not compiled."""
    compiled = not numba.config.DISABLE_JIT
    return lambda count: range(count if compiled else -(-count // 50))


@pytest.fixture(scope="session")
def plain_edit_distance() -> Callable[[Sequence[Any], Sequence[Any]], int]:
    """The Levenshtein distance, one row of the table after the other (Wagner and Fischer 1974)."""

    def distance(reference: Sequence[Any], hypothesis: Sequence[Any]) -> int:
        row = list(range(len(hypothesis) + 1))
        for deleted, r in enumerate(reference, 1):
            above, row = row, [deleted]
            for j, h in enumerate(hypothesis):
                row.append(min(above[j] + (r != h), above[j + 1] + 1, row[j] + 1))
        return row[-1]

    return distance


@pytest.fixture(scope="session")
def edit_distance(plain_edit_distance) -> Callable[[Sequence[Any], Sequence[Any]], int]:
    """The Levenshtein distance: editdistance's, or the plain one where it has no wheel."""
    if sys.version_info >= (3, 13):  # as in the dev extra of pyproject.toml
        return plain_edit_distance
    import editdistance

    return editdistance.eval


@pytest.fixture(scope="session")
def start_browser() -> Callable[..., AbstractContextManager[Any]]:
    """Starts a headless Chromium with further options, see scripts/chromium.py; skips without."""
    import chromium

    found = chromium.find()
    if found is None:
        pytest.skip("no Chromium or Chrome on the PATH (apt install chromium)")
    return functools.partial(chromium.chromium, found)


@pytest.fixture(scope="session")
def timit() -> Path:
    """The TIMIT sample in LDC layout; skips where it is absent."""
    return _corpus("TIMIT")


@pytest.fixture(scope="session")
def an4() -> Path:
    """The AN4 corpus; skips where it is absent."""
    return _corpus("an4")


@pytest.fixture(scope="session")
def crohme() -> Path:
    """The CROHME InkML corpus; skips where it is absent."""
    return _corpus("crohme")


TINY = """
seed = 3
[features]
kind = "ink_delta"
[model]
cell = "peephole"
hidden = 12
layers = 1
dropout = 0.1
[batches]
frames = 800
[[phases]]
name = "first"
epochs = 3
learning_rate = 0.01
input_noise = 0.1
weight_noise = 0.01
ema = 0.9
[[phases]]
name = "second"
epochs = 2
optimiser = "sgd"
learning_rate = 1e-3
decay = "halving"
accumulate = 2
average = 2
adaptive_noise = 0.05
consistency = 0.2
"""


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder: 24 lines of synthetic ink to train on, 6 for dev."""
    folder = tmp_path_factory.mktemp("tiny")
    options = synthetic_ink.InkCorpus((24, 6, 6, 6), (4, 2, 2, 2), length=(2, 4))
    synthetic_ink.write_corpus(folder / "corpus", options)
    iam_ondb.prepare(folder / "corpus", iam_ondb.Options()).save(folder / "data")
    return folder / "data"


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with two phases and every kind of state that a checkpoint holds."""
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def segmented(tiny_corpus, tmp_path_factory) -> Path:
    """The tiny corpus with segments: each label gets an equal share of the writing time."""
    folder = tmp_path_factory.mktemp("segmented")
    for name in ("train", "dev", "test"):
        utterances = []
        for utterance in read_manifest(tiny_corpus / f"{name}.jsonl"):
            borders = np.linspace(0, utterance.duration, len(utterance.labels) + 1).tolist()
            segments = map(Segment, utterance.labels, borders, borders[1:])
            utterances.append(replace(utterance, segments=tuple(segments)))
        write_manifest(folder / f"{name}.jsonl", utterances)
    for name in ("alphabet.json", "corpus.json"):
        (folder / name).write_bytes((tiny_corpus / name).read_bytes())
    return folder
