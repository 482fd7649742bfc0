"""Configurations: strictness, suggestions, overrides, round trips."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from seqlabel.config import as_table, build, dump_toml, load_toml
from seqlabel.errors import InputError


@dataclass(frozen=True)
class Inner:
    width: int = 3
    kind: Literal["wide", "narrow"] = "wide"


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    rate: float = 0.1
    names: tuple[str, ...] = ()
    limit: float | None = None
    cell: str | dict[str, Any] = "lstm"
    phases: tuple[Inner, ...] = ()
    on: bool = False
    shape: dict[str, Any] = field(default_factory=dict, metadata={"tag": "kind"})
    rest: dict[str, Any] = field(default_factory=dict)


def test_builds_nested_values_and_widens_integers():
    table = {"inner": {"width": 5}, "rate": 1, "names": ["a", "b"], "phases": [{"width": 1}]}
    options = build(Outer, table, "c.toml")
    assert options == Outer(Inner(5), 1.0, ("a", "b"), phases=(Inner(1),))
    assert isinstance(options.rate, float)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"inner": {"widht": 5}}, "c.toml.inner: unknown option widht (did you mean 'width'?)"),
        ({"inner": {"kind": "wid"}}, "c.toml.inner.kind = 'wid' (did you mean 'wide'?)"),
        ({"rate": "fast"}, "c.toml.rate = 'fast': float is expected"),
        ({"inner": {"width": True}}, "c.toml.inner.width = True: int is expected"),
        ({"on": 1}, "c.toml.on = 1: bool is expected"),
        ({"names": "a"}, "c.toml.names = 'a': a list is expected"),
        ({"names": ["a", 1]}, "c.toml.names[1] = 1: str is expected"),
        ({"inner": 3}, "c.toml.inner: a table of options is expected, not 3"),
        ({"limit": "x"}, "c.toml.limit = 'x': float is expected"),
        ({"shape": "x"}, "c.toml.shape = 'x': a table is expected; write shape.kind=x"),
        ({"shape": 3}, "c.toml.shape = 3: a table is expected; write shape.kind=..."),
        ({"rest": []}, "c.toml.rest = []: a table is expected"),
        ({"cell": [1]}, "c.toml.cell = [1]: a name or a table is expected"),
    ],
)
def test_a_wrong_value_is_named(table, message):
    with pytest.raises(InputError) as error:
        build(Outer, table, "c.toml")
    assert str(error.value) == message


def test_none_stands_for_nothing_only_where_that_is_allowed():
    assert build(Outer, {"limit": "none"}, "c").limit is None
    with pytest.raises(InputError):
        build(Outer, {"rate": "none"}, "c")


def test_overrides_take_toml_values_or_bare_words(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("rate = 1.0\n[inner]\nwidth = 1\n")
    table = load_toml(path, ["inner.width=7", "inner.kind=narrow", 'names=["x"]', "on=true"])
    assert build(Outer, table, "c") == Outer(Inner(7, "narrow"), 1.0, ("x",), on=True)
    with pytest.raises(InputError, match="expected key=value"):
        load_toml(path, ["rate"])
    with pytest.raises(InputError, match="rate is not a table"):
        load_toml(path, ["rate.x=1"])


def test_overrides_reach_into_lists(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[[phases]]\nwidth = 1\nkind = 'narrow'\n[[phases]]\nwidth = 2\n")
    assert load_toml(path, ["phases.1.width=5"])["phases"] == [
        {"width": 1, "kind": "narrow"},
        {"width": 5},
    ]
    for key in ("phases.2.width", "phases.x.width", "phases.0", "phases.0.width.x"):
        with pytest.raises(InputError, match="is not a table"):
            load_toml(path, [f"{key}=5"])


def test_broken_toml_names_the_file(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("rate = \n")
    with pytest.raises(InputError, match=r"c\.toml: not TOML"):
        load_toml(path)
    with pytest.raises(InputError, match="no such file"):
        load_toml(tmp_path / "absent.toml")


def test_what_is_dumped_is_read_back(tmp_path):
    options = Outer(
        Inner(9, "narrow"),
        1e-5,
        ('say "hi"', "back\\slash", "new\nline"),
        cell={"forget": False, "peephole": "diagonal"},
        phases=(Inner(1), Inner(2)),
        on=True,
    )
    path = tmp_path / "c.toml"
    path.write_text(dump_toml(as_table(options)))
    assert build(Outer, load_toml(path), "c") == options


def test_a_base_fills_in_what_a_file_leaves_out(tmp_path):
    (tmp_path / "base.toml").write_text("rate = 2.0\n[inner]\nwidth = 1\nkind = 'narrow'\n")
    path = tmp_path / "c.toml"
    path.write_text("base = 'base.toml'\n[inner]\nwidth = 4\n")
    assert build(Outer, load_toml(path), "c") == Outer(Inner(4, "narrow"), 2.0)
    (tmp_path / "base.toml").write_text("base = 'c.toml'\n")
    with pytest.raises(InputError, match="is its own base"):
        load_toml(path)
