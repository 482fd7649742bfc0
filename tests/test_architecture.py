"""Rooms of the package: imports point one way, and no module imports itself through others."""

import ast
from pathlib import Path

import pytest

import seqlabel

PACKAGE = Path(seqlabel.__file__).parent

ROOMS = (
    "compile_cache", "errors", "files", "memory", "progress", "config", "quantisation",
    "pretrained", "glyphs", "alphabet", "inputs", "features", "corpora", "synthetic", "data",
    "lstm", "decoding", "models", "scoring", "report", "training", "stream", "export", "long",
    "forward", "recognizer", "demo", "cli",
)  # fmt: skip
"""Packages and modules of `seqlabel`, each of which may import those before it."""

WITHOUT_MODELS = {"decoding", "scoring", "report"}
"""Rooms for people who bring posteriors of their own."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> set[str]:
    """Modules of the package that are imported anywhere but under `if TYPE_CHECKING`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("seqlabel."):
            module = str(node.module).removeprefix("seqlabel.")
            for name in node.names:
                whole = f"{module}.{name.name}"
                found.add(whole if whole in MODULES else module)
        elif isinstance(node, ast.ImportFrom) and node.module == "seqlabel":
            found |= {name.name for name in node.names if name.name in MODULES}
        elif isinstance(node, ast.Import):
            found |= {n.name.removeprefix("seqlabel.") for n in node.names if "seqlabel." in n.name}
    return found


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
GRAPH = {name: imports(ast.parse(path.read_text("utf-8"))) for name, path in MODULES.items()}


def test_every_room_has_its_place():
    assert {name.split(".")[0] for name in MODULES if name} == set(ROOMS)


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_a_room_knows_only_those_before_it(module):
    room = module.split(".")[0]
    known = {other.split(".")[0] for other in GRAPH[module]} - {room}
    above = ROOMS[ROOMS.index(room) :]
    assert not known & set(above)
    if room in WITHOUT_MODELS:
        assert not known & {"lstm", "models", "training"}


def test_no_module_imports_itself_through_others():
    waiting = {name: known & set(MODULES) - {name} for name, known in GRAPH.items()}
    while free := [name for name, known in waiting.items() if not known]:
        for name in free:
            del waiting[name]
        for known in waiting.values():
            known.difference_update(free)
    assert not waiting, f"circular imports among {sorted(waiting)}"
