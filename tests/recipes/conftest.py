"""Modules of the recipes."""

import importlib
from pathlib import Path

import pytest


@pytest.fixture
def load(monkeypatch):
    """Imports a module of the recipe as its script does, from its own folder."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "recipes" / "odyssey")
    return importlib.import_module
