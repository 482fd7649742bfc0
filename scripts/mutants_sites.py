"""The mutants of a module: small changes of its code that its tests should detect.

The changes are those of Cosmic Ray's operators, without unlikely mistakes: each arithmetic operator
is replaced only by its closest relative, and `==` does not become `is`. Annotations and decorators
are not changed (with NUMBA_DISABLE_JIT=1 kernels have none).
"""

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass

from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

KIN = {
    "Add": "Sub", "Sub": "Add", "Mul": "Div", "Div": "Mul", "FloorDiv": "Div", "Mod": "FloorDiv",
    "Pow": "Mul", "RShift": "LShift", "LShift": "RShift", "BitOr": "BitAnd", "BitAnd": "BitOr",
    "BitXor": "BitOr",
}  # fmt: skip
"""Arithmetic operator -> its replacement."""

LEFT_OUT = ("RemoveDecorator", "VariableReplacer", "VariableInserter", "ExceptionReplacer")


@dataclass(frozen=True)
class Mutant:
    """One change: the `occurrence`th match of Cosmic Ray's `operator`."""

    operator: str
    occurrence: int
    line: int
    column: int

    def apply(self, code: str) -> str:
        """The changed source of a module."""
        changed = mutate_code(code, get_operator(self.operator)(), self.occurrence)
        assert changed is not None
        return changed

    def difference(self, code: str) -> str:
        """The changed lines, before and after."""
        before, after = code.splitlines(), self.apply(code).splitlines()
        new = [b.strip() for a, b in zip(before, after, strict=False) if a != b]
        return f"{before[self.line - 1].strip()}  ->  {' / '.join(new)}"


def find_mutants(code: str) -> list[Mutant]:
    """All mutants of a source, in order of lines."""
    fixed = list(_fixed(ast.parse(code)))
    operators = {name: get_operator(name)() for name in operator_names() if _wanted(name)}
    places: dict[str, list[tuple[int, int]]] = {name: [] for name in operators}

    class Places(Visitor):
        def visit(self, node):
            for name, operator in operators.items():
                places[name] += [start for start, _ in operator.mutation_positions(node)]
            return node

    Places().walk(get_ast(code))
    found = [
        Mutant(name, occurrence, *place)
        for name, all_places in places.items()
        for occurrence, place in enumerate(all_places)
        if not any(start <= place < end for start, end in fixed)
    ]
    return sorted(found, key=lambda one: (one.line, one.column, one.operator, one.occurrence))


def sample(mutants: list[Mutant], most: int, seed: int) -> list[Mutant]:
    """A random sample of at most `most` mutants, in order of lines."""
    if len(mutants) <= most:
        return mutants
    chosen = random.Random(seed).sample(range(len(mutants)), most)
    return [mutants[n] for n in sorted(chosen)]


def statements(code: str) -> dict[int, set[int]]:
    """Line -> lines of its innermost statement; for a compound statement, only the header."""
    lines: dict[int, set[int]] = {}
    for node in ast.walk(ast.parse(code)):  # from the outside in
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = (body[0].lineno - 1 if body else node.end_lineno) or node.lineno
            span = set(range(node.lineno, max(end, node.lineno) + 1))
            lines.update(dict.fromkeys(span, span))
    return lines


def on_import(code: str) -> set[int]:
    """Lines outside the bodies of functions."""
    lines = set(range(1, code.count("\n") + 2))
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            body = node.body if isinstance(node, ast.Lambda) else node.body[0]
            lines -= set(range(body.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _wanted(name: str) -> bool:
    """Whether mutants of Cosmic Ray's operator `name` are useful."""
    name = name.removeprefix("core/")
    family, _, change = name.partition("Operator_")
    if family == "ReplaceBinary":
        before, after = change.split("_")
        return KIN[before] == after
    if family == "ReplaceComparison":
        before, after = change.split("_")
        return ("Is" in after) == ("Is" in before)
    return name not in LEFT_OUT


def _fixed(tree: ast.Module) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Start and end of annotations and decorators."""
    for node in ast.walk(tree):
        parts = [getattr(node, name, None) for name in ("annotation", "returns")]
        if isinstance(node, ast.FunctionDef):  # from its first argument on: the `*` and `/`
            parts += node.decorator_list
        if isinstance(node, ast.ClassDef):
            parts += node.decorator_list
        for part in parts:
            if isinstance(part, ast.expr):
                end = part.end_lineno or part.lineno, part.end_col_offset or 0
                yield (part.lineno, part.col_offset), end
