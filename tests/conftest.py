"""Fixtures shared by all tests: where the real corpora lie, and a quiet single-threaded torch."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SEQLABEL_DATA", ROOT.parent / "shared" / "data"))


def _corpus(name: str) -> Path:
    path = DATA / name
    if not path.is_dir():
        pytest.skip(f"{path} is absent (set SEQLABEL_DATA to the folder that holds {name}/)")
    return path


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
