"""The keys of configurations and the options of `seqlabel prepare`, from their dataclasses."""

import dataclasses
import inspect
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seqlabel.config import dump_toml
from seqlabel.corpora import CORPORA
from seqlabel.data.batches import BatchOptions
from seqlabel.features.front_end import FrontEndOptions
from seqlabel.features.image import ImageAugmentation
from seqlabel.features.ink import Augmentation
from seqlabel.features.sound import SoundAugmentation
from seqlabel.features.table import FEATURES
from seqlabel.lstm import PRESETS
from seqlabel.lstm.cell import Cell
from seqlabel.models.criteria import CRITERIA
from seqlabel.models.network import ModelOptions
from seqlabel.training.experiment import Experiment
from seqlabel.training.method_options import EvolinoPhase, EvolutionPhase, KalmanPhase
from seqlabel.training.options import AugmentationOptions, Phase, TrainingOptions

TABLES: dict[str, tuple[str, type]] = {
    "top": ("Top level", Experiment),
    "front_end": ("[front_end]", FrontEndOptions),
    "model": ("[model]", ModelOptions),
    "model.cell": ("[model.cell], where the cell is a table of flags", Cell),
    "batches": ("[batches]", BatchOptions),
    "augmentation": ("[augmentation]", AugmentationOptions),
    "augmentation.ink": ("[augmentation.ink]", Augmentation),
    "augmentation.image": ("[augmentation.image]", ImageAugmentation),
    "augmentation.sound": ("[augmentation.sound]", SoundAugmentation),
    "training": ("[training]", TrainingOptions),
    "phases": ("[[phases]]", Phase),
    "phases.evolution": ('[[phases]] with method = "evolution"', EvolutionPhase),
    "phases.kalman": ('[[phases]] with method = "kalman"', KalmanPhase),
    "phases.evolino": ('[[phases]] with method = "evolino"', EvolinoPhase),
}


@dataclass(frozen=True)
class Section:
    """A table of a configuration, or the options of a corpus.

    name: as `seqlabel keys` takes it. text: the docstring. keys: (key, type, default).
    """

    name: str
    title: str
    text: str
    keys: tuple[tuple[str, str, str], ...]


def sections() -> Iterator[Section]:
    """All of them, those of configurations first."""
    for name, (title, cls) in TABLES.items():
        yield _section(name, title, cls)
        if cls is ModelOptions:
            names = ", ".join(PRESETS)
            text = f"Names that `cell` in [model] and `seqlabel.lstm.LSTM` take:\n{names}."
            yield Section("presets", "Cell presets", text, ())
    for kind, cls in FEATURES.items():
        yield _section(f"features.{kind}", f'[features] with kind = "{kind}"', cls)
    for kind, cls in CRITERIA.items():
        found = _section(f"criterion.{kind}", f'[criterion] with kind = "{kind}"', cls.Options)
        about = (inspect.getdoc(cls) or "").split("\n\n")[0]
        yield dataclasses.replace(found, text=f"{about}\n\n{found.text}")
    for corpus, module in CORPORA.items():
        yield _section(f"prepare.{corpus}", f"Options of prepare {corpus}", module.Options)


def _section(name: str, title: str, cls: type) -> Section:
    """The fields of a dataclass with its docstring, and those of bases for what it leaves out."""
    texts: list[str] = []
    for base in cls.__mro__:
        own = (dataclasses.is_dataclass(base) and base.__doc__) or ""
        names = [field.name for field in dataclasses.fields(base)] if own else []
        told = " ".join(texts)
        if own.startswith(f"{base.__name__}(") or all(re.search(rf"\b{n}\b", told) for n in names):
            continue  # a docstring that dataclass made, or nothing new
        texts.insert(0, inspect.cleandoc(own))
    hints = typing.get_type_hints(cls)
    keys = tuple(
        (field.name, _kind_of(hints[field.name]), _default_of(field))
        for field in dataclasses.fields(cls)
    )
    return Section(name, title, "\n\n".join(texts), keys)


def _kind_of(hint: Any) -> str:
    """A type as a person reads it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return ", ".join(f'"{value}"' if isinstance(value, str) else str(value).lower()
                         for value in arguments)  # fmt: skip
    if origin is tuple:
        return "list of " + _kind_of(arguments[0]) if arguments else "list"
    if origin is not None and type(None) in arguments:
        inner = [_kind_of(argument) for argument in arguments if argument is not type(None)]
        return " or ".join([*inner, '"none"'])
    if origin in (dict, list) or dataclasses.is_dataclass(hint):
        return "list" if origin is list else "table"
    if origin is not None:
        return " or ".join(map(_kind_of, arguments))
    plain = {"str": "text", "int": "integer", "float": "number", "bool": "true or false"}
    name = getattr(hint, "__name__", str(hint))
    return plain.get(name, name)


def _default_of(field: "dataclasses.Field[Any]") -> str:
    """The default as TOML, or that there is none."""
    value = field.default
    if value is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value is dataclasses.MISSING:
        return "needed"
    if dataclasses.is_dataclass(value) or (isinstance(value, dict) and not value):
        return "see its table" if value else "empty"
    if isinstance(value, tuple) and any(dataclasses.is_dataclass(item) for item in value):
        return "one with its defaults"
    if value is None:
        return '"none"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f'{key} = "{item}"' for key, item in value.items()) + " }"
    return dump_toml({"x": value}).strip().removeprefix("x = ").replace("\n", " ")
