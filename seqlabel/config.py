"""Configurations: TOML read strictly into frozen dataclasses.

An unknown key is an error that suggests the nearest known one; a value of another type is an error
that names the key. `dump_toml` writes a configuration with all defaults, so that a run directory
states all of it.
"""

import dataclasses
import difflib
import math
import os
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from seqlabel.errors import InputError
from seqlabel.files import read_text

Options = TypeVar("Options")


def load_toml(
    path: str | os.PathLike[str], overrides: Iterable[str] = (), bases: bool = True
) -> dict[str, Any]:
    """Parse a TOML file and apply `a.b=value` overrides (TOML values; bare words are strings).

    Entries of a list are numbered from 0: `phases.0.epochs=20`.

    `base = "other.toml"` at the top names a file beside it with values for keys that this one
    lacks; tables are merged, lists are replaced. Without `bases` it is an unknown option.
    """
    table = _read_with_bases(Path(path), []) if bases else _read(Path(path))
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise InputError(f"--set {override}: expected key=value, for example --set seed=2")
        *parents, last = key.strip().split(".")
        branch: Any = table
        for parent in parents:
            branch = _inside(branch, parent, f"--set {override}: {parent} is not a table of {path}")
        if not isinstance(branch, dict):
            raise InputError(f"--set {override}: {'.'.join(parents)} is not a table of {path}")
        branch[last] = _value(value.strip())
    return table


def _inside(branch: Any, key: str, fault: str) -> Any:
    """The value of `key` in a table, an empty table if it has none; of a list, the entry."""
    if isinstance(branch, dict):
        return branch.setdefault(key, {})
    if isinstance(branch, list) and key.isdecimal() and int(key) < len(branch):
        return branch[int(key)]
    raise InputError(fault)


def _read(path: Path) -> dict[str, Any]:
    text = read_text(path)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits; deep nesting
        raise InputError(f"{path}: not TOML: {error}") from None


def _read_with_bases(path: Path, readers: list[Path]) -> dict[str, Any]:
    if path.resolve() in readers:
        raise InputError(f"{path}: is its own base; remove a `base` line")
    table = _read(path)
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise InputError(f"{path}: base = {base!r}: the name of a file is expected")
    return _merge(_read_with_bases(path.parent / base, [*readers, path.resolve()]), table)


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(under.get(key), Mapping)
        merged[key] = _merge(under[key], value) if both else value
    return merged


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def build(cls: type[Options], table: Mapping[str, Any], where: str) -> Options:
    """An instance of the frozen dataclass `cls` from a TOML table; `where` begins the messages.

    The metadata `tag` of a field that is a table names the option with which that begins.
    """
    if not isinstance(table, Mapping):
        raise InputError(f"{where}: a table of options is expected, not {table!r}")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls)) if f.init}
    names = list(fields)
    for key in table:
        if key not in names:
            raise InputError(f"{where}: unknown option {key}{did_you_mean(key, names)}")
    for key, value in table.items():
        if typing.get_origin(hints[key]) is dict and not isinstance(value, Mapping):
            raise InputError(
                f"{where}.{key} = {value!r}: a table is expected"
                f"{_with_tag(key, fields[key].metadata.get('tag'), value)}"
            )
    values = {key: _convert(hints[key], value, f"{where}.{key}") for key, value in table.items()}
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except TypeError as error:
        raise InputError(f"{where}: {error}") from None


def _with_tag(key: str, tag: str | None, value: Any) -> str:
    """A suffix for the error message of a table of which only the value of `tag` is given."""
    if tag is None:
        return ""
    return f"; write {key}.{tag}={value if isinstance(value, str) else '...'}"


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A suffix for error messages: the nearest known word, or all of them."""
    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(known)})"


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, where)
    if origin is Literal:
        if isinstance(value, int) and str(value) in arguments:
            return str(value)  # for example a year, which has no quotes on a command line
        if not any(value == known and type(value) is type(known) for known in arguments):
            known = [_word(argument) for argument in arguments]
            raise InputError(f"{where} = {value!r}{did_you_mean(_word(value), known)}")
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(arguments, value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where} = {value!r}: a list is expected")
        hints = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(hints) != len(value):
            raise InputError(f"{where}: {len(hints)} values are expected, not {len(value)}")
        pairs = zip(hints, value, strict=True)
        return tuple(_convert(h, v, f"{where}[{n}]") for n, (h, v) in enumerate(pairs))
    if origin is dict and not isinstance(value, Mapping):
        raise InputError(f"{where} = {value!r}: a table is expected")
    if origin is dict:
        return {key: _convert(arguments[1], v, f"{where}.{key}") for key, v in value.items()}
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (isinstance(value, bool) and hint is not bool) or not isinstance(value, hint):
        raise InputError(f"{where} = {value!r}: {hint.__name__} is expected")
    if hint is float and not math.isfinite(value):
        raise InputError(f"{where} = {value!r}: a finite number is expected")
    return value


def _word(value: Any) -> str:
    """A value as TOML writes it, strings without their quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _convert_union(arguments: Sequence[Any], value: Any, where: str) -> Any:
    if value == "none" and type(None) in arguments and str not in arguments:
        return None  # TOML has no null; "none" stands for it
    if all(map(dataclasses.is_dataclass, arguments)):
        return _convert(_by_tag(arguments, value, where), value, where)
    errors = []
    for argument in arguments:
        if argument is type(None):
            continue
        try:
            return _convert(argument, value, where)
        except InputError as error:
            errors.append(str(error))
    if str in arguments and any(typing.get_origin(argument) is dict for argument in arguments):
        raise InputError(f"{where} = {value!r}: a name or a table is expected")
    raise InputError(errors[0])


def _by_tag(classes: Sequence[Any], value: Any, where: str) -> Any:
    """Of dataclasses that are told apart by their first field, the one of `value`; else the first.

    An option of another one is an error that names its tag.
    """
    if not isinstance(value, Mapping):
        return classes[0]
    fields = [[field.name for field in dataclasses.fields(cls)] for cls in classes]
    key = fields[0][0]
    tags = [typing.get_args(typing.get_type_hints(cls)[key])[0] for cls in classes]
    tag = value.get(key, tags[0])
    if tag not in tags:
        raise InputError(f"{where}.{key} = {tag!r}{did_you_mean(str(tag), tags)}")
    chosen = tags.index(tag)
    for name in value:
        others = [t for t, names in zip(tags, fields, strict=True) if name in names]
        if others and tag not in others:
            raise InputError(
                f"{where}: {name} is an option of {key} = {' or '.join(map(repr, others))}, not of "
                f"{key} = {tag!r}"
            )
    return classes[chosen]


def as_table(options: Any) -> dict[str, Any]:
    """A dataclass as nested plain values, None as "none" (what `build` accepts)."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [field for field in dataclasses.fields(value) if field.init]
            return {field.name: plain(getattr(value, field.name)) for field in fields}
        if isinstance(value, dict):
            return {key: plain(v) for key, v in value.items()}
        if isinstance(value, list | tuple):
            return [plain(v) for v in value]
        return "none" if value is None else value

    return typing.cast(dict[str, Any], plain(options))


def dump_toml(table: Mapping[str, Any]) -> str:
    """Write nested plain values as TOML, simple keys before tables."""
    return _dump(table, "").strip("\n") + "\n"


def _dump(table: Mapping[str, Any], prefix: str) -> str:
    lines = [f"{key} = {_literal(value)}" for key, value in table.items() if not _is_table(value)]
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]", _dump(value, f"{name}.").strip("\n")]
        elif _is_table(value):
            for entry in value:
                lines += ["", f"[[{name}]]", _dump(entry, f"{name}.").strip("\n")]
    return "\n".join(lines)


def _is_table(value: Any) -> bool:
    tables = isinstance(value, list) and value and isinstance(value[0], Mapping)
    return isinstance(value, Mapping) or bool(tables)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(c if c >= " " else f"\\u{ord(c):04x}" for c in escaped) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(_literal(v) for v in value) + "]"
    return repr(value)
