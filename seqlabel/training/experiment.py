"""A configuration file: all settings of a run except the data."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seqlabel.config import as_table, build, dump_toml, load_toml
from seqlabel.data.batches import BatchOptions
from seqlabel.errors import InputError
from seqlabel.features.front_end import (
    FrontEndOptions,
    at_corpus_rate,
    extractor_table,
    make_extractor,
)
from seqlabel.files import whole_file
from seqlabel.models.criteria import find_criterion, value_options
from seqlabel.models.network import ModelOptions
from seqlabel.training.method_options import MethodPhase, check_criterion
from seqlabel.training.options import AugmentationOptions, Phase, TrainingOptions


@dataclass(frozen=True)
class Experiment:
    """The tables of a configuration.

    features: `kind` and the options of that extractor (`seqlabel.features.table`); without `rate`
    speech has that of the corpus.
    front_end, model, batches, augmentation, training: see their tables. seed: of the weights, the
    order of batches, augmentation and dropout.
    criterion: `kind` ("ctc", "levels", "transducer", "framewise", "regression") and its
    options.
    phases: in order, each from the best weights of the previous one.
    initial: a model directory, or the name of a model that comes with the package, whose weights
    are those of the start where names and shapes agree, those of labels by symbol.
    keep_labels: the network keeps the labels of `initial` that the data lack.
    """

    features: dict[str, Any] = field(metadata={"tag": "kind"})
    front_end: FrontEndOptions = field(default_factory=FrontEndOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    criterion: dict[str, Any] = field(
        default_factory=lambda: {"kind": "ctc"}, metadata={"tag": "kind"}
    )
    batches: BatchOptions = field(default_factory=BatchOptions)
    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    phases: tuple[MethodPhase, ...] = (Phase(),)
    seed: int = 1
    initial: str = ""
    keep_labels: bool = False

    def __post_init__(self) -> None:
        if not self.phases:
            raise InputError("phases: at least one [[phases]] table is needed")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed = {self.seed}: must be from 0 to below 2^63")
        if self.keep_labels and not self.initial:
            raise InputError("keep_labels needs a model whose labels are kept: set `initial`")
        make_extractor(self.features)
        if self.model.encoder != "lstm" and self.front_end.stack > 1:
            raise InputError(
                f"encoder = {self.model.encoder!r} reduces the number of frames itself: "
                "set front_end.stack = 1"
            )
        criterion, options = find_criterion(self.criterion)
        for phase in self.phases:
            check_criterion(phase, criterion, options)
            if isinstance(phase, Phase) and phase.intermediate:
                check_layers(phase, self.model)
        values = value_options(self.criterion)
        if values is not None and values.target == "next":
            if self.model.bidirectional or self.model.encoder != "lstm":
                raise InputError(
                    "criterion.target = 'next' predicts frames, which a bidirectional network "
                    "has as input: set model.bidirectional = false"
                )
            if self.front_end.normalise in ("speaker", "utterance"):
                raise InputError(
                    f"normalise = {self.front_end.normalise!r} uses later "
                    "frames; criterion.target = 'next' needs 'train', 'running' or 'none'"
                )

    def to_table(self) -> dict[str, Any]:
        """The configuration with all defaults."""
        return {**as_table(self), "features": extractor_table(make_extractor(self.features))}

    def for_corpus(self, data: Path) -> "Experiment":
        """The experiment at the sampling rate of a prepared corpus, unless it states another."""
        return replace(self, features=at_corpus_rate(self.features, data))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the resolved configuration as TOML."""
        with whole_file(path) as stream:
            stream.write(dump_toml(self.to_table()))

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], overrides: Iterable[str] = (), bases: bool = True
    ) -> "Experiment":
        """Read a TOML file; InputError names the file and the key.

        bases: whether a `base` line may name another file.
        """
        return build(cls, load_toml(path, overrides, bases), Path(path).name)


def check_layers(phase: Phase, model: ModelOptions) -> None:
    """Raise InputError for a network without the lower layer whose outputs a phase needs."""
    if model.encoder != "lstm" or model.subsample > 1 or model.chunk or model.layers < 2:
        raise InputError(
            f"phase {phase.name}: intermediate needs model.encoder = 'lstm' of at least two layers "
            "without subsample and chunk"
        )
    if phase.intermediate_layer >= model.layers:
        raise InputError(
            f"phase {phase.name}: intermediate_layer = {phase.intermediate_layer} must lie below "
            f"the last of {model.layers} layers"
        )
