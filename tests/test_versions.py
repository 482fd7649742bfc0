"""The Python versions that are named: the same ones everywhere."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def versions(text: str) -> set[str]:
    return set(re.findall(r"(?<!\d)3\.\d\d(?!\d)", text))


@pytest.fixture(scope="module")
def tested() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return versions("\n".join(project["classifiers"]))


def lines(file: str, part: str) -> str:
    """The lines of a file that contain `part`; there is one at least."""
    found = [line for line in (ROOT / file).read_text("utf-8").splitlines() if part in line]
    assert found, f"{file} has no line with {part!r}"
    return "\n".join(found)


def test_the_lowest_is_the_one_that_is_required(tested):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == f">={min(tested)}"


@pytest.mark.parametrize(
    ("file", "part"),
    [
        (".github/workflows/tests.yml", "python: ["),
        ("scripts/environment.sh", "are tested"),
        ("scripts/environment.sh", "for candidate in"),
    ],
)
def test_every_place_names_the_tested_versions(tested, file, part):
    assert versions(lines(file, part)) == tested


def test_the_first_page_names_no_other(tested):
    assert versions(lines("README.md", "Tested with Python")) <= tested
