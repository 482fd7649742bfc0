"""Teachers: trained models whose outputs are targets in training."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seqlabel.alphabet import Alphabet
from seqlabel.config import as_table
from seqlabel.errors import InputError
from seqlabel.features.front_end import FrontEnd, extractor_table, make_extractor
from seqlabel.files import read_json
from seqlabel.models.criteria import Ctc
from seqlabel.models.model import Model
from seqlabel.pretrained import resolve
from seqlabel.training.averaging import Ema
from seqlabel.training.experiment import Experiment
from seqlabel.training.method_options import MethodPhase
from seqlabel.training.options import MEAN_TEACHER, Phase
from seqlabel.training.run_directory import RUN, WEIGHTS, differences, load_model


@dataclass(frozen=True)
class Teacher:
    """A trained model in evaluation mode. digest: SHA-256 of its weights, as hex digits."""

    folder: Path
    model: Model
    alphabet: Alphabet
    front_end: FrontEnd
    digest: str

    def check_data(self, alphabet: Alphabet, front_end: FrontEnd) -> None:
        """Raise InputError for other labels, or other statistics of the features."""
        if self.alphabet.symbols != alphabet.symbols:
            raise InputError(
                f"{self.folder}: the teacher has other labels than the corpus ("
                f"{len(self.alphabet) - 1} and {len(alphabet) - 1}, or in another order); take one "
                "that was trained on labels of this corpus"
            )
        own, other = self.front_end.statistics, front_end.statistics
        if own is None or other is None:
            return
        for a, b in ((own.mean, other.mean), (own.std, other.std)):
            if a.shape != b.shape or not np.allclose(a, b, rtol=1e-3, atol=1e-5):
                raise InputError(
                    f"{self.folder}: the teacher normalises features with other means and "
                    "deviations than those of this training set; take one that was trained on it, "
                    "or front_end.normalise = 'speaker' or 'utterance' for both"
                )


def load_teachers(
    phases: Sequence[MethodPhase], experiment: Experiment, out: Path | None
) -> dict[str, Teacher]:
    """The teachers that phases name, by that name; InputError for those that cannot teach.

    out: the folder of the run, which cannot be its own teacher.
    """
    named = {phase.teacher for phase in phases if isinstance(phase, Phase)}
    return {name: _load(name, experiment, out) for name in sorted(named - {"", MEAN_TEACHER})}


def _load(name: str, experiment: Experiment, out: Path | None) -> Teacher:
    folder = resolve(name)
    if out is not None and folder.resolve() == out.resolve():
        raise InputError(f"{folder}: cannot be the teacher and --out at once; choose another --out")
    other, alphabet, front_end, model = load_model(folder)
    if not isinstance(model.criterion, Ctc):
        raise InputError(
            f"{folder}: a teacher needs criterion.kind = 'ctc', not {other.criterion['kind']!r}"
        )
    if changed := differences(_inputs(experiment), _inputs(other)):
        raise InputError(
            f"{folder}: the teacher needs the features and frames of the network that it teaches "
            f"({'; '.join(changed)}); change the configuration, or take another teacher"
        )
    with open(folder / WEIGHTS, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Teacher(folder, model.requires_grad_(False), alphabet, front_end, digest)


def _inputs(experiment: Experiment) -> dict[str, object]:
    """What decides which frames a network reads, and for which it has outputs."""
    return {
        "features": extractor_table(make_extractor(experiment.features)),
        "front_end": as_table(experiment.front_end),
        "frames per output": experiment.model.reduction,
        "times between frames": experiment.model.timed,
    }


def check_same_teachers(teachers: Mapping[str, Teacher], folder: Path) -> None:
    """Check that a resumed run has the teachers that it began with."""
    run = read_json(folder / RUN)
    began_with = run.get("teachers") if isinstance(run, dict) else None
    for name, teacher in teachers.items():
        if not isinstance(began_with, dict) or began_with.get(name) != teacher.digest:
            raise InputError(
                f"{teacher.folder}: the teacher's weights have changed since the run in {folder} "
                "began; put them back, or train into another --out"
            )


def teacher_of(
    phase: Phase, teachers: Mapping[str, Teacher], model: Model, ema: Ema | None
) -> Model | None:
    """The teacher of `model` in a phase, None if there is none. ema: the average of its weights."""
    if phase.teacher == MEAN_TEACHER:
        assert ema is not None  # checked by Phase
        return ema.averaged(model)
    return teachers[phase.teacher].model if phase.teacher else None
