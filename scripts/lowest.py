"""Prints constraints that pin every runtime dependency to the lowest version pyproject.toml allows.

    python scripts/lowest.py >constraints.txt

Tools of the tests keep the versions of scripts/constraints.txt.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    tools = {"dev", "docs", "release", "mutants", "peers"}
    kept = [
        requirement
        for name, group in zip(["", *project["optional-dependencies"]], groups, strict=True)
        if name not in tools
        for requirement in group
    ]
    lowest = dict(
        re.match(r"([\w.-]+)\s*>=\s*([\w.]+)", line).groups() for line in kept if ">=" in line
    )
    tested = (ROOT / "scripts" / "constraints.txt").read_text("utf-8").splitlines()
    # What the pinned ones depend on must be free to fit them.
    bound = {"llvmlite"}
    for line in tested:
        name = line.partition("==")[0]
        if "==" in line and name not in lowest and name not in bound:
            print(line)
    for name, version in sorted(lowest.items()):
        print(f"{name}=={version}")


if __name__ == "__main__":
    main()
